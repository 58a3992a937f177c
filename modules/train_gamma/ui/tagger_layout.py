"""Where each setting of a tagging run stands on the page, and when. Tables only."""

from dataclasses import dataclass
from typing import Any

from train_gamma.ui.fields import CATEGORIES
from train_gamma.ui.layout import Part, Rule, Values

SECTION = "tag"


@dataclass(frozen=True, slots=True)
class TagGroup:
    """An accordion of the Tagger tab; ``name`` is its id."""

    title: str
    name: str
    parts: tuple[Part, ...]


FIRST_SCREEN = ("folder", "model existing")
"""Rows of fields that are always in sight."""

GROUPS = (
    TagGroup(
        "Which tags are written",
        "tag_thresholds",
        (
            Part("", ("general_threshold", "character_threshold other_threshold", "threshold_method max_tags")),
            Part("", ("categories",)),
        ),
    ),
    TagGroup(
        "Your own words",
        "tag_words",
        (Part("", ("keep_tags exclude_tags", "add_tags add_position", "replace_tags")),),
    ),
    TagGroup(
        "How captions are written",
        "tag_style",
        (Part("", ("sort captioner", "spaces escape weights")),),
    ),
    TagGroup("Files", "tag_files", (Part("", ("extension background recursive",)),)),
    TagGroup("Speed and memory", "tag_speed", (Part("", ("device batch_size", "make_room unload")),)),
)
"""The accordions of the Tagger tab."""

THRESHOLDS = ("general_threshold", "character_threshold", "other_threshold")
"""Settings whose 0 is what the model recommends."""


def _writes_others(values: Values) -> bool:
    return bool(set(values["tag.categories"]) - set(CATEGORIES))


def _is_fixed(values: Values) -> bool:
    return bool(values["tag.threshold_method"] == "fixed")


_ON_THRESHOLD = ("tag.threshold_method", "tag.categories")

RULES = (
    Rule("tag.general_threshold", ("tag.threshold_method",), _is_fixed),
    Rule("tag.character_threshold", _ON_THRESHOLD, lambda v: _is_fixed(v) and "character" in v["tag.categories"]),
    Rule("tag.other_threshold", _ON_THRESHOLD, lambda v: _is_fixed(v) and _writes_others(v)),
    Rule("tag.add_position", ("tag.add_tags",), lambda v: bool(str(v["tag.add_tags"] or "").strip())),
)
"""Settings that act, and are shown, only at some values of others."""


def key(name: str) -> str:
    """The key of a setting's field."""
    return f"{SECTION}.{name}"


def keys(row: str) -> list[str]:
    """The keys of a row."""
    return [key(name) for name in row.split()]


def section(nested: dict[str, Any]) -> dict[str, Any]:
    """The settings of the tagger among those of a form."""
    found: dict[str, Any] = nested[SECTION]
    return found
