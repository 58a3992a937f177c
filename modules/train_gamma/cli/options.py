"""Options of a command line: those that several commands have, and the fields of a configuration."""

import argparse
import dataclasses
from pathlib import Path
from typing import Any, get_type_hints


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the option for programs that read the output."""
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add the option for the folder that the page and the commands share."""
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("train-gamma"),
        metavar="DIR",
        help="folder for taggers and for what is kept between runs; the same as that of 'ui' (default: train-gamma)",
    )


def add_options(parser: argparse.ArgumentParser, configuration: type, but: tuple[str, ...] = ()) -> None:
    """Add an option for each field, with its help, but for those in ``but``. What is not given is None."""
    hints, fields = get_type_hints(configuration), dataclasses.fields(configuration)
    for f in fields:
        if f.name not in but:
            _add_option(parser, f, hints[f.name])


def given(arguments: argparse.Namespace, configuration: type) -> dict[str, Any]:
    """The fields of a configuration that a command line names."""
    values = {f.name: getattr(arguments, f.name, None) for f in dataclasses.fields(configuration)}
    return {name: value for name, value in values.items() if value is not None}


def _add_option(parser: argparse.ArgumentParser, f: Any, kind: Any) -> None:
    default = f.default
    shown = " ".join(default) if isinstance(default, tuple) else default
    told = f"{f.metadata['help']} (default: {shown if shown not in ('', ()) else 'none'})".replace("%", "%%")
    name = f"--{f.name.replace('_', '-')}"
    if kind is bool:
        told = told.replace("default: True", "default: on").replace("default: False", "default: off")
        parser.add_argument(name, action=argparse.BooleanOptionalAction, default=None, help=told)
    elif isinstance(default, tuple):
        parser.add_argument(name, action="extend", nargs="+", default=None, metavar="TEXT", help=told)
    else:
        metavar = {int: "N", float: "NUMBER"}.get(kind, "TEXT")
        choices = f.metadata["choices"]
        parser.add_argument(name, default=None, choices=choices, metavar=None if choices else metavar, help=told)
