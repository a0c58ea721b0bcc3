"""Whether [source], [trigger] and [reject] fit each other, and whether the gate can work at all."""

from __future__ import annotations

from typing import Any

from edge_agent.config.gate_tables import VIRTUAL_PORT, GpioReject, McuReject
from edge_agent.config.tables import (
    CameraSource,
    Config,
    GpioTrigger,
    McuTrigger,
    PhotoEyeTable,
    SimulatorSource,
    StreamSource,
)
from firmware_bridge import (
    ConfigurationError,
    Edge,
    EncoderKind,
    LatePolicy,
    RejectConfiguration,
    SafeAction,
)

_TRIGGER_OF: dict[type, type] = {McuReject: McuTrigger, GpioReject: GpioTrigger}
_OUR_OWN = {"port", "chip", "clear_at_start"}
_WORDS: dict[str, type] = {
    "late_policy": LatePolicy,
    "safe_action": SafeAction,
    "encoder": EncoderKind,
    "trigger_edge": Edge,
    "confirmation_edge": Edge,
}


def reject_configuration(table: McuReject | GpioReject) -> RejectConfiguration:
    """The gate's configuration from its table, not yet checked."""
    values: dict[str, Any] = {}
    for name in table.__struct_fields__:
        if name not in _OUR_OWN and not name.endswith("_line"):
            value = getattr(table, name)
            values[name] = _WORDS[name](value) if name in _WORDS else value
    return RejectConfiguration(**values)


def gate_problem(config: Config) -> str | None:
    """A sentence about what cannot work; None if all is well."""
    reject, trigger = config.reject, config.trigger
    if not isinstance(reject, McuReject | GpioReject):
        if isinstance(trigger, PhotoEyeTable):
            name = _tag(trigger)
            return (
                f'[trigger] type = "{name}" needs [reject] type = "{name}", which says where the'
                " photo-eye is connected"
            )
        return None
    if not isinstance(trigger, _TRIGGER_OF[type(reject)]):
        name = _tag(reject)
        return (
            f'[reject] type = "{name}" needs [trigger] type = "{name}", not "{_tag(trigger)}": the'
            " photo-eye, not the picture, says which part is at the gate"
        )
    assert isinstance(trigger, PhotoEyeTable)
    try:
        reject_configuration(reject).check()
    except ConfigurationError as error:
        return f"[reject] {error}"
    return _source_problem(config, reject) or _picture_problem(trigger, reject) or _clear(config)


def _source_problem(config: Config, reject: McuReject | GpioReject) -> str | None:
    source = config.source
    simulated = isinstance(source, SimulatorSource)
    if isinstance(source, SimulatorSource) and not source.paced:
        return "[source] paced = false: a reject gate works in real time, and so must its line"
    if not isinstance(source, CameraSource | StreamSource | SimulatorSource):
        return (
            f'[source] type = "{_tag(source)}" cannot feed a reject gate: use a camera, a stream or'
            " the simulator, whose pictures belong to moments"
        )
    if isinstance(reject, McuReject) and reject.port == VIRTUAL_PORT and not simulated:
        return (
            f'[reject] port = "{VIRTUAL_PORT}" needs [source] type = "simulator": no parts pass a'
            " simulated photo-eye otherwise"
        )
    return None


def _picture_problem(trigger: PhotoEyeTable, reject: McuReject | GpioReject) -> str | None:
    if (trigger.crop_width_px is None) != (trigger.crop_height_px is None):
        return "[trigger] crop_width_px and crop_height_px belong together"
    latest_ms = trigger.frame_delay_ms + trigger.frame_window_ms
    if latest_ms >= reject.worst_case_verdict_ms:
        return (
            f"[trigger] frame_delay_ms = {trigger.frame_delay_ms:g} and frame_window_ms ="
            f" {trigger.frame_window_ms:g} let a picture come {latest_ms:g} ms after its part, and"
            f" [reject] worst_case_verdict_ms = {reject.worst_case_verdict_ms:g} is no more: make"
            " the window smaller or the worst case greater"
        )
    spacing_ms = reject.part_spacing_ms
    if spacing_ms is not None and trigger.frame_window_ms > spacing_ms:
        return (
            f"[trigger] frame_window_ms = {trigger.frame_window_ms:g} is longer than [reject]"
            f" part_spacing_ms = {spacing_ms:g}: the picture could be the next part's"
        )
    return None


def _clear(config: Config) -> str | None:
    assert isinstance(config.reject, McuReject | GpioReject)
    if config.reject.clear_at_start or config.mqtt is not None:
        return None
    return (
        "[reject] clear_at_start = false and no [mqtt] for the command clear: nobody could end the"
        " safe state, in which the gate begins"
    )


def _tag(table: Any) -> str:
    return str(table.__struct_config__.tag)
