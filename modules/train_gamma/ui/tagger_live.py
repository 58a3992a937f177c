"""What the Tagger tab answers while somebody types, moves a slider or turns pictures over, and what it opens with."""

from dataclasses import replace
from functools import partial
from typing import Any

import gradio as gr

from train_gamma.errors import UserError
from train_gamma.service import Service
from train_gamma.service.tag_memory import remember, remembered
from train_gamma.service.tag_views import Live
from train_gamma.tagging.config import TagConfig
from train_gamma.ui import messages, tag_messages
from train_gamma.ui.compat import answered, on, opened
from train_gamma.ui.form import Form
from train_gamma.ui.handlers import quietly, told
from train_gamma.ui.tagger_form import backups_by_label, find_entry, read_folder, read_form, updates
from train_gamma.ui.tagger_layout import key
from train_gamma.ui.tagger_tab import TaggerTab

HIDDEN_BUTTONS = ("tag_restore", "tag_refresh", "tag_live", "tag_lists")
"""Pressed by the script."""


def wire(tab: TaggerTab, buttons: dict[str, Any], form: Form, service: Service, token: str) -> None:
    """Attach the handlers of the buttons that only the script presses, and of those that turn pictures over."""
    answers = [tab.told, tab.plan, tab.loaded, tab.unload, *form.dependents()]
    handler = quietly(partial(answer, service, form), len(answers))
    on(on(buttons["tag_refresh"].click, handler, form.all(), answers, live=True).then, None, js=answered("tag"))
    shown = [tab.shown, tab.counts, tab.number]
    asked = [tab.number, *form.all()]
    handler = quietly(partial(live, service, form, token, 0), len(shown))
    on(on(buttons["tag_live"].click, handler, asked, shown, live=True).then, None, js=answered("live"))
    for button, step in ((tab.previous, -1), (tab.following, 1)):
        on(button.click, quietly(partial(live, service, form, token, step), len(shown)), asked, shown, live=True)
    kept_of = [form.components[key("folder")], tab.backup]
    listed = [form.components[key("model")], form.components[key("captioner")], tab.taggers, tab.backup]
    on(buttons["tag_lists"].click, quietly(partial(lists, service), len(listed)), kept_of, listed, live=True)
    handler = quietly(lambda *given: backups(service, *given), 1)
    on(kept_of[0].change, handler, kept_of, [tab.backup], live=True)
    filled = form.all()
    restored = quietly(partial(restore, service, form), len(filled))
    on(on(buttons["tag_restore"].click, restored, [], filled, live="once").then, None, js=opened("tag"))


def answer(service: Service, form: Form, *values: Any) -> list[Any]:
    """Everything that follows from the settings without a look at probabilities."""

    def line() -> str:
        name = str(dict(zip(form.components, values, strict=True))[key("model")] or "").strip()
        return tag_messages.tagger(find_entry(service, name), name)

    def numbers() -> str:
        settings = read_form(service, form, values)
        remember(service.host.folders.kept, settings)
        return tag_messages.plan(service.tagging.plan(settings))

    return [
        told(line),
        told(numbers),
        *in_memory(service),
        *form.visibility_of(values),
    ]


def in_memory(service: Service) -> list[Any]:
    """What is in memory, and whether there is something to unload."""
    name = service.tagging.loaded
    return [tag_messages.loaded(name), gr.update(visible=bool(name))]


def live(service: Service, form: Form, token: str, step: int, number: Any, *values: Any) -> list[Any]:
    """What the settings give for a picture of the folder, and for all of them.

    Args:
        service: knows what was seen.
        form: reads ``values``.
        token: lets the page show the picture.
        step: 1 for the picture after ``number``, -1 for the one before.
        number: of the picture, from 1.
        values: of the form's components.
    """
    try:
        config = read_form(service, form, values)
    except UserError as error:
        return [messages.quiet(str(error)), "", gr.update()]
    index = max(0, int(number or 1) - 1 + step)
    found = service.tagging.live(config, index)
    at = found.picture + 1
    other = gr.update() if at in (0, number) else gr.update(value=at)  # nobody's typing is replaced by what it was
    before = _recommended(service, config, found)
    return [tag_messages.live_picture(found, token), tag_messages.live_counts(found, before), other]


def lists(service: Service, folder: str, backup: str) -> list[Any]:
    """The taggers and captioners there are now, and the captions that were kept of the folder."""
    entries = service.tagging.entries()
    models = [entry.name for entry in entries if entry.kind == "tagger"]
    captioners = ["", *(entry.name for entry in entries if entry.kind == "captioner")]
    choices = [gr.update(choices=models), gr.update(choices=captioners)]
    return [*choices, tag_messages.taggers(entries), backups(service, folder, backup)]


def backups(service: Service, folder: str, backup: str) -> Any:
    """The captions that were kept of the folder; the newest is chosen unless another one is."""
    try:
        names = list(backups_by_label(service, read_folder(folder)))
    except UserError:
        names = []  # the plan says what is wrong with the folder
    return gr.update(choices=names, value=backup if backup in names else next(iter(names), ""))


def restore(service: Service, form: Form) -> list[Any]:
    """What the form held last."""
    return updates(service, form, remembered(service.host.folders.kept))


def _recommended(service: Service, config: TagConfig, found: Live) -> Live | None:
    """The same with the recommended thresholds; None when these are what is used."""
    plain = replace(
        config, threshold_method="fixed", general_threshold=0.0, character_threshold=0.0, other_threshold=0.0
    )
    return None if plain == config or not found.num_known else service.tagging.live(plain, found.picture)
