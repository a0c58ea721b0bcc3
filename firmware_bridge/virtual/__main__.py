"""A virtual MCU on a pseudo-terminal, with a photo-eye that sees a part every so often.

python -m firmware_bridge.virtual --link /tmp/gate --parts-per-s 2
"""

from __future__ import annotations

import argparse
import sys
import threading
from pathlib import Path

from firmware_bridge.virtual.board import VirtualBoard
from firmware_bridge.virtual.mcu import Output
from firmware_bridge.virtual.pty import VirtualPty


def main() -> int:
    """Runs until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m firmware_bridge.virtual", description=__doc__)
    parser.add_argument("--link", type=Path, help="a symbolic link that leads to the port")
    parser.add_argument("--parts-per-s", type=float, default=0.0, help="0: no parts (default)")
    parser.add_argument("--drift-ppm", type=float, default=0.0, help="its clock runs so fast")
    parser.add_argument("--damage", type=float, default=0.0, help="share of bytes damaged")
    arguments = parser.parse_args()

    def show(output: Output) -> None:
        print(
            f"{output.at_ns / 1e9:.6f} {output.name} {'on' if output.level else 'off'}", flush=True
        )

    board = VirtualBoard(drift_ppm=arguments.drift_ppm, on_output=show)
    board.to_host.damage = board.to_board.damage = arguments.damage
    pause_s = 1 / arguments.parts_per_s if arguments.parts_per_s > 0 else None
    forever = threading.Event()
    try:
        with VirtualPty(board, link=arguments.link) as port:
            print(f"serial port: {port.path}", flush=True)
            while not forever.wait(pause_s):
                board.trigger()
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
