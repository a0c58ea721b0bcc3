"""Bits: packing, XNOR-popcount convolution, Hamming search, and the backends that run them."""
