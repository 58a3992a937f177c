"""What requests carry. Plain dataclasses, which FastAPI takes with either version of pydantic."""

from dataclasses import dataclass, field
from typing import Any

Nested = dict[str, Any]
"""Settings by section, ``{"training": {"max_steps": 500}}``; what is missing has its default. See /options."""


@dataclass
class Settings:
    """Settings of a run, by section; what is missing has its default."""

    config: Nested = field(default_factory=dict)


@dataclass
class TrainRequest:
    """A run to begin. replace: train the embedding of that name on and let the result take its place."""

    config: Nested = field(default_factory=dict)
    replace: bool = False


@dataclass
class ResumeRequest:
    """A run to go on with: the name of its folder, and settings to change."""

    run: str
    changes: Nested = field(default_factory=dict)


@dataclass
class PresetValues:
    """Settings to keep under a name."""

    values: Nested = field(default_factory=dict)
