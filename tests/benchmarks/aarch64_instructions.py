"""Count the vector instructions of the inner loops on aarch64, from their disassembly.

What the processor repeats is the code from a label to a branch back to it; where that holds the
most of one instruction, it is the inner loop. Everything in it that works on vector registers and
is no load or store counts, of several loops in the worst:

- of binary convolutions per ``cnt`` or ``tbl``. One ``cnt`` is 128 bits of multiply-accumulates,
  and so is one ``tbl``: 16 channels, 4 bits, 2 pixels.
- of the stem per ``sdot``, or where a processor has none, per ``sadalp`` that ends what does the
  same: 16 multiply-accumulates of bytes.

Run on an aarch64 machine, or by ``tests/benchmarks/aarch64.sh`` under QEMU. Prints JSON; exits with
1 if one needs more instructions than its limit.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import numpy as np
from numba import njit

from kernels import convolution, stem
from kernels.network import Stem
from kernels.processor import way_module
from kernels.vectors import PAIRS_APART

_LABEL = re.compile(r"^[.\w$]+:")
_VECTOR = re.compile(r"\b[vq]\d+\b")
_MEMORY = re.compile(r"^(ld|st|prfm)")


def assembly(kernel: Any, *arguments: object) -> str:
    """What is made of a kernel for such arguments."""
    function = njit(nogil=True, _nrt=False)(kernel.py_func)
    function(*arguments)
    (text,) = function.inspect_asm().values()
    return text


def of_convolution(way: str) -> str:
    """3x3, over 64 channels."""
    shape = (10, 12, 1)
    weights = way_module(way).lay_out(np.zeros((64, 9), np.uint64), shape)
    bits, limit = np.zeros(shape, np.uint64), np.zeros(64, np.int16)
    kernel = convolution.convolve_to_bits
    return assembly(kernel, weights, bits, 3, 1, limit, 8, 8, np.zeros_like(bits), 1)


def of_stem() -> str:
    """In colour, 16 inner channels, 64 of the stream."""
    layer = Stem(
        fine_weights=np.zeros((16, 3, 3, 3), np.int8),
        fine_bias=np.zeros(16, np.int32),
        fine_shift=1,
        coarse_weights=np.zeros((64, 2, 2, 16), np.int8),
        coarse_bias=np.zeros(64, np.int32),
        coarse_shift=1,
    )
    image, out = np.zeros((32, 32, 3), np.uint8), np.zeros((8, 8, 64), np.int16)
    weights, one = stem.lay_out(layer, 32, grey=False), np.int32(1)
    signs = np.zeros((8, 8, 1), np.uint64)
    return assembly(stem.stem, image, weights, one, one, out, np.zeros(64, np.int16), 0, signs)


def inner_loops(text: str, mnemonic: str) -> list[list[str]]:
    """Instructions of the blocks that hold the most of one instruction."""
    blocks: list[list[str]] = [[]]
    label, ended = "", False
    for line in text.splitlines():
        if _LABEL.match(line):
            blocks.append([])
            label, ended = line.partition(":")[0], False
        elif line.startswith("\t") and not line.strip().startswith(".") and not ended:
            blocks[-1].append(line.strip())
            ended = line.startswith("\tb") and line.split()[-1] == label
    most = max(_count(block, mnemonic) for block in blocks)
    return [block for block in blocks if _count(block, mnemonic) == most]


def _count(block: list[str], mnemonic: str) -> int:
    return sum(line.split(None, 1)[0] == mnemonic for line in block)


def _vectors(block: list[str]) -> int:
    return sum(bool(_VECTOR.search(line)) and not _MEMORY.match(line) for line in block)


def main() -> int:
    """Count, print, judge."""
    rows = []
    of_stems = ("sadalp", 4.0) if PAIRS_APART else ("sdot", 1.0)
    for name, text, mnemonic, limit in (
        ("popcount-neon", of_convolution("popcount-neon"), "cnt", 3.0),
        ("lookup", of_convolution("lookup"), "tbl", 2.34),
        ("stem", of_stem(), *of_stems),
    ):
        loop = max(inner_loops(text, mnemonic), key=_vectors)
        each = _vectors(loop) / _count(loop, mnemonic)
        rows.append(
            {
                "kernel": name,
                "vector_instructions": _vectors(loop),
                mnemonic: _count(loop, mnemonic),
                "per_128_bits": round(each, 3),
                "limit": limit,
                "holds": each <= limit,
            }
        )
    print(json.dumps(rows, indent=1))
    return 0 if all(row["holds"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
