"""Settings written by another version: what this one knows of them."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from train_gamma.training.config_reading import section_types


def known_settings(values: Mapping[str, Any]) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The sections and keys that this version has, and a sentence for each that it has not."""
    known: dict[str, dict[str, Any]] = {}
    warnings: list[str] = []
    sections = section_types()
    for name, content in values.items():
        if name == "version":
            continue
        if name not in sections or not isinstance(content, Mapping):
            warnings.append(f"The section [{name}] is not known to this version and was left out.")
            continue
        keys = {f.name for f in dataclasses.fields(sections[name])}
        known[name] = {key: value for key, value in content.items() if key in keys}
        warnings += [
            f"The setting {name}.{key} is not known to this version and was left out."
            for key in content
            if key not in keys
        ]
    return known, warnings
