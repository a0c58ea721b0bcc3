"""The reject gate's behaviour itself, in Python and without any hardware.

The firmware does the same in C. Here it drives the virtual MCU and the gate on GPIO lines; the
contract tests hold both implementations to the same results.
"""
