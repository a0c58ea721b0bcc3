"""The student and its integers; needs PyTorch, so most installations skip it."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration import backbones
from calibration.backbones import load_backbone
from calibration.calibrate import calibrate
from calibration.dataset import open_dataset
from calibration.detector import Detector
from calibration.errors import DatasetError
from calibration.evaluate import evaluate
from kernels import container, network_file, reference
from kernels.backends import choose
from kernels.bits import unpack
from kernels.network import STREAM_STEPS, Embedding, Network, Stem, arrays_of
from tests.good_parts import write_dataset
from tests.random_networks import tiny_network
from tests.real_parts import DATA, require_module

require_module("torch", "install the extra train to test training")
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

from calibration.training.average import export_average  # noqa: E402
from calibration.training.bookkeeping import LossLog  # noqa: E402
from calibration.training.crops import Crops  # noqa: E402
from calibration.training.development import DevelopmentSets  # noqa: E402
from calibration.training.distill import Settings  # noqa: E402
from calibration.training.losses import (  # noqa: E402
    ReadOut,
    nearness_loss,
    noticing_loss,
    relation_loss,
)
from calibration.training.student import (  # noqa: E402
    Shape,
    Student,
    mean_around,
    mean_of_four,
)
from calibration.training.unfold import unfolded  # noqa: E402


def _on_the_grid(blocks: tuple[str, str, str]) -> Student:
    """A student whose parameters are whole steps of the integers that it is exported to."""
    torch.manual_seed(0)
    student = Student(Shape(stem_channels=8, blocks=blocks, channels=(64, 128, 128))).eval()

    def whole(low: int, high: int, like: torch.Tensor) -> torch.Tensor:
        return torch.randint(low, high, like.shape).to(like)

    with torch.no_grad():
        for name, value in student.named_parameters():
            if name.startswith("stem") and name.endswith("weight"):
                value.copy_(whole(-40, 41, value) / 128)
            elif name.startswith("stem"):
                value.copy_(whole(-40, 41, value) / 64)
            elif name.endswith(("threshold", "norm.bias")):
                value.copy_(whole(-60, 61, value) / STREAM_STEPS)
            elif name.endswith("level"):  # between two steps, so that nothing lies on it
                value.copy_((whole(-500, 501, value) + 0.5) / STREAM_STEPS / 9)
            elif name.endswith("norm.weight"):
                value.copy_(whole(-3, 4, value) / (2 * STREAM_STEPS))
            elif name.endswith("leak"):
                value.copy_(whole(0, 2, value) / 2)
        for module in student.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eps = 0.0
    return student


def _agreement(student: Student) -> list[float]:
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (64, 96, 3)).astype(np.uint8)
    codes = reference.run(student.export("s"), image[:, :, ::-1])
    with torch.no_grad():
        wanted = student(torch.from_numpy(image).permute(2, 0, 1)[None].float())
    return [
        float((unpack(code) == (soft[0].permute(1, 2, 0).numpy() > 0)).mean())
        for code, soft in zip(codes, wanted, strict=True)
    ]


def test_the_exported_network_gives_the_students_bits() -> None:
    # Where nothing needs rounding, all bits are the same; pooling at stride 2 rounds.
    at_stride_4, at_stride_8, at_stride_16 = _agreement(_on_the_grid(("313", "31", "31")))
    assert at_stride_4 == 1.0
    assert at_stride_8 > 0.97
    assert at_stride_16 > 0.95


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision_gives_the_same_bits(half: torch.dtype) -> None:
    student = _on_the_grid(("313", "31", "31"))
    exact = _codes(student)
    with torch.autocast("cpu", half):
        halved = _codes(student)
    for one, other in zip(halved, exact, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    sum((code * torch.randn_like(code)).mean() for code in halved).backward()
    assert student.stages[0][0].weight.grad.isfinite().all()
    assert student.stages[0][0].weight.grad.any()


@pytest.mark.parametrize("name", ["base", "small"])
def test_a_backbone_is_unfolded_to_what_gives_its_bits(name: str) -> None:
    backbone = load_backbone(name)
    pictures = _pictures(4)
    student = unfolded(backbone, [pictures])
    again = student.export(backbone.name)
    layers = backbone.without_stem_bits().layers
    for one, other in zip(again.layers, layers, strict=True):
        assert type(one) is type(other)
        for (field, mine), (_, theirs) in zip(arrays_of(one), arrays_of(other), strict=True):
            np.testing.assert_array_equal(mine, theirs, field)
    # Its norms know the pictures: by the statistics of these alone it says the same of them, but
    # for what lies between two steps of the stream and is rounded otherwise.
    with torch.no_grad():
        wanted = student(pictures)
        for one, other in zip(student.train()(pictures), wanted, strict=True):
            assert float((one == other).float().mean()) > 0.97


def test_means_are_those_of_pooling_and_so_are_their_gradients() -> None:
    def pooled(x: torch.Tensor) -> torch.Tensor:
        return F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, stride=1)

    def pooled_by_four(x: torch.Tensor) -> torch.Tensor:
        return F.avg_pool2d(x, 2)

    for ours, theirs in ((mean_around, pooled), (mean_of_four, pooled_by_four)):
        x = torch.randn(2, 3, 6, 8, dtype=torch.double, requires_grad=True)
        torch.testing.assert_close(ours(x), theirs(x))
        weights = torch.randn_like(theirs(x))
        gradients = [torch.autograd.grad((f(x) * weights).sum(), x)[0] for f in (ours, theirs)]
        torch.testing.assert_close(*gradients)


def test_what_is_no_student() -> None:
    stem, *rest = load_backbone("small").without_stem_bits().layers
    assert isinstance(stem, Stem)
    shifted = Network("shifted", (replace(stem, fine_shift=9), *rest))
    with pytest.raises(ValueError, match="other shifts"):
        unfolded(shifted, [_pictures(1)])
    # Bits that leave before the last block of a stride.
    early = Network("early", (stem, *rest[:2], rest[3], rest[2], *rest[4:]))
    with pytest.raises(ValueError, match="early is no student"):
        unfolded(early, [_pictures(1)])


def _pictures(count: int) -> torch.Tensor:
    rng = np.random.default_rng(5)
    grain = [cv2.GaussianBlur(rng.normal(0, 300, (96, 96, 3)), (0, 0), 3) for _ in range(count)]
    pictures = torch.from_numpy(np.stack(grain)).permute(0, 3, 1, 2)
    return (pictures + 128).clamp(0, 255).round().float()


def _student(*blocks: str, **shape: tuple[int, int, int]) -> Student:
    like = {"channels": (64, 128, 128)} | shape
    student = Student(Shape(stem_channels=8, blocks=blocks, **like)).eval()  # type: ignore[arg-type]
    for module in student.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps = 0.0
    return student


def _codes(student: Student) -> list[torch.Tensor]:
    image = np.random.default_rng(2).integers(0, 256, (1, 3, 64, 96))
    return student(torch.from_numpy(image).float())


def test_a_grown_student_says_what_the_smaller_one_says() -> None:
    smaller = _on_the_grid(("3", "31", "3"))
    grown = _student("31", "3131", "313")
    grown.begin_as(smaller)
    codes = _codes(grown)
    for one, other in zip(codes, _codes(smaller), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    sum(code.sum() for code in codes).backward()
    added = grown.stages[0][1].norm.weight
    assert not added.detach().any()
    assert added.grad.any(), "a block that adds nothing could never learn to"


def test_a_student_without_some_blocks_says_what_the_others_say() -> None:
    larger = _on_the_grid(("313", "3131", "31"))
    with torch.no_grad():
        for block in (larger.stages[0][0], larger.stages[1][2], larger.stages[1][3]):
            block.norm.weight.zero_()
            block.norm.bias.zero_()
    smaller = _student("13", "31", "31", levels=(0, 2, 1))
    smaller.begin_as(larger)
    # The first 3x3 of "313" is not the one that "13" goes on with: order is what counts.
    assert len(_codes(smaller)) == 2
    for one, other in zip(_codes(smaller), _codes(larger)[1:], strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_what_a_student_cannot_begin_as() -> None:
    with pytest.raises(ValueError, match="a part of the other"):
        _student("33", "3", "3").begin_as(_student("31", "3", "3"))
    with pytest.raises(ValueError, match="other channels or bits"):
        _student("3", "3", "3", channels=(64, 128, 256)).begin_as(_student("3", "3", "3"))
    with pytest.raises(ValueError, match="other channels or bits"):
        _student("3", "3", "3", levels=(1, 1, 1)).begin_as(_student("3", "3", "3"))
    with pytest.raises(ValueError, match="other channels or bits"):
        Student(Shape(stem_channels=16, channels=(64, 128, 128))).begin_as(_student("3", "3", "3"))


def test_a_read_out_begins_with_the_levels_that_both_have() -> None:
    earlier, later = (
        ReadOut([0, 64, 64], [[8], [8, 4], [16]]),
        ReadOut([64, 64, 0], [[8], [8, 4], [16]]),
    )
    later.begin_as(earlier)
    torch.testing.assert_close(later.layers["1"].weight, earlier.layers["1"].weight)
    with torch.no_grad():
        said = later([torch.ones(2, 64, 4, 4), torch.ones(2, 64, 2, 2)])
    assert [tuple(maps.shape) for maps in said] == [(2, 8, 4, 4), (2, 12, 2, 2)]


class _Soft:
    """Photographs to take crops from."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> np.ndarray:
        noise = np.random.default_rng(index).uniform(0, 255, (12, 15, 3))
        return cv2.resize(noise, (150, 120)).astype(np.uint8)


