"""The wire: what a message is, byte by byte, and how bytes become frames."""
