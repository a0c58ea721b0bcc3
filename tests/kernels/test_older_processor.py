"""The kernels as they are on an x86-64 processor without AVX-512.

Numba compiles for the processor that two variables name, and the newer ones run what it makes.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from kernels.host import FEATURES

AVX2 = (
    "+64bit,+cx16,+cx8,+cmov,+fxsr,+mmx,+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+avx,+avx2,+bmi,"
    "+bmi2,+f16c,+fma,+lzcnt,+movbe,+popcnt,+sahf,+xsave,+xsaveopt"
)


SSE = "+64bit,+cx16,+cx8,+cmov,+fxsr,+mmx,+sse,+sse2,+sse3,+ssse3"


def _run(script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, *arguments]
    environment = os.environ | variables
    return subprocess.run(command, check=False, env=environment, capture_output=True, text=True)


COMPARE = """
import sys
import numpy as np
from kernels import reference
from kernels.backends.numba import NumbaBackend
from kernels.processor import available_ways
from kernels.vectors import PRODUCTS_OF_BYTES, WIDE_REGISTERS
from tests.random_networks import random_network

assert not WIDE_REGISTERS and PRODUCTS_OF_BYTES == bool(int(sys.argv[1]))
assert "lookup" in available_ways() and "popcount-avx512" not in available_ways()
rng = np.random.default_rng(0)
for seed in range(4):
    network = random_network(seed)
    sides = network.size_multiple * 3, network.size_multiple * 2
    executor = NumbaBackend("lookup").executor(network, *sides)
    image = rng.integers(0, 256, (*sides, 3)).astype(np.uint8)
    grey = np.repeat(image[..., :1], 3, axis=2)
    for picture, read in ((image, image), (grey, grey[..., 0])):
        for got, want in zip(executor.run(read), reference.run(network, picture)):
            np.testing.assert_array_equal(got, want)
print("the same")
"""


@pytest.mark.skipif(platform.machine() != "x86_64" or "avx2" not in FEATURES, reason="needs AVX2")
def test_the_same_bits_with_avx2_alone() -> None:
    done = _run(COMPARE, "0", NUMBA_CPU_NAME="haswell", NUMBA_CPU_FEATURES=AVX2)
    assert done.stdout == "the same\n", done.stderr


@pytest.mark.skipif("ssse3" not in FEATURES, reason="needs SSSE3")
@pytest.mark.parametrize("more", ["", ",+sse4.1,+sse4.2,+popcnt,+movbe"])
def test_the_same_bits_without_avx(more: str) -> None:
    done = _run(COMPARE, "0", NUMBA_CPU_NAME="x86-64", NUMBA_CPU_FEATURES=SSE + more)
    assert done.stdout == "the same\n", done.stderr


@pytest.mark.skipif("avxvnni" not in FEATURES, reason="needs AVX-VNNI")
def test_the_same_bits_with_avx2_and_products_of_bytes() -> None:
    features = f"{AVX2},+avxvnni"
    done = _run(COMPARE, "1", NUMBA_CPU_NAME="alderlake", NUMBA_CPU_FEATURES=features)
    assert done.stdout == "the same\n", done.stderr


SHRINK = """
import hashlib
import numpy as np
from kernels.area import shrink

rng = np.random.default_rng(0)
digest = hashlib.sha256()
for number in range(100):
    height, width = (int(side) for side in rng.integers(1, 200, 2))
    channels = () if number % 2 else (3,)
    image = rng.integers(0, 256, (height, width, *channels)).astype(np.uint8)
    to = (int(rng.integers(1, side + 1)) for side in (height, width))
    digest.update(shrink(image, *to).tobytes())
print(digest.hexdigest())
"""


@pytest.mark.skipif(platform.machine() != "x86_64" or "avx2" not in FEATURES, reason="needs AVX2")
def test_the_same_pictures_with_avx2_alone() -> None:
    older = _run(SHRINK, NUMBA_CPU_NAME="haswell", NUMBA_CPU_FEATURES=AVX2)
    here = _run(SHRINK)
    assert len(here.stdout.strip()) == 64, here.stderr
    assert older.stdout == here.stdout, older.stderr


PLAIN = "+64bit,+cx8,+cmov,+fxsr,+mmx,+sse,+sse2"

BRIGHTEN = """
import numpy as np
from kernels.light import brightened

image = np.arange(256, dtype=np.uint8).repeat(3).reshape(8, 96)
wanted = np.minimum((2 * image.astype(int) * round(1.2 * 2**14) + 2**14) >> 15, 255)
np.testing.assert_array_equal(brightened(image, 1.2), wanted)
print("the same")
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="is about x86-64")
def test_light_is_evened_on_any_x86_64() -> None:
    done = _run(BRIGHTEN, NUMBA_CPU_NAME="x86-64", NUMBA_CPU_FEATURES=PLAIN)
    assert done.stdout == "the same\n", done.stderr
