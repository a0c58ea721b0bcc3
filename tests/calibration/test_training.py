"""The student and its integers; needs PyTorch, so most installations skip it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kernels import reference
from kernels.bits import unpack
from kernels.network import STREAM_STEPS
from tests.real_parts import DATA, require_module

require_module("torch", "install the extra train to test training")
import torch  # noqa: E402

from calibration.training.crops import Crops  # noqa: E402
from calibration.training.distill import Settings  # noqa: E402
from calibration.training.losses import ReadOut, relation_loss  # noqa: E402
from calibration.training.student import Shape, Student  # noqa: E402


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


def test_crops_are_a_function_of_their_number() -> None:
    class Flat:
        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> np.ndarray:
            return np.random.default_rng(index).integers(0, 256, (120, 150, 3)).astype(np.uint8)

    one, other = (Crops(Flat(), 64, seed=5) for _ in range(2))  # type: ignore[arg-type]
    np.testing.assert_array_equal(one.batch(3, 4), other.batch(3, 4))
    assert one.batch(3, 4).shape == (4, 3, 64, 64)
    assert not np.array_equal(one.crop(0), one.crop(1))
    assert not np.array_equal(one.crop(0), Crops(Flat(), 64, seed=6).crop(0))  # type: ignore[arg-type]


def test_relation_loss_is_zero_when_bits_agree_as_much_as_targets() -> None:
    code = torch.where(torch.randn(2, 32, 4, 4) > 0, 1.0, -1.0)
    patches = torch.arange(16).repeat(2, 1)
    assert float(relation_loss(code, code.clone(), [32], patches)) == pytest.approx(0, abs=1e-10)
    # Turning every sign keeps all agreements; turning those of some patches does not.
    assert float(relation_loss(code, -code, [32], patches)) == pytest.approx(0, abs=1e-10)
    other = code.clone()
    other[:, :, 0] *= -1
    assert float(relation_loss(code, other, [32], patches)) > 0.01


def test_the_learning_rate_warms_up_and_ends_at_zero() -> None:
    settings = Settings(crops=3200, batch=32, learning_rate=1.0)
    rates = [settings.rate_at(step) for step in range(settings.steps)]
    assert rates[0] == 0.5
    assert max(rates) == pytest.approx(1.0, abs=0.01)
    assert rates[-1] < 0.001


@pytest.mark.acceptance
def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from calibration.training import distill

    if not DATA.is_dir():
        pytest.skip(f"photographs and teachers are not at {DATA}")
    settings = Settings(
        shape=Shape(4, blocks=("3", "3", "31"), channels=(64, 64, 64), levels=(0, 1, 1)),
        crops=24, batch=4, crop_px=32,
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
        return distill.Distillation(settings, DATA / "natural", DATA / "teachers", folder)

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
