"""The Create tab: an embedding that is not trained yet, with what its name and its start come to."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from train_gamma.service import Service
from train_gamma.training.config import RunConfig
from train_gamma.training.config_reading import from_dict
from train_gamma.ui import messages
from train_gamma.ui.chosen import find, with_file
from train_gamma.ui.compat import REFRESH, on
from train_gamma.ui.form import Form, Nested
from train_gamma.ui.handlers import guarded, told
from train_gamma.ui.ids import element_id
from train_gamma.ui.layout import CREATE_ROWS

SECTIONS = ("embedding", "model", "output")
"""Of the configuration: what an untrained embedding depends on; only a start from its tags depends on the dataset."""

TAKEN = "Train it, choose another name, or allow to replace it."


@dataclass(frozen=True, slots=True)
class CreateTab:
    """The components of the tab that are no fields of the configuration."""

    replace: Any
    create: Any
    train_it: Any
    message: Any
    name_check: Any
    start_check: Any


def build(form: Form) -> CreateTab:
    """Lay the tab out."""
    with gr.Row(elem_classes="tg-columns"):
        with gr.Column(scale=3, min_width=420):
            form.place("embedding.name")
            for row in CREATE_ROWS:
                form.place_row(row.split())
            with gr.Row():
                form.place("output.format")
                replace = gr.Checkbox(
                    label="Replace an embedding of this name",
                    info="The old file is kept in the folder of runs, in 'replaced'.",
                    elem_id=element_id("create_replace"),
                )
            with gr.Row():
                create = gr.Button("Create embedding", variant="primary", elem_id=element_id("create"))
                train_it = gr.Button("Train it", visible=False, elem_id=element_id("create_train_it"))
            message = gr.HTML(elem_id=element_id("create_message"))
        with gr.Column(scale=2, min_width=320, elem_classes="tg-side"):
            gr.HTML(messages.heading("Name in prompts"))
            name_check = gr.HTML(elem_id=element_id("create_name_check"))
            gr.HTML(messages.heading("What the vectors start from"))
            start_check = gr.HTML(elem_id=element_id("create_start_check"))
    return CreateTab(replace, create, train_it, message, name_check, start_check)


def wire(tab: CreateTab, form: Form, service: Service) -> None:
    """Attach the handlers that concern this tab alone."""
    outputs = [tab.message, tab.train_it]
    handler = guarded(partial(create, service, form), len(outputs))
    made = on(tab.create.click, handler, [tab.replace, *form.all()], outputs)
    on(made.then, None, js=REFRESH)


def create(service: Service, form: Form, replace: bool, *values: Any) -> list[Any]:
    """Make the embedding."""
    nested = _settings(service, form, values)
    nested["output"]["overwrite"] = bool(replace)
    nested["training"] = {"seed": form.plain(values)["training"]["seed"]}
    config = from_dict(nested)
    path = service.create(
        config.embedding, config.model, config.output, seed=config.training.seed, dataset=config.dataset
    )
    told_text = f"Created '{config.embedding.name}' in '{path}'. It is not trained yet: train it next."
    return [messages.done(told_text), gr.update(visible=True)]


def check(service: Service, form: Form, replace: bool, *values: Any) -> list[Any]:
    """The live answers: what is wrong with the name, and what the vectors start from."""

    def config() -> RunConfig:
        return from_dict(_settings(service, form, values))

    def name() -> str:
        settings = config()
        if not settings.embedding.name:
            return messages.quiet("The name is the word to prompt with.")
        if not replace and find(service, settings.embedding.name) is not None:
            return messages.note(f"There is an embedding '{settings.embedding.name}' already. {TAKEN}")
        found = service.check_name(settings.embedding.name, settings.model, bool(replace))
        return messages.findings(found) or messages.done(f"'{settings.embedding.name}' is a good name.")

    def start() -> str:
        settings = config()
        return messages.chips(service.explain_start(settings.embedding, settings.model, settings.dataset))

    return [told(name), told(start)]


def _settings(service: Service, form: Form, values: Sequence[Any]) -> Nested:
    nested = with_file(service, form.plain(values))
    needed = {*SECTIONS, "dataset"} if nested["embedding"].get("start") == "tags" else set(SECTIONS)
    return {section: content for section, content in nested.items() if section in needed}
