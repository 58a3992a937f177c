"""One field of a configuration, with the description that every front end shows."""

import dataclasses
from typing import Any


def option(  # noqa: PLR0913 - keyword-only description of one field
    default: Any,
    *,
    label: str,
    help: str,  # noqa: A002 - the word the user knows
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] | None = None,
    path: bool = False,
) -> Any:
    """A dataclass field with the description that every front end shows."""
    metadata = {
        "label": label,
        "help": help,
        "minimum": minimum,
        "maximum": maximum,
        "choices": choices,
        "path": path,
    }
    return dataclasses.field(default=default, metadata=metadata)


def range_problems(section: Any) -> list[str]:
    """A sentence for every value of a section that is not in its range or among its choices."""
    problems = []
    for f in dataclasses.fields(section):
        value, m = getattr(section, f.name), f.metadata
        low, high, choices = m["minimum"], m["maximum"], m["choices"]
        if choices is not None and value not in choices:
            problems.append(f"{m['label']} must be one of {', '.join(choices)}, got '{value}'.")
        elif low is not None and not value >= low:  # NaN fails too
            problems.append(f"{m['label']} must be at least {low}, got {value}.")
        elif high is not None and not value <= high:
            problems.append(f"{m['label']} must be at most {high}, got {value}.")
    return problems
