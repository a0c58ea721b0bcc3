"""Teaching: from a folder of good images to a calibrated model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from calibration.colour import colourless_below
from calibration.comparison import BitComparison
from calibration.good_images import GoodFolder, GoodImages, read_good_images
from calibration.groups import two_groups
from calibration.model_file import Model
from calibration.normal import Normal, NormalSettings, PatchWords, describe
from calibration.outliers import stand_apart
from calibration.pose import Pose, forced_pose
from calibration.preparation import Roi
from calibration.progress import Progress, silent
from calibration.setups import Choice, Wishes, choose_setup
from calibration.threshold import Threshold, conformal_threshold
from calibration.views import cut_to
from kernels.backends import Backend
from kernels.network import Network


@dataclass(frozen=True)
class Settings:
    """How to calibrate.

    Attributes:
        false_reject_rate: share of good parts that may be rejected.
        roi: part of the images to inspect; None for everything.
        wishes: what is decided of the setup; the rest is tried.
        even_light: scale the brightness of pictures to that of the good ones.
        keep_all: use every image, however little it looks like the others.
        seed: of the folds and the bank.
        normal: what of the description of good parts is forced.
    """

    false_reject_rate: float = 0.001
    roi: Roi | None = None
    wishes: Wishes = field(default_factory=Wishes)
    even_light: bool = True
    keep_all: bool = False
    seed: int = 0
    normal: NormalSettings = field(default_factory=NormalSettings)


@dataclass(frozen=True)
class Suspicious:
    """A good image that looks as if it were none.

    Attributes:
        file: of the image.
        score: in bits, from a bank that had not seen it.
        left_out: whether neither the bank nor the threshold knows it.
    """

    file: Path
    score: float
    left_out: bool


@dataclass(frozen=True, eq=False)
class Calibration:
    """A model, and what the report is made of.

    Attributes:
        model: ready to be saved.
        choice: the setup, and how others fared.
        pose: how parts come.
        threshold: the same as the model's.
        held_out: files of the good images, each of which was held out once.
        scores: float64, their scores in the same order, from banks that had not seen them.
        maps: float32 (n, rows, columns), the anomaly maps of these scores.
        suspicious: images to be looked at, most unusual first.
        warnings: sentences about the folder as a whole.
        skipped: files that could not be read, a sentence each.
    """

    model: Model
    choice: Choice
    pose: Pose
    threshold: Threshold
    held_out: tuple[Path, ...]
    scores: np.ndarray
    maps: np.ndarray
    suspicious: tuple[Suspicious, ...]
    warnings: tuple[str, ...]
    skipped: tuple[str, ...]

    @property
    def patches(self) -> tuple[str, ...]:
        """What a patch is and why, in sentences for people."""
        reasons = self.model.origin["reasons"]
        told = f"{self.model.words}: {reasons['surroundings']}"
        if "stem" not in reasons:
            return (told,)
        stem = "with" if self.model.network.stem_words else "without"
        return told, f"{stem} bits of the stem: {reasons['stem']}"


def calibrate(
    folder: Path,
    networks: Sequence[Network],
    backend: Backend,
    settings: Settings | None = None,
    progress: Progress = silent,
) -> Calibration:
    """Teach on good images.

    Images that clearly stand apart from all others are left out, unless ``keep_all``; they and
    those that merely look odd are named in the result.

    Args:
        folder: with images of good parts.
        networks: the backbones to choose from.
        backend: that runs them; any gives the same bits.
        settings: how.
        progress: shows how far it is.

    Raises:
        DatasetError: if the folder cannot be taught from; the message says why and names files.
    """
    settings = settings or Settings()
    if settings.even_light:
        good = GoodFolder.lit(folder, settings.roi)
    else:
        good = GoodFolder(folder, settings.roi)
    choice = choose_setup(
        good, networks, backend, settings.wishes, settings.normal, settings.seed, progress
    )
    setup, pose_reason = choice.setup, {}
    if choice.pose and not forced_pose(settings.normal.window, settings.normal.turned):
        pose_reason = {"pose": "as this setup saw it when it was tried and timed"}
        tried = replace(settings.normal, window=choice.pose.window, turned=choice.pose.turned)
        settings = replace(settings, normal=tried)
    images = read_good_images(
        good, setup.network, backend, setup.input_pixels, settings.seed, progress
    )
    detail = setup.without_surroundings if settings.wishes.surroundings is None else None
    words = PatchWords.of(setup.network, surroundings_may_go=detail is not None)
    normal, used, suspicious = _describe(images, backend, settings, words, progress)
    if detail and normal.detail_only:
        setup = detail
    network = setup.network if normal.with_stem else setup.network.without_stem_bits()
    threshold = conformal_threshold(normal.scores, settings.false_reject_rate)
    warnings = _warnings(images, setup.network.stem_words)
    model = Model(
        network=network,
        preparation=images.preparation,
        bank=normal.bank,
        scoring=normal.scoring,
        threshold=threshold,
        good_scores=np.sort(normal.scores),
        highest_median=float(normal.medians.max()),
        colourless_below=colourless_below(images.chroma[used]),
        origin={
            "folder": folder.resolve().name,
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "good_images": len(used),
            "left_out": [one.file.name for one in suspicious if one.left_out],
            "suspicious": [one.file.name for one in suspicious if not one.left_out],
            "warnings": list(warnings),
            "skipped": list(images.skipped),
            "seed": settings.seed,
            "reasons": {"setup": choice.reason, **normal.reasons, **pose_reason},
            "turned": normal.pose.turned,
            "trials": [
                {
                    "backbone": trial.setup.network.name,
                    "strides": list(trial.setup.network.strides),
                    "input_px": round(trial.setup.input_pixels**0.5),
                    "auroc": round(trial.found, 4),
                    "ms": round(trial.ms, 2),
                }
                for trial in choice.trials
            ],
        },
    )
    return Calibration(
        model,
        choice,
        normal.pose,
        threshold,
        tuple(images.files[i] for i in used),
        normal.scores,
        normal.maps,
        suspicious,
        warnings,
        images.skipped,
    )


def _describe(
    images: GoodImages,
    backend: Backend,
    settings: Settings,
    words: PatchWords,
    progress: Progress,
) -> tuple[Normal, np.ndarray, tuple[Suspicious, ...]]:
    """Good parts without those that stand apart, the numbers of those used, and the odd ones."""
    comparison = BitComparison(backend)
    everything = np.arange(len(images.files))

    def described(numbers: np.ndarray) -> Normal:
        parts = [images.views[i] for i in numbers]
        return describe(parts, comparison, settings.normal, settings.seed, progress, words)

    normal, used = described(everything), everything
    scores = normal.scores
    odd, clear = stand_apart(scores)
    if settings.keep_all:
        clear[:] = False
    if clear.any():
        used = np.flatnonzero(~clear)
        normal = described(used)
        # Without the clear ones, others that resemble them no longer look normal.
        scores[used] = normal.scores
        odd[used] |= stand_apart(normal.scores)[0]
    found = [
        Suspicious(images.files[i], float(scores[i]), bool(clear[i])) for i in np.nonzero(odd)[0]
    ]
    return normal, used, tuple(sorted(found, key=lambda one: (not one.left_out, -one.score)))


def _warnings(images: GoodImages, stem_words: int) -> tuple[str, ...]:
    warnings = []
    learnt = slice(stem_words, None)
    group = two_groups([cut_to(learnt, views.plain) for views in images.views])
    if group is not None:
        few, many = (int((group == side).sum()) for side in (True, False))
        examples = (images.files[int(np.argmax(group == side))].name for side in (True, False))
        warnings.append(
            f"the images fall into two clearly separate groups, {few} like {next(examples)} and"
            f" {many} like {next(examples)}: if these are two kinds of parts, teach a model for"
            " each"
        )
    if images.copies:
        warnings.append(
            f"{len(images.copies)} images are copies of others and count once:"
            f" {', '.join(path.name for path in images.copies[:5])}"
            + (" and others" if len(images.copies) > 5 else "")
        )
    return tuple(warnings)
