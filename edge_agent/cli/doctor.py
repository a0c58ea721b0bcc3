"""Tell what this machine has: processor, backends, extras, backbones."""

from __future__ import annotations

import argparse
import platform
from importlib.util import find_spec

from edge_agent.cli.console import add_json, print_json

_EXTRAS = {
    "tflite": ("ai_edge_litert", "tflite_runtime"),
    "gpio": ("gpiod",),
    "page": ("jinja2",),
    "demo": ("amqtt",),
    "train": ("torch",),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``edge-agent doctor``."""
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Run the command."""
    import os

    from calibration.backbones import backbone_names
    from edge_agent.version import VERSION
    from kernels.backends import BACKEND_NAMES, choose
    from kernels.errors import BackendUnavailable

    backends = {}
    for name in BACKEND_NAMES:
        try:
            choose(name)
            backends[name] = "works"
        except BackendUnavailable as error:
            backends[name] = str(error)
    facts = {
        "version": VERSION,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "auto_backend": choose("auto").reason,
        "kernels": _kernels(),
        "backends": backends,
        "extras": {
            extra: any(find_spec(module) for module in modules)
            for extra, modules in _EXTRAS.items()
        },
        "backbones": backbone_names(),
    }
    if arguments.json:
        print_json(facts)
        return 0
    for key, value in facts.items():
        if isinstance(value, dict):
            print(key)
            for name, state in value.items():
                text = {True: "installed", False: f"absent: pip install 'edge-agent[{name}]'"}
                print(
                    f"  {name:<12} {text.get(state, state) if isinstance(state, bool) else state}"
                )
        else:
            print(f"{key:<14} {value}")
    return 0


def _kernels() -> str:
    try:
        from kernels.processor import available_ways, choose_way
        from kernels.vectors import PRODUCTS_BY
    except (ImportError, OSError) as error:
        return f"none: numba cannot run here ({error})"
    ways = ", ".join(available_ways())
    return f"{choose_way()} (this processor runs {ways}); first layer by {PRODUCTS_BY}"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 - not a path of ours
            for line in file:
                if line.startswith(("model name", "Model")):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"
