from __future__ import annotations

import threading
from pathlib import Path

import cv2
import pytest

from edge_agent.errors import SourceUnavailable
from edge_agent.sources.folder import FolderOnce, FolderWatch
from tests.clocks import ManualClock
from tests.good_parts import draw_part, write_good


class ActingClock(ManualClock):
    """Does the next thing on a list whenever somebody waits."""

    def __init__(self, *actions: object) -> None:
        super().__init__()
        self._actions = list(actions)

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        if self._actions:
            self._actions.pop(0)()  # type: ignore[operator]
        else:
            event.set()
        return super().wait(event, timeout_s)


def _names(source: FolderOnce | FolderWatch) -> list[str | None]:
    names = []
    with source:
        while (frame := source.read()) is not None:
            names.append(frame.name)
    return names


def test_every_file_once_by_name(tmp_path: Path) -> None:
    write_good(tmp_path / "b", 2)
    write_good(tmp_path / "a", 2)
    write_good(tmp_path, 1)
    source = FolderOnce(tmp_path, ManualClock(), recursive=True)
    wanted = ["a/good000.png", "a/good001.png", "b/good000.png", "b/good001.png", "good000.png"]
    assert _names(source) == wanted
    assert _names(source) == wanted
    assert _names(FolderOnce(tmp_path, ManualClock())) == ["good000.png"]


def test_an_empty_or_absent_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="no images in"):
        FolderOnce(tmp_path, ManualClock()).open()
    with pytest.raises(SourceUnavailable, match="not a folder"):
        FolderOnce(tmp_path / "absent", ManualClock()).open()
    with pytest.raises(SourceUnavailable, match="cannot read"):
        FolderWatch(tmp_path / "absent", 1, ManualClock()).open()


def test_an_unreadable_file_is_passed_over_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_good(tmp_path, 3)
    (tmp_path / "good000.png").write_bytes(b"")
    assert _names(FolderOnce(tmp_path, ManualClock())) == ["good001.png", "good002.png"]
    assert "good000.png is empty" in caplog.text


def test_too_many_unreadable_files_end_it(tmp_path: Path) -> None:
    write_good(tmp_path, 10)
    for number in range(2):
        (tmp_path / f"good00{number}.png").write_bytes(b"")
    source = FolderOnce(tmp_path, ManualClock())
    source.open()
    with pytest.raises(SourceUnavailable, match="2 of 10 files cannot be read"):
        source.read()


def test_watching_sees_what_arrives_and_waits_until_it_is_whole(tmp_path: Path) -> None:
    write_good(tmp_path, 2)
    whole = cv2.imencode(".png", draw_part(5))[1].tobytes()
    arriving = tmp_path / "new.png"
    clock = ActingClock(
        lambda: arriving.write_bytes(whole[:100]),
        lambda: None,
        lambda: arriving.write_bytes(whole),
        lambda: write_good(tmp_path / "ignored", 1),
        lambda: (tmp_path / "later.png").write_bytes(whole),
    )
    assert _names(FolderWatch(tmp_path, 0.2, clock)) == ["new.png", "later.png"]


def test_a_name_may_come_again_after_it_was_deleted(tmp_path: Path) -> None:
    path = tmp_path / "part.png"
    clock = ActingClock(
        lambda: cv2.imwrite(str(path), draw_part(1)),
        path.unlink,
        lambda: cv2.imwrite(str(path), draw_part(2)),
    )
    assert _names(FolderWatch(tmp_path, 0.2, clock)) == ["part.png", "part.png"]


def test_a_file_that_never_becomes_whole_is_given_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def nothing() -> None:
        pass

    clock = ActingClock(lambda: (tmp_path / "half.png").write_bytes(b"\x89PNG"), *[nothing] * 60)
    assert _names(FolderWatch(tmp_path, 0.2, clock)) == []
    assert caplog.text.count("given up") == 1


def test_interrupting_ends_the_wait(tmp_path: Path) -> None:
    from edge_agent.clock import SystemClock

    source = FolderWatch(tmp_path, 3600, SystemClock())
    source.open()
    frames: list[object] = []
    thread = threading.Thread(target=lambda: frames.append(source.read()))
    thread.start()
    source.interrupt()
    thread.join(10)
    assert frames == [None]
