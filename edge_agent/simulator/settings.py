"""What can be chosen about the simulated line, and within which limits."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edge_agent.simulator.defects import DEFECTS

GAP_PX = 12
"""Parts lie at least this far apart, and from the guide rails."""


@dataclass(frozen=True)
class SimulatorSettings:
    """A simulated line. All of it follows from these values; nothing else decides.

    Attributes:
        seed: of the parts that come, their defects, and noise, 0 or more.
        machine_seed: of what stays from one day to the next, 0 or more: the belt, the tool whose
            marks all parts bear, the light. Teach with one seed and inspect with another, on the
            same machine.
        width_px: of a frame, 160 to 4096. Parts travel along it, from left to right.
        height_px: of a frame, 120 to 4096.
        frames_per_s: of the camera, 1 to 1000.
        belt_speed_px_per_s: of the belt. At most the frame's width less a part per frame, so that
            every part is once seen whole.
        exposure_ms: of the camera, 0 to the time between two frames; longer blurs more.
        part_diameter_px: of a part, 64 or more.
        part_spacing_px: mean distance from one part's centre to the next.
        part_spacing_spread_px: how far a part lies at most from where even spacing puts it.
        position_jitter_px: how far a part lies at most from the middle of the belt.
        rotation_deg: how far a part is turned at most, either way; 180 is any angle.
        size_variation: how far a part's diameter is off at most, as a share, 0 to 0.1.
        texture_variation: how much surfaces differ from part to part, 0 (hardly) to 1 (much).
        lighting_variation: how far the brightness drifts at most, as a share, 0 to 0.5.
        noise_grey_levels: standard deviation of the sensor's noise, 0 to 20.
        defect_share: share of defective parts, 0 to 1; kept within every 20 parts.
        defects: names of the defects that occur, of those in `DEFECTS`; they take turns.
        subtlety: range of how hard defects are to see, within 0 (blatant) to 1 (hardly visible).
        parts: the line ends after so many, 1 or more; None: never.
        paced: frames come at `frames_per_s`; otherwise as fast as they are read.

    Raises:
        ValueError: a value is beyond its limit; the message names both.
    """

    seed: int = 1
    machine_seed: int = 1
    width_px: int = 640
    height_px: int = 480
    frames_per_s: float = 30.0
    belt_speed_px_per_s: float = 480.0
    exposure_ms: float = 2.0
    part_diameter_px: float = 220.0
    part_spacing_px: float = 380.0
    part_spacing_spread_px: float = 20.0
    position_jitter_px: float = 3.0
    rotation_deg: float = 4.0
    size_variation: float = 0.004
    texture_variation: float = 0.3
    lighting_variation: float = 0.06
    noise_grey_levels: float = 1.5
    defect_share: float = 0.1
    defects: tuple[str, ...] = tuple(DEFECTS)
    subtlety: tuple[float, float] = (0.0, 0.5)
    parts: int | None = None
    paced: bool = True

    def __post_init__(self) -> None:
        for name, seed in (("seed", self.seed), ("machine_seed", self.machine_seed)):
            if seed < 0:
                raise ValueError(f"{name} is {seed}; it must be 0 or more.")
        if self.parts is not None and self.parts < 1:
            raise ValueError(f"parts is {self.parts}; it must be 1 or more, or left out.")
        for name, low, high in _RANGES:
            _within(name, getattr(self, name), low, high)
        _within("exposure_ms", self.exposure_ms, 0, 1000 / self.frames_per_s)
        self._check_defects()
        self._check_room()

    @property
    def rail_px(self) -> int:
        """Height of the guide rail at the upper and at the lower edge of the frame."""
        return round(0.055 * self.height_px)

    @property
    def largest_diameter_px(self) -> float:
        """The diameter that no part exceeds."""
        return self.part_diameter_px * (1 + self.size_variation)

    @property
    def travel_px(self) -> float:
        """How far a part moves while the shutter is open."""
        return self.belt_speed_px_per_s * self.exposure_ms / 1000

    @property
    def margin_px(self) -> int:
        """Border around a part into which its shadow and its blur reach."""
        return 16 + math.ceil(self.travel_px / 2)

    @property
    def belt_px_per_frame(self) -> float:
        """How far the belt moves from one frame to the next."""
        return self.belt_speed_px_per_s / self.frames_per_s

    def _check_defects(self) -> None:
        for name in self.defects:
            if name not in DEFECTS:
                raise ValueError(f"defects names {name!r}; there are {', '.join(DEFECTS)}.")
        if len(set(self.defects)) < len(self.defects):
            raise ValueError(f"defects is {', '.join(self.defects)}; name each only once.")
        if self.defect_share > 0 and not self.defects:
            raise ValueError(
                f"defects is empty while defect_share is {self.defect_share:g}; "
                "name at least one defect, or set the share to 0."
            )
        if len(self.subtlety) != 2 or not 0 <= self.subtlety[0] <= self.subtlety[1] <= 1:
            raise ValueError(
                f"subtlety is {self.subtlety}; it must be two numbers within 0 to 1, "
                "the smaller one first."
            )

    def _check_room(self) -> None:
        across = self.largest_diameter_px + 2 * (self.position_jitter_px + GAP_PX + self.rail_px)
        if across > self.height_px:
            raise ValueError(
                f"part_diameter_px is {self.part_diameter_px:g}; with position_jitter_px "
                f"{self.position_jitter_px:g} and the rails that needs {across:.0f} px, and "
                f"height_px is {self.height_px}."
            )
        along = self.largest_diameter_px + 2 * self.part_spacing_spread_px + GAP_PX
        if self.part_spacing_px < along:
            raise ValueError(
                f"part_spacing_px is {self.part_spacing_px:g}; it must be at least {along:.0f} for "
                f"part_diameter_px {self.part_diameter_px:g} and part_spacing_spread_px "
                f"{self.part_spacing_spread_px:g}, or parts could touch."
            )
        most = self.width_px - self.largest_diameter_px
        if self.belt_px_per_frame > most:
            raise ValueError(
                f"belt_speed_px_per_s is {self.belt_speed_px_per_s:g}; it must be at most "
                f"{max(0, most) * self.frames_per_s:.0f}, or a part could pass without being "
                "seen whole."
            )


_RANGES = (
    ("width_px", 160, 4096),
    ("height_px", 120, 4096),
    ("frames_per_s", 1, 1000),
    ("belt_speed_px_per_s", 1, 1e6),
    ("part_diameter_px", 64, 4096),
    ("part_spacing_px", 64, 1e5),
    ("part_spacing_spread_px", 0, 1e5),
    ("position_jitter_px", 0, 4096),
    ("rotation_deg", 0, 180),
    ("size_variation", 0, 0.1),
    ("texture_variation", 0, 1),
    ("lighting_variation", 0, 0.5),
    ("noise_grey_levels", 0, 20),
    ("defect_share", 0, 1),
)


def _within(name: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise ValueError(f"{name} is {value:g}; it must be within {low:g} to {high:g}.")
