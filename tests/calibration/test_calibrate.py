"""From a folder of good images to a detector that tells bad ones apart."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration import Detector, Verdict, model_file
from calibration.backbones import load_backbone
from calibration.calibrate import Calibration, Settings, calibrate
from calibration.dataset import open_dataset
from calibration.errors import DatasetError, TooFewImages
from calibration.evaluate import evaluate
from calibration.model_file import Model
from calibration.normal import NormalSettings
from calibration.preparation import Roi
from calibration.report import write_report
from calibration.separation import Separation
from calibration.setups import Wishes
from kernels.backends import choose
from kernels.network import Embedding, Network
from tests.good_parts import draw_part, write_dataset, write_good
from tests.random_networks import tiny_network

SETTINGS = Settings(
    false_reject_rate=0.1,
    wishes=Wishes(input_pixels=96 * 128),
    normal=NormalSettings(bank_entries=300),
)
BACKEND = choose("numba").backend


def _teach(folder: Path, settings: Settings = SETTINGS) -> Calibration:
    return calibrate(folder, [load_backbone()], BACKEND, settings)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("parts"))


@pytest.fixture(scope="module")
def taught(dataset: Path) -> Calibration:
    return _teach(dataset / "train" / "good")


def test_bad_parts_are_told_from_good_ones(dataset: Path, taught: Calibration) -> None:
    result = evaluate(Detector(taught.model), open_dataset(dataset))
    assert result.good == 12
    assert result.defective == 9
    assert result.image_auroc is not None
    assert result.image_auroc > 0.95
    assert result.pixel_auroc is not None
    assert result.pixel_auroc > 0.9
    assert result.escape_rate is not None
    assert result.escape_rate < 0.4


def test_figures_agree_with_single_inspections(dataset: Path, taught: Calibration) -> None:
    detector = Detector(taught.model)
    result = evaluate(detector, open_dataset(dataset))
    scores: dict[str, list[float]] = {"good": [], "gash": []}
    for kind, values in scores.items():
        for path in sorted((dataset / "test" / kind).iterdir()):
            values.append(detector.inspect(cv2.imread(str(path))).score)
            assert result.scores[f"{kind}/{path.name}"] == values[-1]
    limit = taught.threshold.value
    assert result.false_reject_rate == pytest.approx(np.mean(np.array(scores["good"]) > limit))
    assert result.escape_rate == pytest.approx(np.mean(np.array(scores["gash"]) <= limit))
    assert result.per_defect["gash"].count == 9
    assert result.per_defect["gash"].escape_rate == result.escape_rate


@pytest.mark.parametrize("backend", ["tflite", "onnx", "reference"])
def test_every_backend_gives_identical_scores(dataset: Path, backend: str) -> None:
    taught = calibrate(dataset / "train" / "good", [tiny_network()], BACKEND, SETTINGS)
    one, other = Detector(taught.model), Detector(taught.model, backend)
    for path in sorted((dataset / "test" / "gash").iterdir())[:3]:
        image = cv2.imread(str(path))
        np.testing.assert_array_equal(one.inspect(image).map, other.inspect(image).map)


def test_calibrating_twice_gives_the_same_model(dataset: Path, taught: Calibration) -> None:
    again = _teach(dataset / "train" / "good")
    np.testing.assert_array_equal(again.model.bank.patches, taught.model.bank.patches)
    assert again.threshold == taught.threshold


def test_scores_of_good_parts_are_from_before_they_were_taught(dataset: Path) -> None:
    """A bank of every patch of theirs finds nothing unusual on parts that it has seen."""
    everything = replace(SETTINGS, normal=NormalSettings(bank_entries=1_000_000))
    taught = _teach(dataset / "train" / "good", everything)
    detector = Detector(taught.model)
    known = [detector.inspect(cv2.imread(str(path))).score for path in taught.held_out]
    new = [detector.inspect(draw_part(5000 + number)).score for number in range(40)]
    assert max(known) == 0
    assert taught.scores.min() > 0
    assert np.median(taught.scores) == pytest.approx(np.median(new), rel=0.1)


def test_a_model_survives_its_file(taught: Calibration, tmp_path: Path) -> None:
    path = tmp_path / "ring.model"
    sha256 = model_file.save(path, taught.model)
    image = draw_part(7, bad=True)
    before, after = Detector(taught.model).inspect(image), Detector.load(path).inspect(image)
    np.testing.assert_array_equal(before.map, after.map)
    assert before.regions == after.regions
    assert model_file.load(path).sha256 == sha256


def test_regions_lie_where_the_defect_is(taught: Calibration) -> None:
    detector = Detector(taught.model)
    inspection = detector.inspect(draw_part(5, bad=True))
    assert inspection.verdict is Verdict.NG
    mask = (draw_part(5, bad=True) != draw_part(5)).any(2)
    rows, columns = np.nonzero(mask)
    worst = inspection.regions[0]
    assert worst.x - 12 < columns.mean() < worst.x + worst.width + 12
    assert worst.y - 12 < rows.mean() < worst.y + worst.height + 12
    for region in inspection.regions:
        assert 0 < region.area_px <= region.width * region.height
        assert region.x + region.width <= 128
        assert region.y + region.height <= 96


def test_regions_of_a_larger_camera_are_those_of_what_the_network_sees(taught: Calibration) -> None:
    # Each pixel 36 times: shrunk again, it is the same picture.
    larger = replace(
        taught.model.preparation, image_height=576, image_width=768, roi=Roi(0, 0, 768, 576)
    )
    image = draw_part(5, bad=True)
    small = Detector(taught.model).inspect(image).regions
    large = Detector(replace(taught.model, preparation=larger)).inspect(
        np.repeat(np.repeat(image, 6, axis=0), 6, axis=1)
    )
    for region, expected in zip(large.regions, small, strict=True):
        assert (region.x, region.y) == (6 * expected.x, 6 * expected.y)
        assert (region.width, region.height) == (6 * expected.width, 6 * expected.height)
        assert region.area_px == 36 * expected.area_px
        assert region.score == expected.score


def test_a_good_part_has_no_regions(taught: Calibration) -> None:
    inspection = Detector(taught.model).inspect(draw_part(0))
    assert inspection.verdict is Verdict.OK
    assert inspection.regions == ()
    assert inspection.score == inspection.map.max() <= inspection.threshold


def test_outside_the_region_of_interest_nothing_is_seen(dataset: Path) -> None:
    settings = Settings(
        false_reject_rate=0.1,
        roi=Roi(0, 0, 64, 96),
        wishes=Wishes(input_pixels=96 * 64),
        normal=NormalSettings(bank_entries=300),
    )
    detector = Detector(_teach(dataset / "train" / "good", settings).model)
    image = draw_part(3)
    spoilt = image.copy()
    spoilt[:, 64:] = 255
    one, other = detector.inspect(image), detector.inspect(spoilt)
    np.testing.assert_array_equal(one.map, other.map)
    full = detector.full_map(one, 96, 128)
    assert (full[:, 64:] == 0).all()
    assert (full[:, :64] > 0).any()


def test_the_report_shows_the_most_unusual_parts(taught: Calibration, tmp_path: Path) -> None:
    path = tmp_path / "ring.html"
    write_report(path, taught, Detector(taught.model))
    text = path.read_text("utf-8")
    assert text.count("<img ") == 6
    worst = taught.held_out[int(taught.scores.argmax())]
    assert worst.name in text
    assert taught.threshold.sentence in text
    bars = re.findall(r"<title>(\d+)</title></rect>", text)
    assert sum(map(int, bars)) == len(taught.scores)
    assert "$" not in text


def test_an_unreadable_file_is_passed_over_and_named(tmp_path: Path) -> None:
    write_good(tmp_path, 30)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    result = _teach(tmp_path)
    assert len(result.skipped) == 1
    assert "broken.png" in result.skipped[0]
    assert result.model.origin["good_images"] == 30


def test_too_many_unreadable_files(tmp_path: Path) -> None:
    write_good(tmp_path, 30)
    for number in range(3):
        (tmp_path / f"broken{number}.png").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"of 33 files cannot be read.*broken0.png"):
        _teach(tmp_path)


def test_too_few_images(tmp_path: Path) -> None:
    write_good(tmp_path, 19)
    with pytest.raises(TooFewImages, match="19 good images are too few: 20 at least"):
        _teach(tmp_path)


@pytest.mark.parametrize("odd", ["aaa.png", "zzz.png"])
def test_images_of_different_sizes(tmp_path: Path, odd: str) -> None:
    write_good(tmp_path, 25)
    cv2.imwrite(str(tmp_path / odd), draw_part(0, height=64, width=64))
    with pytest.raises(DatasetError, match=rf"1 of 26 images.*{odd} is 64 x 64, most are 128 x 96"):
        _teach(tmp_path)


def test_a_window_is_kept_in_the_model_and_gives_the_same_on_every_backend(
    dataset: Path, tmp_path: Path
) -> None:
    settings = replace(
        SETTINGS,
        normal=NormalSettings(window=2, bank_entries=600),
    )
    taught = calibrate(dataset / "train" / "good", [tiny_network()], BACKEND, settings)
    model_file.save(tmp_path / "w.model", taught.model)
    back = model_file.load(tmp_path / "w.model")
    assert back.bank.window == 2
    np.testing.assert_array_equal(back.bank.cells, taught.model.bank.cells)
    images = [cv2.imread(str(p)) for p in sorted((dataset / "test" / "gash").iterdir())[:2]]
    detectors = [Detector(back, name) for name in ("numba", "onnx", "reference")]
    for image in images:
        one, *others = (detector.inspect(image).map for detector in detectors)
        for other in others:
            np.testing.assert_array_equal(one, other)
    scores = [taught.model.bank.bits] * 2
    assert [detectors[0].inspect(image).score for image in images] < scores


def test_what_drawn_defects_decide_is_what_forcing_it_gives(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, networks = dataset / "train" / "good", [tiny_network()]
    monkeypatch.setattr(Separation, "clearly_better_than", lambda one, other: one is not other)
    posed = NormalSettings(bank_entries=300, window=2, turned=False)
    decided = calibrate(good, networks, BACKEND, replace(SETTINGS, normal=posed)).model
    monkeypatch.undo()
    steps = decided.scoring.steps
    normal = replace(posed, smoothing=steps.smoothing, places=steps.places)
    wishes = replace(SETTINGS.wishes, surroundings=False)
    forced = calibrate(good, networks, BACKEND, replace(SETTINGS, normal=normal, wishes=wishes))
    assert decided.network.strides == forced.model.network.strides == (8,)
    np.testing.assert_array_equal(decided.bank.patches, forced.model.bank.patches)
    np.testing.assert_array_equal(decided.good_scores, forced.model.good_scores)
    assert decided.origin["reasons"]["surroundings"].endswith("without: clearly better")
    assert forced.model.origin["reasons"]["surroundings"] == "as the setup has it"
    assert forced.model.origin["reasons"]["map"] == "as asked for"
    model_file.save(tmp_path / "short.model", decided)
    back = model_file.load(tmp_path / "short.model")
    image = cv2.imread(str(next((dataset / "test" / "gash").iterdir())))
    one, *others = (Detector(back, name).inspect(image) for name in ("numba", "onnx", "reference"))
    for other in others:
        np.testing.assert_array_equal(one.map, other.map)
    assert back.words == "patches of 128 bits every 8 px, of stride 8"


def test_a_model_without_bits_of_the_stem_is_that_of_a_network_without(dataset: Path) -> None:
    good, tiny = dataset / "train" / "good", tiny_network()
    levels = np.random.default_rng(0).normal(0, 900, (1, tiny.stem.channels)).astype(np.int32)
    network = Network("stem", (tiny.stem, Embedding(4, levels), *tiny.layers[1:]))
    posed = NormalSettings(bank_entries=300, window=2, turned=False)

    def made(network: Network, stem: bool | None) -> Model:
        settings = replace(SETTINGS, normal=replace(posed, stem=stem))
        return calibrate(good, [network], BACKEND, settings).model

    usual, without, never_had = made(network, None), made(network, False), made(tiny, None)
    np.testing.assert_array_equal(usual.network.embeddings[0].levels, levels)
    assert usual.bits == never_had.bits + 64
    assert (usual.network.stem_words, without.network.stem_words) == (1, 0)
    assert without.bits == never_had.bits
    np.testing.assert_array_equal(without.bank.patches, never_had.bank.patches)
    np.testing.assert_array_equal(without.good_scores, never_had.good_scores)
    assert without.origin["reasons"]["stem"] == "as asked for"
    assert "stem" not in never_had.origin["reasons"]


def test_a_model_within_a_budget_keeps_the_window_it_was_timed_with(dataset: Path) -> None:
    settings = replace(SETTINGS, wishes=Wishes(input_pixels=96 * 128, budget_ms=1e6))
    taught = calibrate(dataset / "train" / "good", [tiny_network()], BACKEND, settings)
    poses = {trial.setup: trial.pose for trial in taught.choice.trials}
    assert len(poses) == 2  # with and without surroundings
    assert taught.model.bank.window == taught.pose.window
    assert taught.pose == taught.choice.pose == poses[taught.choice.setup]
