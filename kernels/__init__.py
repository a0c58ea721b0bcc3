"""Bits: packing, XNOR-popcount convolution, Hamming search, and the backends that run them.

The ground floor: nothing else of ours is imported here. Start with ``kernels.network`` (what a
backbone is), ``kernels.reference`` (what each operation means) and ``kernels.backends`` (who runs
it).
"""

KERNELS_VARIABLE = "EDGE_KERNELS"
"""The environment variable that forces a way of counting, see :mod:`kernels.processor`."""
