"""Keeping the settings of the form under a name, and taking them back."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from train_gamma.errors import UserError
from train_gamma.service import Service
from train_gamma.ui import messages
from train_gamma.ui.compat import REFRESH, on, settled
from train_gamma.ui.form import Form
from train_gamma.ui.handlers import guarded
from train_gamma.ui.ids import element_id


@dataclass(frozen=True, slots=True)
class PresetsPart:
    """The components."""

    name: Any
    save: Any
    delete: Any
    message: Any


def build() -> PresetsPart:
    """Lay the accordion out."""
    with gr.Accordion("Presets", open=False, elem_id=element_id("group_presets")):
        with gr.Row(elem_classes="tg-with-button"):
            name = gr.Textbox(
                label="Preset name",
                max_lines=1,
                info="All settings but the embedding and the dataset folder.",
                elem_id=element_id("preset_name"),
            )
            save = gr.Button("Save preset", size="sm", elem_id=element_id("preset_save"))
            delete = gr.Button("Delete preset", size="sm", elem_id=element_id("preset_delete"))
        message = gr.HTML(elem_id=element_id("preset_message"))
    return PresetsPart(name, save, delete, message)


def wire(part: PresetsPart, preset: Any, message: Any, form: Form, service: Service) -> None:
    """Attach the handlers; ``preset`` is the choice on the first screen, ``message`` the line below it."""
    filled = [message, part.name, *form.all()]
    handler = guarded(partial(load, service, form), len(filled))
    loaded = on(preset.change, handler, [preset], filled, js=settled("preset"), live=True)
    on(loaded.then, None, js=REFRESH)
    told = [part.message, preset]
    on(part.save.click, guarded(partial(save, service, form), 2), [part.name, *form.all()], told)
    on(part.delete.click, guarded(partial(delete, service), 2), [part.name], told)


def load(service: Service, form: Form, name: str) -> list[Any]:
    """Fill the form from a preset; an unfinished name changes nothing."""
    if name not in service.presets.names():
        return [gr.update()]
    settings = service.presets.load(name)
    updates = form.updates(settings)
    count = sum("value" in update for update in updates)
    return [messages.done(f"Preset '{name}' is filled in: {count} settings."), name, *updates]


def save(service: Service, form: Form, name: str, *values: Any) -> list[Any]:
    """Keep the form's settings."""
    service.presets.save(_named(name), form.plain(values))
    return [messages.done(f"Preset '{name}' is saved."), gr.update(choices=service.presets.names())]


def delete(service: Service, name: str) -> list[Any]:
    """Forget a preset."""
    service.presets.delete(_named(name))
    return [messages.done(f"Preset '{name}' is deleted."), gr.update(choices=service.presets.names(), value="")]


def _named(name: str) -> str:
    if not (name or "").strip():
        raise UserError("Preset name is empty. Type the name of the preset.")
    return name.strip()
