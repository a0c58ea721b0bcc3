"""Measuring: our kernels, the search, the network and whole inspections, beside other engines."""
