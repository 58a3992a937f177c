"""Configurations from TOML files and ``--set section.key=value``."""

import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from train_gamma.errors import UserError
from train_gamma.training.config import RunConfig
from train_gamma.training.config_reading import from_dict, section_types

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def read_configuration(path: Path, changes: Sequence[str]) -> RunConfig:
    """Read a TOML file and apply ``--set`` changes.

    Relative paths in the file are relative to the file's folder, those of ``--set`` to the current one.

    Raises:
        UserError: if the file cannot be read or a setting is not right.
    """
    try:
        content = tomllib.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        raise UserError(f"Configuration '{path}' does not exist. Check the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"Configuration '{path}' cannot be read: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"Configuration '{path}' is not valid TOML: {error}.") from error
    return from_dict(merge(_resolve_paths(content, path.parent), parse_changes(changes)))


def parse_changes(changes: Sequence[str]) -> dict[str, Any]:
    """Turn ``["training.seed=3", 'preview.prompts=["a", "b"]']`` into nested values.

    Raises:
        UserError: if a change has no section, key or value.
    """
    nested: dict[str, Any] = {}
    for change in changes:
        name, equals, value = change.partition("=")
        section, dot, key = name.strip().partition(".")
        if not (equals and dot and section and key):
            raise UserError(f"--set {change}: write it as section.key=value, such as training.max_steps=500.")
        nested.setdefault(section, {})[key] = _value(change, value.strip())
    return nested


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Two nested configurations in one; ``over`` wins."""
    merged = dict(base)
    for section, content in over.items():
        below = merged.get(section, {})
        merged[section] = {**below, **content} if isinstance(below, Mapping) else content
    return merged


def _value(change: str, text: str) -> Any:
    if not text.startswith("["):
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        raise UserError(f'--set {change}: a list is written as ["one", "two"] ({error}).') from error


def _resolve_paths(content: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    paths = {
        (section, f.name)
        for section, kind in section_types().items()
        for f in dataclasses.fields(kind)
        if f.metadata["path"]
    }
    resolved = dict(content)
    for section, values in content.items():
        if isinstance(values, Mapping):
            resolved[section] = {
                key: str(folder / value) if (section, key) in paths and _is_path(value) else value
                for key, value in values.items()
            }
    return resolved


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and value not in ("", "miniature")
