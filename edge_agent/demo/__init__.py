"""The demonstration: a simulated line, taught on the spot, reporting to a broker of its own."""
