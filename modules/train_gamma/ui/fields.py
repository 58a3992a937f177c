"""A component for each field of a configuration, made from the description that the field carries."""

import typing
from dataclasses import dataclass
from typing import Any, get_type_hints

import gradio as gr

from train_gamma.tagging.config import TagConfig
from train_gamma.tagging.interrogator import CHARACTER, GENERAL, RATING
from train_gamma.training.config_reading import describe, section_types
from train_gamma.ui.ids import field_id

CATEGORIES = (GENERAL, CHARACTER, RATING)
"""Those that nearly every tagger has."""
OTHER_CATEGORIES = ("copyright", "artist", "meta", "species", "year", "quality", "model")
"""Those that some have."""

LARGEST_EXACT = 2**53
"""Above this a browser's numbers skip integers, so the field is a text."""
STEPS = {
    "embedding.num_vectors": 1.0,
    "tag.general_threshold": 0.01,
    "tag.character_threshold": 0.01,
    "tag.other_threshold": 0.01,
}
"""Fields that are sliders, with what a slider moves by."""
RADIOS = ("embedding.start",)
LOOKED_UP = ("embedding.init_embedding", "tag.model", "tag.captioner")
"""Fields whose choices are looked up while the page is open; anything else may be typed."""
BOXES: dict[str, tuple[str, ...]] = {"tag.categories": (*CATEGORIES, *OTHER_CATEGORIES)}
"""Lists that are chosen from, with what there is to choose from."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the configuration: ``section.name``, its type, default and description."""

    key: str
    kind: Any
    default: Any
    label: str
    help: str
    minimum: float | None
    maximum: float | None
    choices: tuple[str, ...] | None
    path: bool

    @property
    def is_list(self) -> bool:
        """Whether it holds several texts, a line each."""
        return typing.get_origin(self.kind) is tuple

    @property
    def is_number(self) -> bool:
        """Whether a browser's number can hold every value of it."""
        return self.kind in (int, float) and (self.maximum is None or self.maximum < LARGEST_EXACT)

    def shown(self, value: Any) -> Any:
        """A value of the configuration as the component shows it."""
        if self.is_list:
            return list(value) if self.key in BOXES else "\n".join(value)
        return value if self.is_number or self.kind is bool else str(value)

    def read(self, shown: Any) -> Any:
        """What the component shows as a plain value for ``from_dict``, which reports what does not fit."""
        if self.key in BOXES:
            return list(shown or [])
        if self.is_list:
            return [line for line in str(shown or "").split("\n") if line.strip()]
        if shown is None:
            return ""
        return shown.strip().strip('"') if self.path else shown


def all_fields() -> dict[str, Field]:
    """Every field of a run's configuration by its key, in order."""
    return {k: field for section, kind in section_types().items() for k, field in section_fields(section, kind).items()}


def tag_fields() -> dict[str, Field]:
    """Every field of a tagging run by its key, in order; all are in the section ``tag``."""
    return section_fields("tag", TagConfig)


def section_fields(section: str, kind: type) -> dict[str, Field]:
    """The fields of one section by their keys, in order."""
    hints = get_type_hints(kind)
    keys = {f"{section}.{name}": (name, default, described) for name, default, described in describe(kind)}
    return {key: Field(key, hints[name], default, **described) for key, (name, default, described) in keys.items()}


def make_component(field: Field, visible: bool = True) -> Any:
    """The component that edits a field."""
    common = {
        "value": field.shown(field.default),
        "label": field.label,
        "info": f"{field.help.rstrip('.')}. One a line." if field.is_list and field.key not in BOXES else field.help,
        "elem_id": field_id(field.key),
        "visible": visible,
    }
    if field.kind is bool:
        return gr.Checkbox(**common)
    if field.choices is not None:
        kind = gr.Radio if field.key in RADIOS else gr.Dropdown
        return kind(choices=list(field.choices), **common)
    return _open_component(field, common)


def _open_component(field: Field, common: dict[str, Any]) -> Any:
    """The component of a field that takes any value."""
    if field.key in LOOKED_UP:
        return gr.Dropdown(choices=[], allow_custom_value=True, **common)
    if field.key in BOXES:
        return gr.CheckboxGroup(choices=list(BOXES[field.key]), **common)
    if field.key in STEPS:
        return gr.Slider(minimum=field.minimum, maximum=field.maximum, step=STEPS[field.key], **common)
    if field.is_number:
        return gr.Number(**common)  # its own range check would end in a traceback; ours is a sentence
    if field.is_list:
        return gr.Textbox(lines=3, **common)
    return gr.Textbox(max_lines=1, **common)
