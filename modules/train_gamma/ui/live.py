"""What the page answers while somebody types, and what it holds when it is opened."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import gradio as gr

from train_gamma.service import Service
from train_gamma.training.config_reading import from_dict
from train_gamma.ui import create_tab, messages
from train_gamma.ui.chosen import PRESENT, described, find, wanted_run, with_file
from train_gamma.ui.compat import REFRESH, answered, on, opened
from train_gamma.ui.create_tab import CreateTab
from train_gamma.ui.form import Form
from train_gamma.ui.handlers import quietly, told
from train_gamma.ui.train_tab import TrainTab


def wire(create: CreateTab, train: TrainTab, buttons: dict[str, Any], form: Form, service: Service) -> None:
    """Attach the handlers of the buttons that only the script presses: ``refresh``, ``lists`` and ``restore``."""
    asked = [create.replace, train.embedding, train.begin, *form.all()]
    answers = [create.name_check, create.start_check, train.embedding_told, train.begin, train.model, train.derived]
    answers += form.dependents()
    handler = quietly(partial(answer, service, form), len(answers))
    on(on(buttons["refresh"].click, handler, asked, answers, live=True).then, None, js=answered("run"))
    choices = [train.embedding, train.preset, train.runs.run, form.components["embedding.init_embedding"]]
    on(buttons["lists"].click, quietly(partial(lists, service), len(choices)), [], choices, live=True)
    filled = [train.embedding, train.begin, *form.all()]
    handler = quietly(partial(restore, service, form), len(filled))
    restored = on(buttons["restore"].click, handler, [], filled, live="once")
    on(restored.then, None, js=opened("run"))
    for chosen in (train.embedding, form.components["embedding.init_embedding"]):
        on(chosen.change, None, js=REFRESH)  # a choice by mouse is no input that the script could hear


def answer(service: Service, form: Form, replace: bool, name: str, begin: str, *values: Any) -> list[Any]:
    """Everything that follows from what the form holds now."""

    def line() -> str:
        return described(service, name, begin, from_dict(with_file(service, form.plain(values))))

    def numbers() -> str:
        wanted = wanted_run(service, form, name or "new", begin, values)
        remember(service, form, name, values)
        found = service.derive(wanted.config)
        return messages.quiet(found.problem) if found.problem else messages.derived(found)

    exists = find(service, name) is not None
    return [
        *create_tab.check(service, form, replace, *values),
        told(line),
        gr.update(visible=exists),
        told(lambda: messages.model(service.host.loaded())),
        told(numbers),
        *form.visibility_of(values),
    ]


def lists(service: Service) -> list[Any]:
    """The embeddings, presets and runs there are now."""
    embeddings = [embedding.name for embedding in service.embeddings()]
    runs = [run.name for run in service.runs()]
    return [
        gr.update(choices=embeddings),
        gr.update(choices=service.presets.names()),
        gr.update(choices=runs),
        gr.update(choices=embeddings),
    ]


def restore(service: Service, form: Form) -> list[Any]:
    """What the form held last; at the very first time the host's clip skip, as it is prompted with."""
    remembered = service.presets.remembered()
    if not remembered and service.host.lends_loaded_model:
        remembered = {"model": {"clip_skip": service.host.loaded().clip_skip}}
    name = remembered.get("embedding", {}).get("name", "")
    return [gr.update(value=name), gr.update(value=PRESENT), *form.updates(remembered)]


def remember(service: Service, form: Form, name: str, values: Sequence[Any]) -> None:
    """Keep what the form holds for the next time the page is opened.

    Raises:
        UserError: if a value does not fit, or it cannot be written.
    """
    nested = form.plain(values)
    nested["embedding"]["name"] = name or ""
    service.presets.remember(nested)