def _crops(seed: int) -> Crops:
    return Crops(_Soft(), 64, seed)  # type: ignore[arg-type]


def test_crops_are_a_function_of_their_number() -> None:
    one, other = (_crops(5).batch(3, 4, again=2) for _ in range(2))
    for name in ("crops", "again", "drawn"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.crops.shape == (4, 3, 64, 64)
    np.testing.assert_array_equal(one.crops[3].transpose(1, 2, 0), _crops(5).crop(15))
    assert not np.array_equal(_crops(5).crop(0), _crops(5).crop(1))
    assert not np.array_equal(_crops(5).crop(0), _crops(6).crop(0))


def test_the_next_part_is_the_same_but_for_what_is_drawn_on_it() -> None:
    batch = _crops(1).batch(0, 40, again=30)
    assert batch.again.shape == (30, 3, 64, 64)
    assert batch.drawn.shape == (30, 64, 64)
    assert set(np.unique(batch.drawn)) == {0, 1}
    assert 0.001 < batch.drawn.mean() < 0.3
    differences = np.abs(batch.again - batch.crops[:30].astype(float)).mean(axis=1)
    pairs = list(zip(differences, batch.drawn.astype(bool), strict=True))
    calm = [difference for difference, drawn in pairs if difference[~drawn].mean() < 8]
    assert 8 <= len(calm) <= 20, "photographs are moved a little; textures are seen elsewhere"
    on_defects = [d[drawn].mean() for d, drawn in pairs if d[~drawn].mean() < 8 and drawn.any()]
    assert np.median(on_defects) > 12
    assert _crops(1).batch(0, 4).again.shape == (0, 3, 64, 64)


def test_relation_loss_is_zero_when_bits_agree_as_much_as_targets() -> None:
    code = torch.where(torch.randn(2, 32, 4, 4) > 0, 1.0, -1.0)
    patches = torch.arange(16).repeat(2, 1)
    assert float(relation_loss(code, code.clone(), [32], patches)) == pytest.approx(0, abs=1e-10)
    # Turning every sign keeps all agreements; turning those of some patches does not.
    assert float(relation_loss(code, -code, [32], patches)) == pytest.approx(0, abs=1e-10)
    other = code.clone()
    other[:, :, 0] *= -1
    assert float(relation_loss(code, other, [32], patches)) > 0.01


def test_nearness_loss_is_how_far_bits_and_teachers_move_apart() -> None:
    code = torch.where(torch.randn(2, 32, 4, 4) > 0, 1.0, -1.0)
    again = code.clone()
    again[:, :8] *= -1  # a quarter of the bits: an agreement of a half
    at_an_angle = torch.tensor([1.0, 0.0]), torch.tensor([0.5, 0.75**0.5])
    first, second = (torch.cat([v, v])[None, :, None, None].expand(2, 4, 4, 4) for v in at_an_angle)
    assert float(nearness_loss(code, again, first, second, [2, 2])) == pytest.approx(0, abs=1e-10)
    # To one teacher of the two nothing happened: a cosine of three quarters.
    calm = torch.cat([second[:, :2], first[:, 2:]], dim=1)
    assert float(nearness_loss(code, again, first, calm, [2, 2])) == pytest.approx(1 / 16)
    assert float(nearness_loss(code, code, first, second, [2, 2])) == pytest.approx(1 / 4)


def _noticed(of_defects: int, of_good: int) -> float:
    """The loss if so many of 64 bits differ where a defect is drawn, and where none is."""
    code = torch.where(torch.randn(2, 64, 1, 1) > 0, 1.0, -1.0).repeat(1, 1, 12, 12)
    drawn = torch.zeros(2, 96, 96)
    drawn[0, 30:34, 8:40] = 1  # of the second picture nothing, and it says nothing
    again = code.clone()
    again[:, :of_good] *= -1
    again[0, :, 3:5, 1:5] = code[0, :, 3:5, 1:5]
    again[0, :of_defects, 3:5, 1:5] *= -1
    return float(noticing_loss(code, again, drawn, torch.Generator().manual_seed(0)))


@pytest.mark.parametrize(("of_defects", "of_good"), [(0, 0), (16, 0), (0, 16), (20, 3)])
def test_noticing_loss_compares_defects_with_what_is_good(of_defects: int, of_good: int) -> None:
    apart = 2 * (of_good - of_defects) / 64
    wanted = 0.1 * np.log1p(np.exp(apart / 0.1))
    assert _noticed(of_defects, of_good) == pytest.approx(wanted, rel=1e-4)


def test_noticing_loss_takes_the_closest_patch_of_the_first_view() -> None:
    # Another place of a texture: the same patches in another order.
    torch.manual_seed(3)
    code = torch.where(torch.randn(1, 64, 12, 12) > 0, 1.0, -1.0)
    again = code.flip(2, 3).clone()
    drawn = torch.zeros(1, 96, 96)
    drawn[0, 40:48, 40:48] = 1
    again[0, :32, 5, 5] *= -1
    strange = float((code[0].flatten(1).T @ again[0, :, 5, 5]).max()) / 64
    again.requires_grad_()
    loss = noticing_loss(code, again, drawn, torch.Generator().manual_seed(0))
    wanted = 0.1 * np.log1p(np.exp((strange - 1) / 0.1))
    assert float(loss.detach()) == pytest.approx(wanted, rel=1e-4)
    loss.backward()
    assert again.grad is not None
    assert again.grad[0, :, 5, 5].any()


def test_noticing_loss_of_nothing_is_nothing() -> None:
    code = torch.ones(1, 64, 4, 4)
    for drawn in (torch.zeros(1, 32, 32), torch.ones(1, 32, 32)):
        assert float(noticing_loss(code, code, drawn, torch.Generator())) == 0


def _run(folder: Path, student: Student, began_as: dict[str, object] | None = None) -> Path:
    """A folder as a run leaves it."""
    folder.mkdir()
    settings = {"shape": asdict(student.shape), "began_as": began_as, "seed": folder.name}
    torch.save({"settings": settings, "average": student.state_dict()}, folder / "checkpoint.pt")
    (folder / "log.jsonl").write_text(f'{{"step": 50, "loss": 0.{len(folder.name)}}}\n')
    return folder


def test_the_average_of_runs(tmp_path: Path) -> None:
    one, other, average = (_student("3", "3", "3").eval() for _ in range(3))
    with torch.no_grad():
        for parameters in zip(*(s.parameters() for s in (one, other, average)), strict=True):
            torch.nn.init.normal_(parameters[1])
            parameters[2].copy_((parameters[0] + parameters[1]) / 2)
    first = _run(tmp_path / "first", one)
    began_as = torch.load(first / "checkpoint.pt", weights_only=False)["settings"]
    second = _run(tmp_path / "second", other, began_as)
    export_average([first, second], tmp_path / "both.bnn")
    assert [
        (line["run"], line["loss"])
        for line in map(json.loads, (tmp_path / "both.log.jsonl").read_text().splitlines())
    ] == [(0, 0.5), (1, 0.6)]
    image = np.random.default_rng(2).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    for got, want in zip(
        reference.run(network_file.load(tmp_path / "both.bnn"), image),
        reference.run(average.export("both"), image),
        strict=True,
    ):
        np.testing.assert_array_equal(got, want)
    stranger = _run(tmp_path / "stranger", other)
    with pytest.raises(ValueError, match=r"did not begin as the one in .*first"):
        export_average([first, stranger], tmp_path / "no.bnn")
    with pytest.raises(ValueError, match="holds no run"):
        export_average([first, tmp_path], tmp_path / "no.bnn")


def test_the_learning_rate_warms_up_and_ends_at_zero() -> None:
    settings = Settings(crops=3200, batch=32, learning_rate=1.0)
    rates = [settings.rate_at(step) for step in range(settings.steps)]
    assert rates[0] == 0.5
    assert max(rates) == pytest.approx(1.0, abs=0.01)
    assert rates[-1] < 0.001


def test_development_sets_are_told_as_the_commands_would_tell_them(tmp_path: Path) -> None:
    backend = choose("numba").backend
    rings = write_dataset(tmp_path / "rings")
    sets = DevelopmentSets([rings], 100, backend)
    taught = calibrate(rings / "train" / "good", [tiny_network()], backend).model
    wanted = evaluate(Detector(taught), open_dataset(rings)).image_auroc
    assert wanted is not None
    told = sets.tell(tiny_network())
    found = told["image_auroc"]
    assert told == {"image_auroc": found}
    assert found == {"rings": pytest.approx(wanted, abs=5e-5), "mean": found["rings"]}
    assert [crops for crops in range(32, 320, 32) if sets.due(crops, 32)] == [128, 224]
    # Bits that are always clear tell no part from another.
    stem, *_ = tiny_network().layers
    blind = Network("blind", (stem, Embedding(4, np.full((1, 64), 10**6, np.int32), every=2)))
    told = sets.tell(blind)
    assert told == {"image_auroc": {}, "not_taught": {"rings": told["not_taught"]["rings"]}}
    assert "identical" in str(told["not_taught"]["rings"])
    with pytest.raises(DatasetError, match="nowhere"):
        DevelopmentSets([tmp_path / "nowhere"], 100, backend)
    for folder in (rings / "test").iterdir():
        if folder.name != "good":
            shutil.rmtree(folder)
    with pytest.raises(DatasetError, match="no defective parts"):
        DevelopmentSets([rings], 100, backend)


def test_what_is_noted_stands_between_the_losses(tmp_path: Path) -> None:
    with LossLog(tmp_path / "log.jsonl", 32) as log:
        for step in range(1, 51):
            log.add(step, {"loss": float(step % 2)})
            if step == 40:
                log.note(step, {"image_auroc": {"rings": 0.9}})
    noted, losses = map(json.loads, (tmp_path / "log.jsonl").read_text().splitlines())
    assert noted == {"step": 40, "crops": 1280, "image_auroc": {"rings": 0.9}}
    assert losses["loss"] == 0.5


@pytest.mark.acceptance
def test_a_run_begins_as_a_backbone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from calibration.training import distill

    if not DATA.is_dir():
        pytest.skip(f"photographs and teachers are not at {DATA}")
    monkeypatch.setattr(distill.Targets, "STATISTICS_CROPS", 8)
    monkeypatch.setattr(distill.shutil, "which", lambda _: None)
    backbone = load_backbone("small")
    shape = Shape(blocks=("3", "31", "311"), levels=(0, 1, 1))
    settings = Settings(shape=shape, crops=16, batch=8, crop_px=32)
    file = Path(backbones.__file__).parent / "small.bnn"
    run = distill.Distillation(
        settings, DATA / "natural", DATA / "teachers", tmp_path, begin_as=file
    )
    digest = container.read(file, container.BACKBONE).sha256
    assert run.settings.began_as == {"backbone": "small", "sha256": digest}
    picture = np.random.default_rng(3).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    wanted = reference.run(backbone.without_stem_bits(), picture)
    for one, other in zip(reference.run(run.network("begun"), picture), wanted, strict=True):
        np.testing.assert_array_equal(one, other)
    assert run.run()


@pytest.mark.acceptance
@pytest.mark.parametrize("half_precision", [False, True])
def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(
    half_precision: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from calibration.training import distill

    if not DATA.is_dir():
        pytest.skip(f"photographs and teachers are not at {DATA}")
    settings = Settings(
        shape=Shape(4, blocks=("3", "3", "31"), channels=(64, 64, 64), levels=(0, 1, 1)),
        crops=24, batch=4, crop_px=32, nearness_weight=1.0,
    )  # fmt: skip
    monkeypatch.setattr(distill.Targets, "STATISTICS_CROPS", 8)
    monkeypatch.setattr(distill.shutil, "which", lambda _: None)
    cache = tmp_path / "cache"

    def start(name: str) -> distill.Distillation:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        if not (folder / "cache").exists():
            cache.mkdir(exist_ok=True)
            (folder / "cache").symlink_to(cache)
        return distill.Distillation(
            settings,
            DATA / "natural",
            DATA / "teachers",
            folder,
            half_precision=half_precision,
        )

    whole = start("whole")
    assert whole.run()
    stopped = start("stopped")
    original = distill.Distillation._train_step

    def stop_after_three(self: distill.Distillation, *args: object) -> dict[str, float]:
        losses = original(self, *args)
        if self.step == 3:
            import signal

            signal.raise_signal(signal.SIGTERM)
        return losses

    monkeypatch.setattr(distill.Distillation, "_train_step", stop_after_three)
    assert not stopped.run()
    monkeypatch.setattr(distill.Distillation, "_train_step", original)
    resumed = start("stopped")
    assert resumed.step == 3
    assert resumed.run()
    for one, other in zip(
        whole.average.state_dict().values(), resumed.average.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
