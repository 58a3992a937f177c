"""Settings of a tagging run from plain values: a request's JSON, a page's fields, a command line."""

import dataclasses
from collections.abc import Mapping
from typing import Any, get_type_hints

from train_gamma.errors import raise_all
from train_gamma.tagging.config import TagConfig
from train_gamma.training.config_reading import convert

_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def read_tag_config(values: Mapping[str, Any], base: TagConfig | None = None) -> TagConfig:
    """Build settings from plain values; what is missing is taken from ``base``, or is the default.

    Raises:
        UserError: if a key is unknown, a value has the wrong type, or is out of its range.
    """
    hints, fields = get_type_hints(TagConfig), {f.name: f for f in dataclasses.fields(TagConfig)}
    problems: list[str] = []
    changed: dict[str, Any] = {}
    for key, value in values.items():
        if key not in fields:
            problems.append(f"Unknown key '{key}'. Keys are: {', '.join(fields)}.")
            continue
        try:
            changed[key] = convert(value, hints[key])
        except (TypeError, ValueError, OverflowError):
            expected = _KINDS.get(hints[key], "a list of texts")
            problems.append(f"{fields[key].metadata['label']} ({key}) must be {expected}, got {value!r}.")
    raise_all(problems)
    return dataclasses.replace(base or TagConfig(), **changed)
