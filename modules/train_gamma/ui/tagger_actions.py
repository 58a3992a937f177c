"""What the buttons of the Tagger tab do."""

from functools import partial
from typing import Any

import gradio as gr
from PIL import Image

from train_gamma.errors import UserError
from train_gamma.service import Service
from train_gamma.ui import messages, tag_messages
from train_gamma.ui.compat import LOOK, LOOK_UP, on, refresh
from train_gamma.ui.form import Form
from train_gamma.ui.handlers import guarded, quietly
from train_gamma.ui.tagger_form import backups_by_label, find_entry, read_folder, read_form, recommended
from train_gamma.ui.tagger_layout import THRESHOLDS, key
from train_gamma.ui.tagger_live import in_memory
from train_gamma.ui.tagger_tab import TaggerTab

NEWEST = ""
"""No backup is chosen, so that the newest will be when they are looked up."""


def wire(tab: TaggerTab, form: Form, service: Service) -> None:
    """Attach the handlers of what is pressed and chosen."""
    begun = on(tab.tag.click, guarded(partial(tag, service, form), 2), form.all(), [tab.message, tab.backup])
    on(begun.then, None, js=LOOK)
    freed = on(tab.unload.click, guarded(partial(unload, service), 3), [], [tab.message, tab.loaded, tab.unload])
    on(freed.then, None, js=refresh("tag"))
    folder, model = (form.components[key(name)] for name in ("folder", "model"))
    given = [folder, tab.backup]
    back = on(tab.put_back.click, guarded(partial(put_back, service), 2), given, [tab.backup_message, tab.backup])
    on(back.then, None, js=LOOK_UP)
    asked = [tab.picture, *form.all()]
    on(tab.look.click, guarded(partial(look, service, form), 3), asked, [tab.seen, tab.loaded, tab.unload])
    sliders = [form.components[key(name)] for name in THRESHOLDS]
    for event in (model.input, tab.recommended.click):
        shown = on(event, quietly(partial(choose, service), len(sliders)), [model], sliders, live=True)
        on(shown.then, None, js=refresh("tag"))
    for controller in form.controllers():
        on(controller.change, form.visibility, form.controllers(), form.dependents(), live=True)


def tag(service: Service, form: Form, *values: Any) -> list[Any]:
    """Begin to tag the folder."""
    service.tagging.tag(read_form(service, form, values))
    return [messages.done("Started. Closing the page does not stop it."), gr.update(value=NEWEST)]


def unload(service: Service) -> list[Any]:
    """Free the memory of the tagger."""
    name = service.tagging.unload()
    told = f"{name} is unloaded; its memory is free." if name else "No tagger is in memory."
    return [messages.done(told), *in_memory(service)]


def put_back(service: Service, folder: str, label: str) -> list[Any]:
    """Restore the captions that a run replaced."""
    place = read_folder(folder)
    name = backups_by_label(service, place).get(label or "")
    if name is None:
        raise UserError("Kept before is none of the list. Choose what to put back; the list fills when a run ends.")
    return [messages.done(service.tagging.restore(place, name)), gr.update(value=NEWEST)]


def look(service: Service, form: Form, picture: Image.Image | None, *values: Any) -> list[Any]:
    """Tell what is in a picture that is in no folder."""
    if picture is None:
        raise UserError("There is no picture yet. Drop one into the field above, or click it to choose a file.")
    found = service.tagging.interrogate(picture, read_form(service, form, values))
    return [tag_messages.single(found), *in_memory(service)]


def choose(service: Service, model: str) -> list[Any]:
    """The thresholds that a tagger recommends."""
    entry = find_entry(service, model)
    return [gr.update() if entry is None else gr.update(value=value) for value in recommended(entry).values()]
