"""The roof: the daemon and its command line."""
