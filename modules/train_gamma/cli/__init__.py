"""The command line ``train-gamma``.

Its commands are train, resume, check, preview, contact-sheet, inspect, convert, tag, tags, crop, demo and ui.

Exit codes: 0 done, 1 the run ended badly, 2 something in the call or the input must be fixed, 130 stopped by Ctrl-C.
"""

import argparse
import sys
from collections.abc import Sequence

from train_gamma import __version__
from train_gamma.cli import check, crop, demo, files, pictures, tagging, tags, training, ui
from train_gamma.errors import UserError

BAD_INPUT = 2


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="train-gamma", description="Makes textual-inversion embeddings from a folder of pictures."
    )
    parser.add_argument("--version", action="version", version=f"train-gamma {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in (training, check, pictures, files, tagging, tags, crop, demo, ui):
        module.add_commands(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parsed = make_parser().parse_args(arguments)
    try:
        code: int = parsed.run(parsed)
    except UserError as error:
        print(f"train-gamma {parsed.command}: {error}", file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:
        return 0
    return code
