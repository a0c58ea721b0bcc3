"""The host's end of the wire to a microcontroller."""
