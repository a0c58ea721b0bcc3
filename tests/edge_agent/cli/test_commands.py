"""The commands as a user runs them: in a process of their own, by exit status and sentences."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from kernels import network_file
from kernels.processor import WAYS, available_ways
from tests.good_parts import draw_part, write_dataset, write_good
from tests.random_networks import tiny_network

COMMANDS = (
    "demo", "collect", "calibrate", "evaluate", "inspect", "run", "check", "reject-test", "train",
    "model", "warm", "bench", "doctor",
)  # fmt: skip


def _run(*arguments: object, status: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge_agent", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == status, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    return result


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_dataset(tmp_path_factory.mktemp("shop"))
    network_file.save(folder / "tiny.bnn", tiny_network())
    result = _run(
        "calibrate", folder / "train" / "good", "-o", folder / "ring.model",
        "--false-reject-rate", "0.1", "--backbone", folder / "tiny.bnn", "--json",
    )  # fmt: skip
    (folder / "calibrate.json").write_text(result.stdout)
    return folder


def test_help_needs_no_heavy_imports() -> None:
    code = (
        "import sys\n"
        "from edge_agent.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'cv2', 'numba', 'onnxruntime', 'msgspec', 'paho'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    for command in COMMANDS:
        assert re.search(rf"\n    {command}\s", result.stdout), command


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    assert "usage: edge-agent" in _run(command, "--help").stdout


def test_used_wrongly() -> None:
    assert "usage" in _run(status=2).stdout
    assert "invalid choice" in _run("inspct", status=2).stderr


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--false-reject-rate", "5", "a rate lies between 0 and 1"),
        ("--input-px", "5", "64 to 2048 pixels, not 5"),
        ("--smoothing", "1e6", "0.25 to 8 patches, not 1e6"),
        ("--smoothing", "wide", "0.25 to 8 patches, not wide"),
        ("--bank-entries", "0", "at least 1, not 0"),
        ("--bank-entries", "many", "at least 1, not many"),
    ],
)
def test_options_of_calibrate_that_cannot_be(option: str, value: str, sentence: str) -> None:
    assert sentence in _run("calibrate", "x", "-o", "x.model", option, value, status=2).stderr


def test_bits_of_the_stem_are_asked_for_where_there_are_none(tmp_path: Path) -> None:
    own = tmp_path / "own.bnn"
    network_file.save(own, tiny_network(), {})
    asked = _run("calibrate", "x", "-o", "x.model", "--backbone", own, "--stem", status=2)
    assert "--stem: tiny has no bits of its stem; leave --stem out" in asked.stderr


def test_calibrate_tells_what_it_made(shop: Path) -> None:
    figures = json.loads((shop / "calibrate.json").read_text())
    assert figures["good_images"] == 40
    assert figures["held_out"] == 40
    assert figures["supported_false_reject_rate"] == 0.1
    assert Path(figures["model"]).is_file()
    assert Path(figures["report"]).read_text().startswith("<!doctype html>")


def test_what_is_forced_is_in_the_model(shop: Path, tmp_path: Path) -> None:
    forced = ["--window", "4", "--rotation", "--bank-entries", "500", "--smoothing", "1.5"]
    forced += ["--no-places", "--no-surroundings", "--stem"]
    model = tmp_path / "forced.model"
    made = json.loads(
        _run("calibrate", shop / "train" / "good", "-o", model, *forced, "--json").stdout
    )
    shown = json.loads(_run("model", "show", model, "--json").stdout)
    for facts in (made, shown):
        assert facts["window"] == 4
        assert facts["smoothing"] == 1.5
        assert facts["places"] is False
        assert facts["strides"] == [4, 8]
        assert facts["stem"] is True
        assert 450 <= facts["bank_entries"] <= 500
    assert made["rotation"] is True
    assert "as far from the middle" in (tmp_path / "forced.html").read_text()


def test_evaluate(shop: Path) -> None:
    figures = json.loads(_run("evaluate", shop / "ring.model", shop, "--json").stdout)
    assert {
        "image_auroc", "pixel_auroc", "pro", "false_reject_rate", "escape_rate", "threshold",
        "per_defect", "latency_ms", "backend",
    } <= figures.keys()  # fmt: skip
    assert figures["backend"] == "numba"
    assert {"p50", "p99"} <= figures["latency_ms"].keys()
    text = _run("evaluate", shop / "ring.model", shop).stdout
    assert f"image AUROC        {figures['image_auroc']:.4f}" in text


def test_inspect(shop: Path, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    cv2.imwrite(str(good), draw_part(0))
    cv2.imwrite(str(bad), draw_part(1, bad=True))
    assert _run("inspect", shop / "ring.model", good).stdout.startswith("OK")
    maps = tmp_path / "maps"
    result = _run("inspect", shop / "ring.model", good, bad, "--json", "--heatmap", maps, status=1)
    inspections = json.loads(result.stdout)["inspections"]
    assert [i["verdict"] for i in inspections] == ["OK", "NG"]
    assert inspections[1]["regions"]
    assert sorted(p.name for p in maps.iterdir()) == ["bad.heatmap.png", "good.heatmap.png"]


def test_inspect_goes_on_after_images_that_cannot_be_judged(shop: Path, tmp_path: Path) -> None:
    for number, folder in enumerate((tmp_path / "one", tmp_path / "two")):
        folder.mkdir()
        cv2.imwrite(str(folder / "part.png"), draw_part(number))
    (tmp_path / "one" / "cut.png").write_bytes((tmp_path / "one" / "part.png").read_bytes()[:500])
    cv2.imwrite(str(tmp_path / "one" / "narrow.png"), draw_part(0, height=60, width=60))
    maps = tmp_path / "maps"
    arguments = (tmp_path / "one", tmp_path / "gone.png", tmp_path / "two", "--heatmap", maps)
    result = _run("inspect", shop / "ring.model", *arguments, status=2)
    assert [line.split()[-1] for line in result.stdout.splitlines()] == [
        str(tmp_path / "one" / "part.png"), str(tmp_path / "two" / "part.png")
    ]  # fmt: skip
    names = ("cut.png", "narrow.png", "gone.png")
    assert all(name in line for name, line in zip(names, result.stderr.splitlines(), strict=True))
    assert sorted(p.name for p in maps.iterdir()) == [
        "one-part.png.heatmap.png", "two-part.png.heatmap.png"
    ]  # fmt: skip


def test_heat_maps_of_equal_names_do_not_overwrite_each_other(shop: Path, tmp_path: Path) -> None:
    for number, line in enumerate(("a", "b")):
        (tmp_path / line / "good").mkdir(parents=True)
        cv2.imwrite(str(tmp_path / line / "good" / "part.png"), draw_part(number))
    maps = tmp_path / "maps"
    folders = tmp_path / "a" / "good", tmp_path / "b" / "good"
    _run("inspect", shop / "ring.model", *folders, "--heatmap", maps)
    assert sorted(p.name for p in maps.iterdir()) == [
        "a-good-part.png.heatmap.png", "b-good-part.png.heatmap.png"
    ]  # fmt: skip


def test_kernels_that_there_are_not_are_not_replaced(shop: Path) -> None:
    image = next((shop / "test" / "good").iterdir())
    command = [sys.executable, "-m", "edge_agent", "inspect", shop / "ring.model", image]
    result = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "EDGE_KERNELS": "abacus"},
    )
    assert result.returncode == 2
    assert "there are no kernels 'abacus': use one of" in result.stderr


def test_model_show_and_verify(shop: Path) -> None:
    sha256 = json.loads((shop / "calibrate.json").read_text())["sha256"]
    assert sha256 in _run("model", "verify", shop / "ring.model").stdout
    facts = json.loads(_run("model", "show", shop / "ring.model", "--json").stdout)
    assert facts["backbone"] == "tiny"
    assert facts["sha256"] == sha256


def test_doctor() -> None:
    facts = json.loads(_run("doctor", "--json").stdout)
    assert facts["backends"]["numba"] == "works"
    assert "base" in facts["backbones"]


def _broken_models(shop: Path, folder: Path) -> dict[str, Path]:
    data = (shop / "ring.model").read_bytes()
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 4
    cases = {
        "damaged model file": data[:-1],
        "checksum does not match": bytes(flipped),
        "is not a model file": b"\x89PNG something else",
    }
    paths = {}
    for number, (sentence, content) in enumerate(cases.items()):
        paths[sentence] = folder / f"{number}.model"
        paths[sentence].write_bytes(content)
    paths["No such file"] = folder / "absent.model"
    return paths


def test_warm_keeps_what_it_compiled(tmp_path: Path) -> None:
    figures = json.loads(_run("warm", "--cache", tmp_path / "cache", "--json").stdout)
    assert figures["kernels"] in WAYS
    kept = {path.name.split("-")[0] for path in (tmp_path / "cache").rglob("*.nbc")}
    wanted = {"portable.keep_smaller_distances"}
    if figures["kernels"] != "portable":
        wanted |= {"stem.stem", "convolution.convolve_to_stream", "search.nearest"}
    assert wanted <= kept
    before = sorted(tmp_path.rglob("*.nbc"))
    _run("warm", "--cache", tmp_path / "cache")
    assert sorted(tmp_path.rglob("*.nbc")) == before


_PICTURES_OF_EVERY_KIND = """
import sys
from dataclasses import replace
from pathlib import Path
import numpy as np
from numba.core.dispatcher import Dispatcher
from calibration import Detector, model_file
from calibration.preparation import Roi
from kernels import anomaly_map, area, light

