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


Flat = dict[str, Any]
"""Settings of a tagging run, ``{"folder": "D:/cats", "general_threshold": 0.3}``; what is missing has its default. See
/tag/options."""


@dataclass
class TagRequest:
    """Settings of a tagging run; what is missing has its default."""

    config: Flat = field(default_factory=dict)


@dataclass
class LiveRequest:
    """Settings of a tagging run, and which picture of the folder to show, counted from 0."""

    config: Flat = field(default_factory=dict)
    picture: int = 0


@dataclass
class PictureRequest:
    """A picture to look at, as base64 of the file or as a data URL, and settings."""

    image: str
    config: Flat = field(default_factory=dict)


@dataclass
class RestoreRequest:
    """Captions to put back: the folder of the pictures, and the name of what was kept."""

    folder: str
    name: str


@dataclass
class ForeignRequest:
    """What the tagger extension that others are written for takes."""

    image: str = ""
    model: str = ""
    threshold: float = 0.35
