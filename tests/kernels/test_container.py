from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from kernels import container
from kernels.errors import ContainerError, DamagedFile, NewerFormat, NotOurFile, OlderFormat

ARRAYS = {
    "bits": np.arange(7, dtype=np.uint64) << np.uint64(57),
    "scores": np.array([[1.5, -2.0]], np.float64),
    "none": np.zeros((0, 3), np.int16),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.model"
    container.write(path, container.MODEL, {"name": "Käse"}, ARRAYS)
    return path


def test_what_is_written_can_be_read(file: Path) -> None:
    contents = container.read(file, container.MODEL)
    assert contents.manifest["name"] == "Käse"
    assert contents.arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert contents.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(contents.arrays[name], array)


def test_members_carry_their_hashes(file: Path) -> None:
    for member in container.read(file, container.MODEL).manifest["members"]:
        wanted = hashlib.sha256(ARRAYS[member["name"]].tobytes()).hexdigest()
        assert member["sha256"] == wanted


def test_cut_at_any_byte(file: Path) -> None:
    data = file.read_bytes()
    for length in range(len(data)):
        file.write_bytes(data[:length])
        with pytest.raises(DamagedFile, match=r"damaged model file: .* Copy it again"):
            container.read(file, container.MODEL)


def test_any_flipped_bit(file: Path) -> None:
    data = file.read_bytes()
    for position in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[position] ^= 1 << bit
            file.write_bytes(changed)
            # In the magic it is no longer our file; anywhere else it is ours, and damaged.
            wanted = NotOurFile if position < 8 else DamagedFile
            with pytest.raises(wanted):
                container.read(file, container.MODEL)


def test_bytes_appended(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(DamagedFile):
        container.read(file, container.MODEL)


def test_a_newer_version_is_intact_and_says_what_to_do(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "FORMAT_VERSION", 99)
    container.write(file, container.MODEL, {}, ARRAYS)
    monkeypatch.undo()
    with pytest.raises(NewerFormat, match=r"version 99, and this software reads up to 2.*Update"):
        container.read(file, container.MODEL)


def test_an_older_version_says_how_to_make_the_file_anew(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "FORMAT_VERSION", 1)
    container.write(file, container.MODEL, {}, ARRAYS)
    monkeypatch.undo()
    with pytest.raises(OlderFormat, match=r"version 1.*reads 2 only.*calibrate"):
        container.read(file, container.MODEL)


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n" + bytes(100), b"hello", b"EA-BBONE"])
def test_other_files(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    with pytest.raises(NotOurFile, match="is not a model file"):
        container.read(file, container.MODEL)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = file.read_bytes()

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        container.write(file, container.MODEL, {"name": "new"}, {})
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_all_errors_are_container_errors() -> None:
    for error in (NotOurFile, DamagedFile, NewerFormat, OlderFormat):
        assert issubclass(error, ContainerError)
        assert issubclass(error, ValueError)