def compiled():
    modules = anomaly_map, area, light
    kernels = [f for m in modules for f in vars(m).values() if isinstance(f, Dispatcher)]
    return sum(len(kernel.signatures) for kernel in kernels)

model = model_file.load(Path(sys.argv[1]))
height, width = (3 * model.preparation.input_height // 2, 3 * model.preparation.input_width // 2)
preparation = replace(
    model.preparation, image_height=height, image_width=width, roi=Roi(0, 0, width, height)
)
detector = Detector(replace(model, preparation=preparation))
detector.warm_up()
before = compiled()
for colours in ((3,), ()):
    frame = np.full((height + 8, width + 8, *colours), 90, np.uint8)
    cut_out = frame[:height, 4 : width + 4]
    detector.inspect(cut_out)
    detector.inspect(cut_out.copy())
print(before, compiled())
"""


def test_the_first_part_waits_for_no_compiler(shop: Path) -> None:
    script = [sys.executable, "-c", _PICTURES_OF_EVERY_KIND, str(shop / "ring.model")]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    warm, after = map(int, done.stdout.split())
    assert 0 < warm == after


def test_kernels_can_be_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_KERNELS", "portable")
    assert re.search(r"^kernels +portable ", _run("doctor").stdout, re.MULTILINE)
    monkeypatch.setenv("EDGE_KERNELS", "quantum")
    assert "there are no kernels 'quantum'" in _run("warm", status=2).stderr


@pytest.mark.parametrize("what", ["kernels", "search"])
def test_bench_compares_by_turns(what: str) -> None:
    figures = json.loads(_run("bench", what, "--rounds", "2", "--json").stdout)
    assert figures["clock_ghz"] > 0.1
    rows = figures["rows"]
    ours = {row["kernel"] for row in rows if "kernel" in row}
    assert ours == set(available_ways())
    assert any("onnxruntime" in row.get("engine", "opencv onnxruntime") for row in rows)
    for row in rows:
        assert 0 < row["us_min"] <= row["us_median"] <= row["us_p99"]
        if what == "kernels":
            macs = row["channels"] ** 2 * 9 * row["height"] * row["width"]
        else:
            macs = row["queries"] * row["bank"] * row["bits"]
        assert row["gmacs"] == pytest.approx(macs / row["us_min"] / 1e3, rel=0.01)


def test_bench_of_shrinking_has_a_peer_for_each_picture() -> None:
    rows = json.loads(_run("bench", "shrink", "--rounds", "2", "--json").stdout)["rows"]
    sides = ("from_height", "from_width", "height", "width")
    timed = {(row.get("kernel") or row["engine"], *(row[side] for side in sides)) for row in rows}
    assert {who for who, *_ in timed} == {"area", "opencv"}
    assert len(timed) == len(rows) == 2 * len({task[1:] for task in timed})
    for row in rows:
        assert 0 < row["us_min"] <= row["us_median"] <= row["us_p99"]


def test_bench_of_a_model(shop: Path) -> None:
    result = _run(
        "bench", "inspect", shop / "ring.model", "--images", shop / "train" / "good",
        "--rounds", "3", "--json",
    )  # fmt: skip
    (row,) = json.loads(result.stdout)["rows"]
    assert row["op"] == "inspect"
    assert set(row["stages_us_min"]) == {"prepare", "network", "search", "decide"}
    assert sum(row["stages_us_min"].values()) <= row["us_p99"]


def test_broken_models_get_one_sentence(shop: Path, tmp_path: Path) -> None:
    image = next((shop / "test" / "good").iterdir())
    for sentence, path in _broken_models(shop, tmp_path).items():
        result = _run("inspect", path, image, status=2)
        assert sentence in result.stderr
        assert str(path) in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1
        assert not result.stdout


def _bad_calibrations(folder: Path) -> dict[str, list[object]]:
    few, mixed = folder / "few", folder / "mixed"
    write_good(few, 3)
    write_good(mixed, 22)
    cv2.imwrite(str(mixed / "odd.png"), draw_part(0, height=60, width=60))
    (folder / "empty").mkdir()
    out = ["-o", folder / "new.model"]
    return {
        "no images in": [folder / "empty", *out],
        "is not a folder": [folder / "absent", *out],
        "3 good images are too few": [few, *out],
        "odd.png is 60 x 60": [mixed, *out],
        "outside the images": [few, *out, "--roi", "100,0,60,60"],
        "four whole numbers": [few, *out, "--roi", "1,2,3"],
        "there is no backbone 'hugo': use base": [few, *out, "--backbone", "hugo"],
        "ends in .model": [few, "-o", folder / "new.txt"],
        "there is no folder": [few, "-o", folder / "nowhere" / "new.model"],
    }


def test_calibrations_that_cannot_be_leave_nothing_behind(tmp_path: Path) -> None:
    for sentence, arguments in _bad_calibrations(tmp_path).items():
        before = sorted(tmp_path.rglob("*"))
        result = _run("calibrate", *arguments, status=2)
        assert sentence in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1
        assert sorted(tmp_path.rglob("*")) == before


def _station(folder: Path, model: Path, source: str, more: str = "") -> Path:
    path = folder / "station.toml"
    path.write_text(f"[source]\n{source}\n[inspection]\nmodel = '{model}'\n{more}\n")
    return path


def test_run_over_a_folder(shop: Path, tmp_path: Path) -> None:
    source = f"type = 'folder'\npath = '{shop}/test'\nrecursive = true"
    config = _station(tmp_path, shop / "ring.model", source, "[archive]\nresults = '-'")
    result = _run("run", "--config", config)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(lines) == 21
    ng = sum(line["verdict"] == "NG" for line in lines)
    assert f"21 parts inspected: {21 - ng} OK, {ng} NG" in result.stderr
    config.write_text(config.read_text().replace("[inspection]", "[inspection]\nthreads = 3"))
    side_by_side = [
        json.loads(line) for line in _run("run", "--config", config).stdout.splitlines()
    ]
    for one, other in zip(lines, side_by_side, strict=True):
        for key in ("part", "verdict", "score"):
            assert one[key] == other[key]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_cleanly(shop: Path, tmp_path: Path, number: int) -> None:
    watched = tmp_path / "watched"
    watched.mkdir()
    source = f"type = 'folder'\npath = '{watched}'\nmode = 'watch'"
    config = _station(tmp_path, shop / "ring.model", source)
    command = [sys.executable, "-m", "edge_agent", "run", "--config", str(config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "is running" in line:
                break
        process.send_signal(number)
        rest = process.stderr.read()
        assert process.wait(60) == 0
    assert "0 parts inspected" in rest


def test_check(shop: Path, tmp_path: Path) -> None:
    source = f"type = 'folder'\npath = '{shop}/test/good'"
    good = _station(tmp_path, shop / "ring.model", source)
    assert "images of 128 x 96 arrive" in _run("check", "--config", good).stdout
    bad = _station(
        tmp_path,
        tmp_path / "absent.model",
        "type = 'camera'\ndevice = '/dev/video-none'",
        "[mqtt]\nhost = '127.0.0.1'\nport = 9\nprefix = 'p'",
    )
    report = json.loads(_run("check", "--config", bad, "--json", status=2).stdout)
    sentences = {entry["what"]: entry["sentence"] for entry in report["checks"]}
    assert not any(entry["works"] for entry in report["checks"])
    assert sentences["model"].endswith("absent.model: No such file or directory")
    assert "there is no camera /dev/video-none" in sentences["source"]
    assert "cannot be reached" in sentences["mqtt"]


@pytest.mark.parametrize(
    ("source", "more", "sentence"),
    [
        ("type = 'foldr'", "", "did you mean folder?"),
        ("type = 'folder'\npath = 'absent'", "", "is not a folder"),
        ("type = 'camera'\ndevice = '/dev/video-none'", "", "there is no camera"),
        ("type = 'video'\npath = 'absent.avi'", "", "there is no video file"),
        ("type = 'folder'\npath = '.'", "[mqtt]\nhost = 'h'\nprefix = 'p'\nporrt = 1", "port?"),
    ],
)
def test_run_with_one_wrong_thing(
    shop: Path, tmp_path: Path, source: str, more: str, sentence: str
) -> None:
    config = _station(tmp_path, shop / "ring.model", source, more)
    result = _run("run", "--config", config, status=2)
    assert sentence in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_collect_then_calibrate(tmp_path: Path) -> None:
    source = "type = 'simulator'\nparts = 25\npaced = false\ndefect_share = 0.0"
    trigger = "[trigger]\ntype = 'part'\ncrop_width_px = 256\ncrop_height_px = 256"
    config = _station(tmp_path, tmp_path / "cap.model", source, trigger)
    good = tmp_path / "good"
    result = _run("collect", "--config", config, "-o", good, "--count", 25)
    assert "25 parts" in result.stdout
    assert len(list(good.iterdir())) == 25
    _run("calibrate", good, "-o", tmp_path / "cap.model")
    assert "holds parts already" in _run(
        "collect", "--config", config, "-o", good, status=2
    ).stderr  # fmt: skip
    assert "25 parts" in _run(
        "collect", "--config", config, "-o", tmp_path / "more", "--count", 99, status=1
    ).stdout  # fmt: skip


def test_train_without_its_extra_names_it(tmp_path: Path) -> None:
    from importlib.util import find_spec

    if find_spec("torch"):
        pytest.skip("PyTorch is installed here, so nothing is missing")
    arguments = ["--photographs", tmp_path, "--teachers", tmp_path, "--run", tmp_path]
    result = _run("train", "distill", *arguments, "-o", tmp_path / "x.bnn", status=2)
    assert "pip install 'edge-agent[train]'" in result.stderr


def test_demo(tmp_path: Path) -> None:
    result = _run("demo", "--parts", "12", "--output", tmp_path, "--json")
    figures = json.loads(result.stdout)
    confusion = figures["confusion"]
    assert sum(confusion.values()) == 12
    assert figures["received"]["inspection"] == 12
    ng = confusion["good_ng"] + confusion["defective_ng"]
    assert figures["received"].get("defect", 0) == ng == len(figures["heatmaps"])
    assert confusion["good_ok"] > confusion["good_ng"]
    assert confusion["defective_ng"] >= 1
    # What was kicked off the belt is what was called NG, part by part.
    assert list(figures["at_gate"].values()) == list(confusion.values())
    assert figures["endings"] == {"passed": 12 - ng, "rejected": ng}
    for name in ("demo.model", "demo.html", *figures["heatmaps"]):
        assert (tmp_path / name).is_file()
