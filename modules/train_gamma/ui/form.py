"""Fields that are filled in together: values of components become a configuration, and the other way round."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from train_gamma.ui.fields import Field, all_fields, make_component
from train_gamma.ui.layout import RULES, Rule, controllers

Nested = dict[str, dict[str, Any]]


@dataclass(slots=True)
class Form:
    """The fields of a configuration that are on the page, in the order in which their values travel.

    Attributes:
        absent: keys of the fields that are not on the page.
        components: the components by key; filled while the page is laid out.
        fields: every field by its key; those of a run unless said otherwise.
        rules: which fields are not always shown.
    """

    absent: set[str]
    components: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, Field] = field(default_factory=all_fields)
    rules: tuple[Rule, ...] = RULES

    def place(self, key: str) -> Any:
        """Put the component of a field here, or nothing when the field is not on this page."""
        if key in self.absent:
            return None
        defaults = {key: f.shown(f.default) for key, f in self.fields.items()}
        self.components[key] = make_component(self.fields[key], self._visible(key, defaults))
        return self.components[key]

    def place_row(self, keys: Sequence[str]) -> None:
        """Put several fields side by side."""
        present = [key for key in keys if key not in self.absent]
        if present:
            with gr.Row():
                for key in present:
                    self.place(key)

    def all(self) -> list[Any]:
        """The components in order."""
        return list(self.components.values())

    def plain(self, values: Sequence[Any]) -> Nested:
        """The values of ``all()`` as nested plain values."""
        nested: Nested = {}
        for key, value in zip(self.components, values, strict=True):
            section, name = key.split(".")
            nested.setdefault(section, {})[name] = self.fields[key].read(value)
        return nested

    def updates(self, nested: Mapping[str, Any]) -> list[Any]:
        """What brings ``all()`` to the values that ``nested`` names and leaves the others as they are."""
        updates = []
        for key in self.components:
            section, name = key.split(".")
            content = nested.get(section)
            known = isinstance(content, Mapping) and name in content and self._fits(key, content[name])
            updates.append(gr.update(value=self._shown(key, content[name])) if known and content else gr.update())
        return updates

    def _shown(self, key: str, value: Any) -> Any:
        return self.fields[key].shown(value)

    def _fits(self, key: str, value: Any) -> bool:
        """A choice that this version does not have would be an error at every click."""
        described = self.fields[key]
        if described.is_list:
            return isinstance(value, (list, tuple))
        return described.choices is None or value in described.choices

    def controllers(self) -> list[Any]:
        """The components that decide which others are shown."""
        return [self.components[key] for key in controllers(self.rules) if key in self.components]

    def dependents(self) -> list[Any]:
        """The components that are not always shown."""
        return [self.components[rule.field] for rule in self.rules if rule.field in self.components]

    def visibility_of(self, values: Sequence[Any]) -> list[Any]:
        """Which of ``dependents()`` are shown, given the values of ``all()``."""
        now = dict(zip(self.components, values, strict=True))
        return self.visibility(*(now[key] for key in controllers(self.rules) if key in now))

    def visibility(self, *values: Any) -> list[Any]:
        """Which of ``dependents()`` are shown, given the values of ``controllers()``."""
        keys = [key for key in controllers(self.rules) if key in self.components]
        now = {key: f.default for key, f in self.fields.items()} | dict(zip(keys, values, strict=True))
        placed = [rule.field for rule in self.rules if rule.field in self.components]
        return [gr.update(visible=self._visible(key, now)) for key in placed]

    def _visible(self, key: str, values: Mapping[str, Any]) -> bool:
        return all(rule.shown(values) for rule in self.rules if rule.field == key)
