"""A network as named arrays, and the ``.bnn`` file that holds one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from kernels import container
from kernels.network import BinaryBlock, Embedding, Layer, Network, Stem, arrays_of

_LAYER_TYPES: dict[str, type[Layer]] = {
    "stem": Stem,
    "binary_block": BinaryBlock,
    "embedding": Embedding,
}


def describe(network: Network) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Take a network apart into a JSON-able description and its arrays."""
    layers, arrays = [], {}
    names = {layer_type: name for name, layer_type in _LAYER_TYPES.items()}
    for position, layer in enumerate(network.layers):
        entry: dict[str, Any] = {"type": names[type(layer)]}
        for field in fields(layer):
            value = getattr(layer, field.name)
            if not isinstance(value, np.ndarray):
                entry[field.name] = value
        layers.append(entry)
        for name, array in arrays_of(layer):
            arrays[f"layer{position}/{name}"] = array
    return {"name": network.name, "layers": layers}, arrays


def assemble(description: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Network:
    """Undo :func:`describe`. Raises ShapeError if the layers do not fit together."""
    layers = []
    for position, entry in enumerate(description["layers"]):
        values = {key: value for key, value in entry.items() if key != "type"}
        prefix = f"layer{position}/"
        values |= {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}
        layers.append(_LAYER_TYPES[entry["type"]](**values))
    return Network(name=description["name"], layers=tuple(layers))


def save(path: Path, network: Network, origin: Mapping[str, Any] | None = None) -> None:
    """Write a ``.bnn`` file.

    Args:
        path: where to.
        network: what to write.
        origin: how it was made, for people and for ``doctor``; JSON-able.
    """
    description, arrays = describe(network)
    manifest = {"network": description, "origin": dict(origin or {})}
    container.write(path, container.BACKBONE, manifest, arrays)


def save_derived(
    path: Path,
    source: Path,
    change: Callable[[Network], Network],
    recipe: Mapping[str, Any],
    source_is: str,
) -> None:
    """Write a network that is made of another one, named by its file.

    Args:
        path: of the new file.
        source: the ``.bnn`` file of the other one.
        change: makes the one of the other.
        recipe: what is said of that in the new file.
        source_is: under which key that file says how the other one was made.

    Raises:
        ContainerError: if the source is not a good one.
    """
    network, made = load_with_origin(source)
    save(path, replace(change(network), name=path.stem), {**recipe, source_is: made})


def load(path: Path) -> Network:
    """Read a ``.bnn`` file; raises ContainerError with a sentence if it is not a good one."""
    return load_with_origin(path)[0]


def load_with_origin(path: Path) -> tuple[Network, dict[str, Any]]:
    """The network of a ``.bnn`` file, and how it was made, with its sha256; fails as ``load``."""
    contents = container.read(path, container.BACKBONE)
    network = assemble(contents.manifest["network"], contents.arrays)
    return network, {"sha256": contents.sha256, **contents.manifest["origin"]}
