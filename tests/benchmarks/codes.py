"""A digest of what the default backbone says about one picture: the same on every processor."""

from __future__ import annotations

import hashlib

import numpy as np

from calibration.backbones import load_backbone
from calibration.setups import PATCH_PX
from kernels.backends.numba import NumbaBackend
from kernels.processor import available_ways


def main() -> None:
    """One line per way of counting."""
    network = load_backbone().with_patches_every(PATCH_PX)
    image = np.random.default_rng(7).integers(0, 256, (64, 96, 3)).astype(np.uint8)
    for way in available_ways():
        digest = hashlib.sha256()
        for codes in NumbaBackend(way).executor(network, 64, 96).run(image):
            digest.update(codes.tobytes())
        print(f"{digest.hexdigest()[:32]} {way}")


main()
