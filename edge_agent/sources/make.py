"""From the configuration's [source] table to a source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edge_agent.clock import Clock
from edge_agent.config import tables
from edge_agent.errors import ConfigError
from edge_agent.simulator import SimulatedLine, SimulatorSettings
from edge_agent.sources.base import Source
from edge_agent.sources.capture import Camera, Stream, VideoFile
from edge_agent.sources.folder import FolderOnce, FolderWatch
from edge_agent.sources.reader import FrameReader


def make_source(
    table: tables.Source, clock: Clock, on_photo_eye: Callable[[int, int], None] | None = None
) -> Source:
    """Make a source, not yet open.

    Args:
        table: the [source] table.
        clock: time.
        on_photo_eye: told of parts by a simulated line, see `SimulatedLine`.

    Raises:
        ConfigError: if a file that the table names cannot be read.
    """
    match table:
        case tables.FolderSource(mode="once"):
            return FolderOnce(table.path, clock, recursive=table.recursive)
        case tables.FolderSource():
            return FolderWatch(table.path, table.poll_s, clock)
        case tables.VideoSource():
            return VideoFile(table.path, clock)
        case tables.CameraSource():
            return Camera(
                table.device,
                clock,
                width_px=table.width_px,
                height_px=table.height_px,
                frames_per_s=table.frames_per_s,
                pixel_format=table.pixel_format,
            )
        case tables.StreamSource():
            password = read_secret(table.password_file) if table.password_file else None
            return Stream(table.url, clock, user=table.user, password=password)
        case tables.SimulatorSource():
            return SimulatedLine(simulator_settings(table), clock, on_photo_eye)


def make_reader(
    table: tables.Source, clock: Clock, on_photo_eye: Callable[[int, int], None] | None = None
) -> FrameReader:
    """A reader for a source, not yet entered; its arguments are those of :func:`make_source`."""
    live = table if isinstance(table, tables.LiveTable) else tables.LiveTable()
    return FrameReader(
        lambda: make_source(table, clock, on_photo_eye),
        clock,
        live.read_timeout_s,
        live.reconnect_max_s,
    )


def simulator_settings(table: tables.SimulatorSource) -> SimulatorSettings:
    """The simulator's settings from its table. Raises ConfigError if they make no line."""
    try:
        return SimulatorSettings(
            seed=table.seed,
            machine_seed=table.machine_seed,
            frames_per_s=table.frames_per_s,
            belt_speed_px_per_s=table.belt_speed_px_per_s,
            defect_share=table.defect_share,
            subtlety=(table.subtlety_min, table.subtlety_max),
            parts=table.parts,
            paced=table.paced,
        )
    except ValueError as error:
        raise ConfigError(f"[source] {error}") from error


def read_secret(path: Path) -> str:
    """The first line of a file. Raises ConfigError if it cannot be read or is empty."""
    try:
        secret = path.read_text("utf-8").splitlines()[:1]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the secret in {path}: {error}") from error
    if not secret or not secret[0]:
        raise ConfigError(f"{path} is empty: it should hold a password in its first line")
    return secret[0]
