"""The other side of the wire: what fires the reject gate at the right moment."""
