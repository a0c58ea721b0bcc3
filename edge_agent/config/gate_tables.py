"""The [reject] table: the gate that kicks bad parts off, and what it is moved by.

Whether the values fit each other is checked by `firmware_bridge.RejectConfiguration`, which is made
from them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from edge_agent.config.base import Milliseconds, Table

VIRTUAL_PORT = "virtual"

Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Line = Annotated[int, Meta(ge=0, le=1023)]
EdgeName = Literal["rising", "falling"]


class NoReject(Table, tag_field="type", tag="none", frozen=True, kw_only=True):
    """Nothing is kicked off; verdicts are only told."""


class RejectTable(Table, frozen=True, kw_only=True):
    """What all gates have in common."""

    delay_ms: Annotated[
        Milliseconds | None,
        Meta(description="Photo-eye to gate by time, ms; needs a belt of constant speed."),
    ] = None
    pulse_ms: Annotated[Milliseconds, Meta(description="How long the gate acts on a part, ms.")] = (
        20.0
    )
    lead_ms: Annotated[
        Milliseconds,
        Meta(description="The gate acts this much earlier, since its actuator is slow, ms."),
    ] = 0.0
    minimum_gap_ms: Annotated[
        Milliseconds,
        Meta(description="Shortest rest between two pulses, ms; what is closer is merged."),
    ] = 5.0
    maximum_on_ms: Annotated[
        Milliseconds,
        Meta(description="Longest time the gate may be on, ms, whatever anybody says."),
    ] = 500.0
    dead_time_ms: Annotated[
        Milliseconds,
        Meta(description="Further edges of the photo-eye within this are bounces, ms."),
    ] = 2.0
    late_policy: Annotated[
        Literal["reject", "pass", "stop"],
        Meta(
            description=(
                "What happens to a part without a verdict in time; `stop`: it passes, and the line"
                " stops."
            )
        ),
    ] = "reject"
    safe_action: Annotated[
        Literal["pass-all", "reject-all", "stop-line"],
        Meta(description="What the outputs do in the safe state."),
    ] = "stop-line"
    clear_at_start: Annotated[
        bool,
        Meta(
            description=(
                "Leave the safe state when the agent starts, unless something has gone wrong"
                " before. Otherwise, and after that, the MQTT command `clear` is needed."
            )
        ),
    ] = False
    reject_limit: Annotated[
        Count, Meta(description="So many rejects in a row stop the line; 0: no limit.")
    ] = 0
    confirmation_ms: Annotated[
        Count,
        Meta(description="An ejected part must be seen by the sensor within this, ms; 0: none."),
    ] = 0
    strobe_delay_ms: Annotated[
        Milliseconds, Meta(description="Photo-eye to the strobe of camera or light, ms.")
    ] = 0.05
    strobe_ms: Annotated[Milliseconds, Meta(description="Length of the strobe, ms; 0: none.")] = 0.0
    trigger_edge: Annotated[
        EdgeName, Meta(description="Which edge of the photo-eye is a part.")
    ] = "rising"
    confirmation_edge: Annotated[
        EdgeName, Meta(description="Which edge of the confirmation sensor is a part.")
    ] = "rising"
    gate_active_low: Annotated[bool, Meta(description="The gate acts while its output is low.")] = (
        False
    )
    strobe_active_low: Annotated[
        bool, Meta(description="The strobe acts while its output is low.")
    ] = False
    worst_case_verdict_ms: Annotated[
        Milliseconds,
        Meta(
            description=(
                "Longest time from photo-eye to verdict, the camera's included, ms; refused where"
                " the gate is too near for it."
            )
        ),
    ] = 100.0
    part_spacing_ms: Annotated[
        Milliseconds | None,
        Meta(description="Shortest time between two parts, ms; the pulse must be shorter."),
    ] = None


class McuReject(RejectTable, tag_field="type", tag="mcu", frozen=True, kw_only=True):
    """A gate on a microcontroller with our firmware: exact to microseconds."""

    port: Annotated[
        str,
        Meta(
            description=(
                "Serial port; use the name under /dev/serial/by-id, which survives replugging."
                " `virtual`: a simulated microcontroller beside the simulated line."
            )
        ),
    ]
    distance_counts: Annotated[
        Count | None,
        Meta(description="Photo-eye to gate in encoder counts, instead of `delay_ms`."),
    ] = None
    encoder: Annotated[
        Literal["none", "single", "quadrature"],
        Meta(description="How the belt is measured: not, by one channel, or by two."),
    ] = "none"
    encoder_reversed: Annotated[
        bool, Meta(description="The encoder counts backwards while the belt runs forwards.")
    ] = False
    maximum_counts_per_s: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Meta(description="Fastest belt, counts per second; needed with `distance_counts`."),
    ] = None
    reverse_limit_counts: Annotated[
        Count, Meta(description="So many counts backwards lead to the safe state.")
    ] = 20
    encoder_loss_triggers: Annotated[
        Count, Meta(description="So many parts without a count lead to the safe state.")
    ] = 3
    heartbeat_ms: Annotated[
        Count, Meta(description="Silence of the agent that leads to the safe state, ms.")
    ] = 500


class GpioReject(RejectTable, tag_field="type", tag="gpio", frozen=True, kw_only=True):
    """A gate on GPIO lines of this machine: measured, not promised; by time only."""

    chip: Annotated[Path, Meta(description="GPIO chip, e.g. `/dev/gpiochip0`.")]
    trigger_line: Annotated[Line, Meta(description="Line of the photo-eye, as on the chip.")]
    gate_line: Annotated[Line, Meta(description="Line of the ejector.")]
    confirmation_line: Annotated[
        Line | None, Meta(description="Line of the sensor that sees ejected parts.")
    ] = None
    strobe_line: Annotated[
        Line | None, Meta(description="Line that fires the camera or the light.")
    ] = None
    run_line: Annotated[
        Line | None, Meta(description="Line that is high while the belt may run.")
    ] = None
    fault_line: Annotated[Line | None, Meta(description="Line that is high in the safe state.")] = (
        None
    )


Reject = NoReject | McuReject | GpioReject
