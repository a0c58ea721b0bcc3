"""What normal means for one kind of part: the memory bank, and how distances to it are scored.

Whatever can be done in two ways is tried on good parts that the bank has not seen, and the one that
describes them better is kept, with a sentence that says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from calibration.memory_bank import MemoryBank, choose_bank
from calibration.progress import Progress
from calibration.scoring import Scoring, drift, place_of, smooth
from kernels.backends import Backend

_ENTRIES = 4000
_WINDOW = 2
_WINDOW_ENTRIES = 16_000
_WINDOW_MAY_COST = 1.07  # in bits of the median held-out score; it is also several times faster
_MAPS_FOR_PLACE = 150
_DRIFT_MUST_GAIN = 0.8  # spread of the held-out scores against what it was


@dataclass(frozen=True)
class NormalSettings:
    """What may be forced; None lets the good parts decide.

    Attributes:
        smoothing: sigma of the Gaussian over the anomaly map, in patches.
        bank_entries: size of the memory bank; None for 4,000, or 16,000 with a window.
        window: side of the cells that the part is divided into, in patches, each compared with its
            surroundings only: for parts that come in one pose. 0 compares everything.
        drift: whether maps are divided by how far the whole picture is off.
    """

    smoothing: float = 1.0
    bank_entries: int | None = None
    window: int | None = None
    drift: bool | None = None


@dataclass(frozen=True, eq=False)
class Normal:
    """A description of good parts.

    Attributes:
        bank: their patches.
        scoring: how distances to it become a map.
        scores: float64 (held out,), of the parts that the bank has not seen.
        reasons: why it was chosen, a sentence by choice.
    """

    bank: MemoryBank
    scoring: Scoring
    scores: np.ndarray
    reasons: dict[str, str]


def describe(
    taught: Sequence[np.ndarray],
    held_out: Sequence[np.ndarray],
    backend: Backend,
    settings: NormalSettings,
    seed: int,
    progress: Progress,
) -> Normal:
    """Describe good parts.

    Args:
        taught: patches of good parts, uint64 (rows, columns, words) each.
        held_out: likewise, of parts that the bank must not see.
        backend: that searches.
        settings: what is forced.
        seed: of the choice of the bank.
        progress: shows how far it is.
    """
    windows = [0, _WINDOW] if settings.window is None else [settings.window]
    tried = [
        _with_window(window, taught, held_out, backend, settings, seed, progress)
        for window in windows
    ]
    medians = [float(np.median(one.held_out.max(axis=(1, 2)))) for one in tried]
    best, reason = tried[0], "as asked for"
    if len(tried) == 2:
        everywhere, nearby = medians
        one_pose = nearby <= everywhere * _WINDOW_MAY_COST
        best = tried[1 if one_pose else 0]
        reason = (
            f"held-out good parts score {nearby:.1f} bits compared with their surroundings and"
            f" {everywhere:.1f} with everything (medians): "
            + ("they come in one pose" if one_pose else "a part's pattern turns up all over it")
        )
    scoring = Scoring(settings.smoothing, place_of(best.taught))
    return _with_drift(best, scoring, settings, reason)


@dataclass(frozen=True, eq=False)
class _Tried:
    """A bank, and the smoothed maps of good parts against it, float32 (n, rows, columns)."""

    bank: MemoryBank
    taught: np.ndarray
    held_out: np.ndarray


def _with_window(
    window: int,
    taught: Sequence[np.ndarray],
    held_out: Sequence[np.ndarray],
    backend: Backend,
    settings: NormalSettings,
    seed: int,
    progress: Progress,
) -> _Tried:
    rng = np.random.default_rng(seed)
    entries = settings.bank_entries or (_WINDOW_ENTRIES if window else _ENTRIES)
    bank = choose_bank(taught, entries, rng, window, progress)
    rows, columns, words = taught[0].shape
    index = backend.index(bank.patches, bank.neighbourhoods(rows, columns))
    maps = []
    grids = [*taught[:_MAPS_FOR_PLACE], *held_out]
    for grid in progress(grids, "comparing good parts", len(grids)):
        distances, _ = index.nearest(grid.reshape(-1, words))
        maps.append(smooth(distances.reshape(rows, columns), settings.smoothing))
    return _Tried(bank, np.stack(maps[: -len(held_out)]), np.stack(maps[-len(held_out) :]))


def _with_drift(
    tried: _Tried, scoring: Scoring, settings: NormalSettings, window_reason: str
) -> Normal:
    maps = tried.held_out / scoring.place
    usual = float(np.median(maps))
    plain = maps.max(axis=(1, 2)).astype(float)
    relative = np.array([(one / drift(one, usual)).max() for one in maps], float)
    gain = (relative.std() / relative.mean()) / max(plain.std() / plain.mean(), 1e-9)
    if settings.drift is None:
        wanted = bool(gain <= _DRIFT_MUST_GAIN)
        reason = (
            f"compared with the median of their own picture, held-out good parts spread"
            f" {gain:.2f} times as much: " + ("pictures drift" if wanted else "pictures are steady")
        )
    else:
        wanted, reason = settings.drift, "as asked for"
    reasons = {"window": window_reason, "drift": reason}
    if not wanted:
        return Normal(tried.bank, scoring, plain, reasons)
    return Normal(tried.bank, replace(scoring, usual_median=usual), relative, reasons)
