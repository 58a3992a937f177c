"""Configurations from plain values: parsed TOML or JSON, or the texts of a command line."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, get_type_hints

from train_gamma.errors import raise_all
from train_gamma.training.config import VERSION, RunConfig


def from_dict(values: Mapping[str, Any], base: RunConfig | None = None) -> RunConfig:
    """Build a configuration from nested plain values, such as a parsed TOML or JSON file.

    Args:
        values: ``{section: {key: value}}``; what is missing is taken from ``base``.
        base: where missing values come from; the defaults when None.

    Raises:
        UserError: if a section or key is unknown, a value has the wrong type, or a value is out of its range.
    """
    base = base or RunConfig()
    sections = {section.name: section for section in dataclasses.fields(RunConfig)}
    problems: list[str] = []
    changed: dict[str, Any] = {}
    for name, content in values.items():
        if name == "version":
            if content != VERSION:
                problems.append(
                    f"Configuration version {content!r} is not known; this program reads version {VERSION}."
                )
        elif name not in sections:
            problems.append(f"Unknown section [{name}]. Sections are: {', '.join(sections)}.")
        elif not isinstance(content, Mapping):
            problems.append(f"[{name}] must be a section of keys and values, got {content!r}.")
        else:
            current = getattr(base, name)
            converted = _convert_section(name, type(current), content, problems)
            changed[name] = (current, converted)
    raise_all(problems)
    return dataclasses.replace(
        base, **{k: dataclasses.replace(current, **new) for k, (current, new) in changed.items()}
    )


def describe(section: type) -> list[tuple[str, Any, Mapping[str, Any]]]:
    """Name, default and metadata of each field of a section, in order."""
    return [(f.name, f.default, f.metadata) for f in dataclasses.fields(section)]


def section_types() -> dict[str, type]:
    """The section names and their dataclasses, in order."""
    return dict(get_type_hints(RunConfig))


def _convert_section(name: str, section: type, content: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    hints = get_type_hints(section)
    fields = {f.name: f for f in dataclasses.fields(section)}
    converted: dict[str, Any] = {}
    for key, value in content.items():
        if key not in fields:
            near = ", ".join(fields)
            problems.append(f"Unknown key '{key}' in [{name}]. Keys are: {near}.")
            continue
        try:
            converted[key] = convert(value, hints[key])
        except (TypeError, ValueError):
            problems.append(
                f"{fields[key].metadata['label']} ({name}.{key}) must be {_type_name(hints[key])}, got {value!r}."
            )
    return converted


def convert(value: Any, kind: Any) -> Any:
    """Convert a plain value, or the text of one, to a field's type.

    Raises:
        ValueError: if it does not fit.
    """
    if typing.get_origin(kind) is tuple:
        return _to_texts(value)
    if kind is bool:
        return _to_bool(value)
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError(value)  # noqa: TRY004 - one kind of error for the caller
    if kind is int:
        return _to_int(value)
    if kind is float:
        return float(value)
    return value if isinstance(value, str) else repr(value)  # learning_rate = 0.005 may be a number in TOML


def _to_texts(value: Any) -> tuple[str, ...]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)) or not all(isinstance(item, str) for item in items):
        raise ValueError(value)
    return tuple(items)


def _to_bool(value: Any) -> bool:
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise ValueError(value)  # noqa: TRY004 - one kind of error for the caller
    return value


def _to_int(value: str | float) -> int:
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(value)
    return int(value)


def _type_name(kind: Any) -> str:
    if isinstance(kind, types.GenericAlias):
        return "a list of texts"
    names: dict[Any, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    return names[kind]
