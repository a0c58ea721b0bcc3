"""Parsing, dispatch, and turning errors into one sentence and an exit status.

Exit status: 0 yes or done, 1 the answer is no, 2 used wrongly or broken input.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from edge_agent.cli import (
    bench,
    calibrate,
    check,
    collect,
    demo,
    doctor,
    evaluate,
    inspect,
    model,
    reject_test,
    run,
    train,
    warm,
)
from edge_agent.cli.console import is_expected, sentence_of

_COMMANDS = (
    demo,
    collect,
    calibrate,
    evaluate,
    inspect,
    run,
    check,
    reject_test,
    train,
    model,
    warm,
    bench,
    doctor,
)


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="edge-agent",
        description="Looks at every part on a line and decides OK or NG. Learns from good parts.",
        epilog="edge-agent COMMAND --help tells more about a command.",
    )
    parser.add_argument("--version", action="store_true", help="print the version and end")
    commands = parser.add_subparsers(metavar="COMMAND", dest="command")
    for module in _COMMANDS:
        name = module.__name__.rpartition(".")[2].replace("_", "-")
        text = (module.__doc__ or "").strip()
        command = commands.add_parser(name, help=text.splitlines()[0], description=text)
        module.add_arguments(command)
        command.set_defaults(execute=module.execute)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    parser = build_parser()
    parsed = parser.parse_args(arguments)
    if parsed.version:
        from edge_agent.version import VERSION

        print(f"edge-agent {VERSION}")
        return 0
    if parsed.command is None:
        parser.print_help()
        return 2
    try:
        return int(parsed.execute(parsed))
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # e.g. piped into head
        sys.stderr.close()
        return 0
    except Exception as error:
        if not is_expected(error):
            raise
        print(f"edge-agent {parsed.command}: {sentence_of(error)}", file=sys.stderr)
        return 2
