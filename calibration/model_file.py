"""The ``.model`` file: everything that one kind of part needs, in one verified file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from calibration.memory_bank import MemoryBank
from calibration.preparation import Preparation, Roi
from calibration.scoring import Scoring
from calibration.threshold import Threshold
from kernels import container, network_file
from kernels.errors import DamagedFile, KernelError
from kernels.neighbourhoods import Cells
from kernels.network import Network


@dataclass(frozen=True, eq=False)
class Model:
    """A calibrated model.

    Attributes:
        network: the backbone, with the embeddings that make up a patch.
        preparation: how images are cropped and resized.
        bank: patches of good parts.
        scoring: how distances become the anomaly map.
        threshold: verdicts.
        good_scores: float64 (n,), scores of good parts from banks that had not seen them.
        highest_median: of the maps of these parts, in bits; see :mod:`calibration.watch`.
        colourless_below: chroma of a picture that has lost its colour; see
            :mod:`calibration.colour`.
        origin: what it was made from and with, for people: JSON-able.
        sha256: of the file it was read from; empty before it is written.
    """

    network: Network
    preparation: Preparation
    bank: MemoryBank
    scoring: Scoring
    threshold: Threshold
    good_scores: np.ndarray
    highest_median: float
    colourless_below: float
    origin: dict[str, Any] = field(default_factory=dict)
    sha256: str = ""

    @property
    def bits(self) -> int:
        """Bits of a patch."""
        return self.bank.bits

    @property
    def stride(self) -> int:
        """Pixels of the network's input per patch."""
        return self.network.spacings[0]

    @property
    def words(self) -> str:
        """What a patch is, for people."""
        *finer, coarsest = map(str, self.network.strides)
        strides = f"strides {', '.join(finer)} and {coarsest}" if finer else f"stride {coarsest}"
        return f"patches of {self.bits} bits every {self.stride} px, of {strides}"


def save(path: Path, model: Model) -> str:
    """Write a model file; returns its sha256."""
    description, arrays = network_file.describe(model.network)
    manifest = {
        "network": description,
        "preparation": asdict(model.preparation),
        "window": model.bank.window,
        "rings": bool(model.bank.cells and model.bank.cells.rings),
        "smoothing": model.scoring.smoothing,
        "usual_median": model.scoring.usual_median,
        "threshold": asdict(model.threshold),
        "highest_median": model.highest_median,
        "colourless_below": model.colourless_below,
        "origin": model.origin,
    }
    members = {f"network/{name}": array for name, array in arrays.items()}
    members |= {"bank": model.bank.patches, "bank_cells": model.bank.cell_of_entry}
    members |= {"place": model.scoring.place, "good_scores": model.good_scores}
    return container.write(path, container.MODEL, manifest, members)


def load(path: Path) -> Model:
    """Read and verify a model file.

    Raises:
        OSError: it cannot be read.
        ContainerError: it is damaged, newer, or something else; the message says which.
    """
    contents = container.read(path, container.MODEL)
    manifest, arrays = contents.manifest, contents.arrays
    try:
        prefix = "network/"
        own = {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}
        preparation = dict(manifest["preparation"])
        preparation["roi"] = Roi(**preparation["roi"])
        window = manifest["window"]
        cells = Cells(window, manifest.get("rings", False)) if window else None
        return Model(
            network=network_file.assemble(manifest["network"], own),
            preparation=Preparation(**preparation),
            bank=MemoryBank(arrays["bank"], cells, arrays["bank_cells"]),
            scoring=Scoring(
                manifest["smoothing"], arrays["place"], float(manifest["usual_median"])
            ),
            threshold=Threshold(**manifest["threshold"]),
            good_scores=arrays["good_scores"],
            highest_median=float(manifest["highest_median"]),
            colourless_below=float(manifest["colourless_below"]),
            origin=manifest["origin"],
            sha256=contents.sha256,
        )
    except (KeyError, TypeError, KernelError) as error:
        raise DamagedFile(
            f"{path} is intact, but its contents do not fit together ({error}): it was not"
            " written by edge-agent calibrate"
        ) from error
