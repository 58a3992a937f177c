"""The whole page: tabs, what connects them, and what is asked of the service while somebody types."""

from collections.abc import Sequence
from typing import Any

import gradio as gr

from train_gamma.service import Service
from train_gamma.ui import (
    create_tab,
    dataset_tab,
    live,
    presets_part,
    runs_part,
    tagger_actions,
    tagger_live,
    tagger_tab,
    train_actions,
    train_tab,
)
from train_gamma.ui.chosen import PRESENT
from train_gamma.ui.compat import REFRESH, on
from train_gamma.ui.form import Form
from train_gamma.ui.ids import TAB, element_id
from train_gamma.ui.layout import absent_fields
from train_gamma.ui.tagger_form import tag_form

FONTS = ["system-ui", "sans-serif"]
HIDDEN_BUTTONS = ("restore", "refresh", "lists", *tagger_live.HIDDEN_BUTTONS)
"""Pressed by the script: after opening the page, while somebody types, and when a job has ended."""


def build_page(service: Service, token: str, txt2img: Sequence[Any] | None = None) -> gr.Blocks:
    """Build the page.

    Args:
        service: does everything.
        token: lets the page's script use the API.
        txt2img: components of the WebUI's txt2img tab; None where there is no such tab and the page stands alone.
    """
    form, tags = Form(absent_fields(service.host)), tag_form()
    theme = gr.themes.Default(font=FONTS, font_mono=["monospace"])  # gradio's own come from another server
    with gr.Blocks(analytics_enabled=False, title="Train Gamma", theme=theme) as page:
        with gr.Column(elem_id=element_id("page") if txt2img is not None else TAB, elem_classes="tg-page"):
            with gr.Tabs(elem_id=element_id("tabs"), selected="create") as tabs:
                with gr.Tab("Tagger", id="tagger", elem_id=element_id("tab_tagger")):
                    tagger = tagger_tab.build(tags)
                with gr.Tab("Dataset", id="dataset", elem_id=element_id("tab_dataset")):
                    dataset_tab.build(token)
                with gr.Tab("Create", id="create", elem_id=element_id("tab_create")):
                    create = create_tab.build(form)
                with gr.Tab("Train", id="train", elem_id=element_id("tab_train")):
                    train = train_tab.build(form, token)
            with gr.Row(elem_classes="tg-hidden"):
                buttons = {name: gr.Button(element_id(name), elem_id=element_id(name)) for name in HIDDEN_BUTTONS}
        create_tab.wire(create, form, service)
        presets_part.wire(train.presets, train.preset, train.message, form, service)
        runs_part.wire(train.runs, train.embedding, train.begin, form, service)
        train_actions.wire(train, form, service)
        live.wire(create, train, buttons, form, service)
        tagger_actions.wire(tagger, tags, service)
        tagger_live.wire(tagger, buttons, tags, service, token)
        chosen = [tabs, train.embedding, train.begin]
        shown = on(create.train_it.click, _train_it, [form.components["embedding.name"]], chosen)
        on(shown.then, None, js=REFRESH)
    for block in page.blocks.values():
        block.do_not_save_to_config = True  # the form remembers by itself, and a label need not be unique for ever
    return page


def _train_it(name: str) -> list[Any]:
    """Go to the Train tab with the embedding chosen that was just created."""
    return [gr.update(selected="train"), gr.update(value=(name or "").strip()), gr.update(value=PRESENT)]
