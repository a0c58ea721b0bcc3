"""The decorators of our kernels, and where what they compile is kept.

Numba takes a compiled function from its cache if the file that defines it is as old and as long as
it was. Our functions are put together from several files, and files of a wheel all carry the same
date: after an update, old machine code could meet new data. So the cache of each version of this
package is a folder of its own, named by a digest of the sources.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from numba import njit, typeof
from numba.core import config, types
from numba.extending import overload

import kernels.host  # noqa: F401  Numba is to know all of the processor before the first kernel


def _cache_folder() -> Path:
    """Below ``NUMBA_CACHE_DIR`` if that is set, else beside the sources, else the user's cache."""
    package = Path(__file__).parent
    digest = hashlib.sha256()
    for source in sorted(package.glob("*.py")):
        digest.update(source.read_bytes())
    if config.CACHE_DIR:  # type: ignore[attr-defined]
        base = Path(config.CACHE_DIR)  # type: ignore[attr-defined]
    elif os.access(package, os.W_OK):
        base = package / "__pycache__"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edge-agent"
    return base / f"kernels-{digest.hexdigest()[:16]}"


config.CACHE_DIR = str(_cache_folder())  # type: ignore[attr-defined]

kernel = njit(cache=True, nogil=True, _nrt=False)  # type: ignore[call-overload]
"""Compiled once a machine, called from Python; runs without the interpreter lock.

It allocates nothing, and does not compile if it would: Numba is told that there is no memory to
manage. So it counts no references either, of which loops and branches would leave some behind, with
an atomic addition each.
"""

scratch_kernel = njit(cache=True, nogil=True)
"""A kernel that makes scratch arrays of its own."""

inlined = njit(nogil=True, forceinline=True, _nrt=False)  # type: ignore[call-overload]
"""A part of kernels, compiled into each."""


def implements(function: Callable[..., Any], table: type) -> Any:
    """Decorator: what a function is to kernels where its first argument is such a NamedTuple.

    Chosen when a kernel is compiled, by the type of what it is given.
    """

    def register(implementation: Any) -> Any:
        def choose(first: Any, *_rest: Any) -> Any:
            named = isinstance(first, types.NamedTuple | types.NamedUniTuple)
            return implementation if named and first.instance_class is table else None

        options = {"forceinline": True, "_nrt": False}
        overload(
            function,
            inline="never",
            jit_options=options,  # type: ignore[arg-type]
            strict=False,
        )(choose)
        return implementation

    return register


def bound(function: Any, *arguments: object) -> Callable[[], object]:
    """A call of a kernel with arguments that stay the same.

    It takes half the time to enter: Numba looks at the type of every argument of every call, which
    is most of a microsecond where there are a dozen.
    """
    signature = tuple(typeof(argument) for argument in arguments)  # type: ignore[no-untyped-call]
    function.compile(signature)
    return partial(function.overloads[signature].entry_point, *arguments)
