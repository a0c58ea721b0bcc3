"""Count the vector instructions of the inner loops on aarch64, from their disassembly.

A block of code between two labels is what the processor repeats; the one with the most ``cnt`` (or
``tbl``) is the inner loop. Everything in it that works on vector registers and is no load or store
counts. One ``cnt`` is 128 bits of multiply-accumulates, and so is one ``tbl``: 16 channels, 4 bits,
2 pixels.

Run on an aarch64 machine, or by ``tests/benchmarks/aarch64.sh`` under QEMU. Prints JSON; exits with
1 if a way needs more instructions than its limit.
"""

from __future__ import annotations

import json
import re
import sys

import numpy as np
from numba import njit

from kernels import convolution
from kernels.processor import way_module

LIMITS = {"popcount-neon": ("cnt", 3.0), "lookup": ("tbl", 2.34)}
_LABEL = re.compile(r"^[.\w$]+:")
_VECTOR = re.compile(r"\b[vq]\d+\b")
_MEMORY = re.compile(r"^(ld|st|prfm)")


def assembly(way: str) -> str:
    """Of a 3x3 convolution over 64 channels."""
    shape = (10, 12, 1)
    weights = way_module(way).lay_out(np.zeros((64, 9), np.uint64), shape)
    bits = np.zeros(shape, np.uint64)
    function = njit(nogil=True)(convolution.convolve_to_bits.py_func)
    function(weights, bits, 3, 1, np.zeros(64, np.int16), 8, 8, np.zeros_like(bits), 1)
    (text,) = function.inspect_asm().values()
    return text


def inner_loop(text: str, mnemonic: str) -> list[str]:
    """Instructions of the block that holds the most of one instruction."""
    blocks: list[list[str]] = [[]]
    for line in text.splitlines():
        if _LABEL.match(line):
            blocks.append([])
        elif line.startswith("\t") and not line.strip().startswith("."):
            blocks[-1].append(line.strip())
    return max(blocks, key=lambda block: _count(block, mnemonic))


def _count(block: list[str], mnemonic: str) -> int:
    return sum(line.split(None, 1)[0] == mnemonic for line in block)


def main() -> int:
    """Count, print, judge."""
    rows = []
    for way, (mnemonic, limit) in LIMITS.items():
        loop = inner_loop(assembly(way), mnemonic)
        vectors = [line for line in loop if _VECTOR.search(line) and not _MEMORY.match(line)]
        each = len(vectors) / _count(loop, mnemonic)
        rows.append(
            {
                "kernel": way,
                "vector_instructions": len(vectors),
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
