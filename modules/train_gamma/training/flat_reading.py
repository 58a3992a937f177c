"""Settings that are one dataclass of options, from plain values: a request's JSON, a page's fields, a command line."""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar, get_type_hints

from train_gamma.errors import raise_all
from train_gamma.training.config_reading import convert

T = TypeVar("T")

_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def read_flat(values: Mapping[str, Any], base: T) -> T:
    """Build settings from plain values; what is missing is taken from ``base``.

    Raises:
        UserError: if a key is unknown, a value has the wrong type, or is out of its range.
    """
    kind: Any = type(base)
    hints, fields = get_type_hints(kind), {f.name: f for f in dataclasses.fields(kind)}
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
    settings: Any = base
    changed_settings: T = dataclasses.replace(settings, **changed)
    return changed_settings
