"""How well the promised false reject rate is kept on good parts that were not taught.

python -m tests.benchmarks.coverage --data DIR [--splits 20] [--rate 0.01] [SET ...]

Per set: all good images are split at random again and again, two thirds to teach and the rest to
ask; all go through the product's own choices (pose, drift, outliers, threshold). The rate on the
rest is what the promise is about. Beside it, taught on train/good and asked on test/good: what
happens where the parts come from another day. Patches are computed once an image.

Splits share images, so that the interval (Clopper and Pearson, 1934) is given for the number of
different images asked, not for the number of questions: it errs on the wide side.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from calibration.backbones import DEFAULT, load_backbone
from calibration.comparison import BitComparison
from calibration.normal import Normal, NormalSettings, PatchWords, describe
from calibration.outliers import stand_apart
from calibration.progress import silent
from calibration.threshold import conformal_threshold
from calibration.views import Views, cut_to, is_turned
from edge_agent.cli.console import progress_bar
from kernels.backends import choose
from tests.benchmarks.sets import data_sets, patched_set

TAUGHT_SHARE = 2 / 3


def clopper_pearson(hits: float, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact interval of a share: of ``hits`` (may be a mean, not whole) in ``count``."""

    def at_least(p: float, whole: int) -> float:
        return sum(math.comb(count, k) * p**k * (1 - p) ** (count - k) for k in range(whole))

    def root(whole: int, wanted: float) -> float:
        low, high = 0.0, 1.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if at_least(middle, whole) > wanted else (low, middle)
        return low

    tail = (1 - confidence) / 2
    fewer, more = math.floor(hits), math.ceil(hits)
    lower = 0.0 if fewer == 0 else root(fewer, 1 - tail)
    upper = 1.0 if more >= count else root(more + 1, tail)
    return lower, upper


@dataclass(frozen=True)
class Taught:
    """What a threshold did to good parts that were not taught.

    Attributes:
        rejected: how many.
        promised: the rate that the scores support.
        left_out: of the taught ones, how many were left out.
    """

    rejected: int
    promised: float
    left_out: int


def teach_and_ask(
    taught: list[Views],
    asked: list[Views],
    rate: float,
    seed: int,
    *,
    words: PatchWords,
    keep_all: bool,
) -> Taught:
    """Teach as ``calibrate`` does, and judge the others."""
    comparison = BitComparison(choose().backend)
    taught = [
        views if is_turned(number, len(taught)) else replace(views, turned=())
        for number, views in enumerate(taught)
    ]

    def described(parts: list[Views]) -> Normal:
        return describe(parts, comparison, NormalSettings(), seed, silent, words)

    normal = described(taught)
    clear = stand_apart(normal.scores)[1]
    if clear.any() and not keep_all:
        normal = described([views for views, out in zip(taught, clear, strict=True) if not out])
    threshold = conformal_threshold(normal.scores, rate)
    measure = comparison.measure(normal.bank, *taught[0].plain.shape[:2])
    first = 0 if normal.with_stem else words.stem
    known = slice(first, first + normal.bank.patches.shape[1])
    distances = (measure(cut_to(known, views.plain)) for views in asked)
    scores = np.array([normal.scoring.judge(of_part).score for of_part in distances])
    left_out = 0 if keep_all else int(clear.sum())
    return Taught(int((scores > threshold.value).sum()), threshold.supported_rate, left_out)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", nargs="*", metavar="SET")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "edge-agent-sets")
    parser.add_argument("--backbone", default=DEFAULT)
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--rate", type=float, default=0.01)
    parser.add_argument("--keep-all", action="store_true", help="leave no outlier out")
    arguments = parser.parse_args()
    network = load_backbone(arguments.backbone)
    words = PatchWords.of(network)
    columns = ["set", "taught / asked", "promised", "rejected", "95 % interval", "per split"]
    columns += ["left out", "test/good rejected"]
    print(
        f"Made by `python -m tests.benchmarks.coverage --data DIR --splits {arguments.splits}`: all"
        f" good images are split at random {arguments.splits} times, two thirds taught, the rest"
        f" asked, at a promised false reject rate of {arguments.rate:.0%}; the last column is"
        " taught on `train/good` and asked on `test/good`.\n"
    )
    print(f"| {' | '.join(columns)} |")
    print("|---" * len(columns) + "|")
    for folder in data_sets(arguments.data, arguments.sets):
        patches = patched_set(folder, network, arguments.cache, progress_bar)
        good = patches.train + patches.good
        count = round(TAUGHT_SHARE * len(good))
        runs = []
        for seed in progress_bar(range(arguments.splits), folder.name, arguments.splits):
            order = np.random.default_rng(1000 + seed).permutation(len(good)).tolist()
            taught = [good[i] for i in order[:count]]
            asked = [good[i] for i in order[count:]]
            keep_all = arguments.keep_all
            runs.append(
                teach_and_ask(
                    taught,
                    asked,
                    arguments.rate,
                    seed,
                    words=words,
                    keep_all=keep_all,
                )
            )
        other_day = teach_and_ask(
            patches.train,
            patches.good,
            arguments.rate,
            0,
            words=words,
            keep_all=arguments.keep_all,
        )
        rest = len(good) - count
        shares = np.array([run.rejected for run in runs]) / rest
        low, high = clopper_pearson(float(shares.mean()) * len(good), len(good))
        figures = [
            folder.name,
            f"{count} / {rest}",
            f"{max(run.promised for run in runs):.2%}",
            f"{shares.mean():.2%}",
            f"{low:.2%} .. {high:.2%}",
            f"{shares.min():.1%} .. {shares.max():.1%}",
            f"{np.mean([run.left_out for run in runs]):.1f}",
            f"{other_day.rejected / len(patches.good):.2%} of {len(patches.good)}",
        ]
        print(f"| {' | '.join(figures)} |", flush=True)


if __name__ == "__main__":
    main()
