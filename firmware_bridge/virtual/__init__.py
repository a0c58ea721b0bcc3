"""A microcontroller that needs no board: the same protocol, the same behaviour, and faults."""
