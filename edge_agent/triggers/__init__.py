"""Which frames, or which piece of a frame, are one part."""
