"""The tables of the configuration file. The reference page is generated from here.

``type = "..."`` in a table picks the implementation, and with it the keys that the table knows.
Secrets are never written here: keys that end in ``_file`` name the file that holds one.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edge_agent.config.base import Milliseconds, Name, Pixels, Port, Seconds, Share, Table
from edge_agent.config.gate_tables import GpioReject, McuReject, NoReject, Reject, RejectTable

__all__ = [
    "Archive",
    "CameraSource",
    "Config",
    "FindingTable",
    "FolderSource",
    "FreeRunTrigger",
    "GpioReject",
    "GpioTrigger",
    "Inspection",
    "LiveTable",
    "McuReject",
    "McuTrigger",
    "Mqtt",
    "NoReject",
    "PartTrigger",
    "PhotoEyeTable",
    "Reject",
    "RejectTable",
    "SimulatorSource",
    "Source",
    "Station",
    "StreamSource",
    "Table",
    "Trigger",
    "VideoSource",
]


class Station(Table, frozen=True, kw_only=True):
    """Who reports: this installation."""

    name: Annotated[Name, Meta(description="Name of this station in every message.")] = (
        msgspec.field(default_factory=lambda: socket.gethostname().split(".")[0] or "station")
    )


class FolderSource(Table, tag_field="type", tag="folder", frozen=True, kw_only=True):
    """Images from files, each inspected once, in order of their names."""

    path: Annotated[Path, Meta(description="Folder with the images.")]
    mode: Annotated[
        Literal["once", "watch"],
        Meta(
            description=(
                "`once`: inspect what is there, then end. `watch`: leave alone what is there and"
                " inspect each file that arrives."
            )
        ),
    ] = "once"
    recursive: Annotated[
        bool, Meta(description="`once`: also the images in the folders below it.")
    ] = False
    poll_s: Annotated[Seconds, Meta(description="Watching: seconds between two looks.")] = 0.2


class VideoSource(Table, tag_field="type", tag="video", frozen=True, kw_only=True):
    """Every frame of a video file, as fast as they are inspected."""

    path: Annotated[Path, Meta(description="Video file.")]


class LiveTable(Table, frozen=True, kw_only=True):
    """What all live sources have in common."""

    read_timeout_s: Annotated[
        Seconds, Meta(description="Seconds without a frame after which the source is opened anew.")
    ] = 5.0
    reconnect_max_s: Annotated[
        Seconds,
        Meta(description="Longest pause between two tries to open the source; starts at 0.5 s."),
    ] = 30.0


class CameraSource(LiveTable, tag_field="type", tag="camera", frozen=True, kw_only=True):
    """A USB or CSI camera through V4L2."""

    device: Annotated[
        str,
        Meta(
            description=(
                "Device file. Use the name under /dev/v4l/by-id, which survives replugging, not"
                " /dev/video0."
            )
        ),
    ]
    width_px: Annotated[Pixels | None, Meta(description="Width to ask of the camera, px.")] = None
    height_px: Annotated[Pixels | None, Meta(description="Height to ask of the camera, px.")] = None
    frames_per_s: Annotated[
        Annotated[float, Meta(gt=0, le=1000)] | None,
        Meta(description="Frame rate to ask of the camera, 1/s."),
    ] = None
    pixel_format: Annotated[
        Annotated[str, Meta(pattern="^[A-Z0-9]{4}$")] | None,
        Meta(description="Four letters, e.g. `MJPG` or `YUYV`; the camera's default if absent."),
    ] = None


class StreamSource(LiveTable, tag_field="type", tag="stream", frozen=True, kw_only=True):
    """A network camera: RTSP, or MJPEG over HTTP."""

    url: Annotated[
        Annotated[str, Meta(pattern="^(rtsp|rtsps|http|https)://")],
        Meta(description="Address of the stream, without a password."),
    ]
    user: Annotated[str | None, Meta(description="User name, if the camera wants one.")] = None
    password_file: Annotated[
        Path | None, Meta(description="File that holds the password, one line.")
    ] = None


class SimulatorSource(LiveTable, tag_field="type", tag="simulator", frozen=True, kw_only=True):
    """A rendered line with parts and defects, for trying things out."""

    seed: Annotated[Annotated[int, Meta(ge=0)], Meta(description="Same seed, same parts.")] = 1
    machine_seed: Annotated[
        Annotated[int, Meta(ge=0)],
        Meta(description="Same machine seed, same belt, tool marks and light."),
    ] = 1
    frames_per_s: Annotated[
        Annotated[float, Meta(gt=0, le=1000)], Meta(description="Frame rate, 1/s.")
    ] = 30.0
    defect_share: Annotated[Share, Meta(description="Share of parts with a defect, 0 .. 1.")] = 0.1
    belt_speed_px_per_s: Annotated[
        Annotated[float, Meta(gt=0)], Meta(description="Speed of the belt, px/s.")
    ] = 480.0
    subtlety_min: Annotated[
        Share, Meta(description="Defects are at least this hard to see: 0 blatant, 1 invisible.")
    ] = 0.0
    subtlety_max: Annotated[Share, Meta(description="And at most this hard to see.")] = 0.5
    paced: Annotated[
        bool, Meta(description="Frames come at their rate; otherwise as fast as they are read.")
    ] = True
    parts: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description="Number of parts after which the line ends; endless if absent."),
    ] = None


Source = FolderSource | VideoSource | CameraSource | StreamSource | SimulatorSource


class FreeRunTrigger(Table, tag_field="type", tag="free-run", frozen=True, kw_only=True):
    """Every frame is one part: folders, or a camera that is triggered itself."""


class FindingTable(Table, frozen=True, kw_only=True):
    """How a part is told from the belt."""

    sensitivity: Annotated[
        Annotated[int, Meta(ge=1, le=255)],
        Meta(description="Grey levels by which a part differs from the empty belt."),
    ] = 25
    empty_belt: Annotated[
        Path | None,
        Meta(
            description=(
                "Picture of the empty belt from this camera. Without it the belt is learnt from"
                " the first seconds, which fails where parts hide most of it."
            )
        ),
    ] = None
    min_area_px: Annotated[
        Pixels | None,
        Meta(description="Smaller things are no part, px; a quarter of the cut-out if absent."),
    ] = None


class PartTrigger(FindingTable, tag_field="type", tag="part", frozen=True, kw_only=True):
    """A part in the picture gives one inspection, when it is in the middle."""

    crop_width_px: Annotated[Pixels, Meta(description="Width of the cut-out around the part, px.")]
    crop_height_px: Annotated[
        Pixels, Meta(description="Height of the cut-out around the part, px.")
    ]
    direction: Annotated[
        Literal["right", "left", "down", "up"],
        Meta(description="Where parts move to in the picture."),
    ] = "right"


class PhotoEyeTable(FindingTable, frozen=True, kw_only=True):
    """Every part at the photo-eye of the reject gate is inspected, in the picture of its moment."""

    frame_delay_ms: Annotated[
        Annotated[float, Meta(ge=-1000, le=1000)],
        Meta(
            description=(
                "The part's picture is the first that arrives so long after its edge, ms. For a"
                " free-running camera, the time from exposure to arrival."
            )
        ),
    ] = 0.0
    frame_window_ms: Annotated[
        Milliseconds,
        Meta(
            description=(
                "A picture that arrives later than this after `frame_delay_ms` may show the next"
                " part: without an earlier one the part is skipped, ms."
            )
        ),
    ] = 50.0
    crop_width_px: Annotated[
        Pixels | None,
        Meta(
            description=(
                "Width of the cut-out around the part, which is looked for near the middle of the"
                " picture, px; the whole picture if absent."
            )
        ),
    ] = None
    crop_height_px: Annotated[
        Pixels | None, Meta(description="Height of the cut-out, px; belongs to its width.")
    ] = None


class McuTrigger(PhotoEyeTable, tag_field="type", tag="mcu", frozen=True, kw_only=True):
    """Parts come from the photo-eye at the microcontroller of [reject]."""


class GpioTrigger(PhotoEyeTable, tag_field="type", tag="gpio", frozen=True, kw_only=True):
    """Parts come from the photo-eye at the GPIO lines of [reject]."""


Trigger = FreeRunTrigger | PartTrigger | McuTrigger | GpioTrigger


class Inspection(Table, frozen=True, kw_only=True):
    """How parts are judged."""

    model: Annotated[Path, Meta(description="Model file from `edge-agent calibrate`.")]
    backend: Annotated[
        Literal["auto", "numba", "tflite", "onnx", "reference"],
        Meta(description="What runs the network; all give the same verdicts."),
    ] = "auto"
    threads: Annotated[
        Annotated[int, Meta(ge=1, le=64)],
        Meta(description="Parts judged at the same time, each by a thread of its own."),
    ] = 1


class Mqtt(Table, frozen=True, kw_only=True):
    """The broker; without this table nothing is published."""

    host: Annotated[str, Meta(description="Name or address of the broker.")]
    port: Annotated[Port | None, Meta(description="TCP port; 1883 if absent, 8883 with TLS.")] = (
        None
    )
    prefix: Annotated[
        Annotated[str, Meta(pattern=r"^[^/#+\s][^#+\s]*[^/#+\s]$|^[^/#+\s]$")],
        Meta(description="Topics begin with this, e.g. `plant/line2/cam1`."),
    ]
    client_id: Annotated[
        str | None, Meta(description="Client identifier; `edge-agent-STATION` if absent.")
    ] = None
    user: Annotated[str | None, Meta(description="User name, if the broker wants one.")] = None
    password_file: Annotated[
        Path | None, Meta(description="File that holds the password, one line.")
    ] = None
    tls: Annotated[bool, Meta(description="Encrypt the connection and check the broker.")] = False
    ca_file: Annotated[
        Path | None,
        Meta(description="Certificate of the plant's authority; the system's ones if absent."),
    ] = None
    certificate_file: Annotated[
        Path | None, Meta(description="Our own certificate, if the broker wants one.")
    ] = None
    key_file: Annotated[Path | None, Meta(description="Key of our own certificate.")] = None
    keepalive_s: Annotated[
        Annotated[int, Meta(ge=5, le=3600)],
        Meta(description="Seconds after which broker and agent notice each other's silence."),
    ] = 30
    status_every_s: Annotated[
        Seconds, Meta(description="Seconds between two status messages while nothing changes.")
    ] = 60.0
    queue_limit: Annotated[
        Annotated[int, Meta(ge=10, le=1_000_000)],
        Meta(description="Messages kept while the broker is away; more are counted as lost."),
    ] = 10_000


class Archive(Table, frozen=True, kw_only=True):
    """What is kept on this machine."""

    results: Annotated[
        str | None,
        Meta(description="JSON lines, one per part: a file, or `-` for standard output."),
    ] = None


class Config(Table, frozen=True, kw_only=True):
    """The whole file."""

    source: Source
    inspection: Inspection
    station: Station = msgspec.field(default_factory=Station)
    trigger: Trigger = msgspec.field(default_factory=FreeRunTrigger)
    reject: Reject = msgspec.field(default_factory=NoReject)
    mqtt: Mqtt | None = None
    archive: Archive = msgspec.field(default_factory=Archive)
