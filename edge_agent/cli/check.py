"""Try everything that a configuration names: model, source, reject gate, broker.

Exit status 2 if anything of it cannot work, with a sentence for each.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.cli.console import add_json, is_expected, print_json, sentence_of

if TYPE_CHECKING:
    from edge_agent.config import Config

_FRAMES = 12
_PATIENCE_S = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``edge-agent check``."""
    parser.add_argument("--config", type=Path, required=True, metavar="FILE.toml")
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from edge_agent.config import load_config
    from edge_agent.config.tables import NoReject

    config = load_config(arguments.config)
    steps: list[tuple[str, Callable[[Config], str]]] = [("model", _model), ("source", _source)]
    if not isinstance(config.reject, NoReject):
        steps.append(("gate", _gate))
    if config.mqtt is not None:
        steps.append(("mqtt", _mqtt))
    results = []
    for name, step in steps:
        try:
            sentence, works = step(config), True
        except Exception as error:
            if not is_expected(error):
                raise
            sentence, works = sentence_of(error), False
        results.append({"what": name, "works": works, "sentence": sentence})
        if not arguments.json:
            print(f"{'ok' if works else 'NO':<3} {name:<8} {sentence}")
    if arguments.json:
        print_json({"config": str(arguments.config), "checks": results})
    return 0 if all(result["works"] for result in results) else 2


def _model(config: Config) -> str:
    from calibration.detector import Detector

    detector = Detector.load(config.inspection.model, config.inspection.backend)
    preparation = detector.model.preparation
    return (
        f"{config.inspection.model} for images of {preparation.image_width} x"
        f" {preparation.image_height}; {detector.backend.reason}"
    )


def _source(config: Config) -> str:
    from edge_agent.clock import SystemClock
    from edge_agent.config.tables import LiveTable
    from edge_agent.sources.make import make_source
    from edge_agent.sources.probe import probe

    timeout_s = _PATIENCE_S
    if isinstance(config.source, LiveTable):
        timeout_s = max(timeout_s, config.source.read_timeout_s)
    clock = SystemClock()
    return probe(lambda: make_source(config.source, clock), clock, _FRAMES, timeout_s)


def _gate(config: Config) -> str:
    from edge_agent.config.tables import NoReject
    from edge_agent.gate.describe import describe
    from edge_agent.gate.make import make_rejector

    assert not isinstance(config.reject, NoReject)
    with make_rejector(config.reject, lambda _: None) as rejector:
        return describe(rejector)


def _mqtt(config: Config) -> str:
    from edge_agent.reporting.mqtt import check_broker

    assert config.mqtt is not None
    check_broker(config.mqtt, f"edge-agent-{config.station.name}-check")
    return f"the broker {config.mqtt.host} accepts the connection; topics {config.mqtt.prefix}/..."
