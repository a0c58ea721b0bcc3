"""A reject gate on the board's own GPIO lines, without a microcontroller."""
