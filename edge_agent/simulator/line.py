"""The line as a plan: which parts come when, where they are, and which are defective.

Everything here is arithmetic on the settings: any part and any frame can be asked for in any order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from edge_agent.simulator.randomness import Topic, generator
from edge_agent.simulator.settings import SimulatorSettings

BLOCK = 20
"""The share of defective parts is kept within each block of so many parts, so that a short run
already shows what the settings say."""


@dataclass(frozen=True)
class PlannedPart:
    """One part of the line.

    Attributes:
        number: counted from 0 in order of arrival.
        behind_px: how far its centre is left of the frame's left edge when frame 0 is taken.
        across_px: its centre's distance from the frame's upper edge.
        defect: name of its defect; None for a good part.
        subtlety: of the defect; 0 for a good part.
    """

    number: int
    behind_px: int
    across_px: int
    defect: str | None
    subtlety: float


class Line:
    """The parts of a line, and where they are in each frame. Threads may share it."""

    def __init__(self, settings: SimulatorSettings) -> None:
        self._settings = settings
        self._reach_px = math.ceil(settings.largest_diameter_px / 2) + settings.margin_px
        self._remembered = lru_cache(maxsize=256)(self._plan)

    @property
    def frames(self) -> int | None:
        """Number of frames until the last part has left the picture; None if parts never end."""
        if self._settings.parts is None:
            return None
        last = self.part(self._settings.parts - 1)
        way_px = last.behind_px + self._settings.width_px + self._reach_px
        return math.ceil(way_px / self._settings.belt_px_per_frame)

    def part(self, number: int) -> PlannedPart:
        """The part of that number, 0 or more, whether or not the line ends before it."""
        return self._remembered(number)

    def belt_px(self, frame: int) -> int:
        """How far the belt has moved since frame 0."""
        return round(frame * self._settings.belt_px_per_frame)

    def visible(self, frame: int) -> list[tuple[PlannedPart, int]]:
        """The parts of which something, be it the shadow, may show, with their centre's x."""
        settings = self._settings
        way_px = self.belt_px(frame)
        spacing, spread = settings.part_spacing_px, settings.part_spacing_spread_px + 1
        last = math.floor((way_px + spread) / spacing)
        first = math.floor((way_px - settings.width_px - 2 * (self._reach_px + spread)) / spacing)
        if settings.parts is not None:
            last = min(last, settings.parts - 1)
        found = []
        for number in range(max(0, first), last + 1):
            part = self.part(number)
            x = way_px - part.behind_px
            if -self._reach_px < x < settings.width_px + self._reach_px:
                found.append((part, x))
        return found

    def _plan(self, number: int) -> PlannedPart:
        settings = self._settings
        rng = generator(settings.seed, Topic.PLACE, number)
        along = number * settings.part_spacing_px
        along += settings.part_spacing_spread_px * rng.uniform(-1, 1)
        across = settings.height_px / 2 + settings.position_jitter_px * rng.uniform(-1, 1)
        defect, subtlety = self._fate(number)
        behind = self._reach_px + round(settings.part_spacing_spread_px + along)
        return PlannedPart(number, behind, round(across), defect, subtlety)

    def _fate(self, number: int) -> tuple[str | None, float]:
        settings = self._settings
        block, place = divmod(number, BLOCK)
        before = round(block * BLOCK * settings.defect_share)
        count = round((block + 1) * BLOCK * settings.defect_share) - before
        order = generator(settings.seed, Topic.FATE, block).permutation(BLOCK)
        chosen = sorted(order[:count].tolist())
        if place not in chosen:
            return None, 0.0
        # Defects take turns, in ever new order, so that each is seen before one comes again.
        turn, rank = divmod(before + chosen.index(place), len(settings.defects))
        kinds = generator(settings.seed, Topic.TURN, turn).permutation(len(settings.defects))
        rng = generator(settings.seed, Topic.SUBTLETY, number)
        return settings.defects[int(kinds[rank])], float(rng.uniform(*settings.subtlety))
