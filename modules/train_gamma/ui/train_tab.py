"""The Train tab: the few things a run needs on the first screen, everything else in accordions below."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from train_gamma.ui import messages, presets_part, runs_part
from train_gamma.ui.chosen import BEGINNINGS, PRESENT
from train_gamma.ui.form import Form
from train_gamma.ui.ids import element_id
from train_gamma.ui.layout import GROUPS, Group
from train_gamma.ui.run_panel import skeleton


@dataclass(frozen=True, slots=True)
class TrainTab:
    """The components of the tab that are no fields of the configuration."""

    embedding: Any
    embedding_told: Any
    begin: Any
    preset: Any
    sample: Any
    train: Any
    check: Any
    message: Any
    model: Any
    derived: Any
    report: Any
    read_prompt: Any
    presets: presets_part.PresetsPart
    runs: runs_part.RunsPart


def build(form: Form, token: str) -> TrainTab:
    """Lay the tab out."""
    parts: dict[str, Any] = {}
    with gr.Row(elem_classes="tg-columns"):
        with gr.Column(scale=3, min_width=420):
            parts |= _first_screen(form)
            for group in GROUPS:
                with gr.Accordion(group.title, open=False, elem_id=element_id(f"group_{group.section}")):
                    parts |= _rows(form, group)
            parts["presets"] = presets_part.build()
            parts["runs"] = runs_part.build()
        with gr.Column(scale=2, min_width=320, elem_classes="tg-side"):
            gr.HTML(skeleton(token))
            parts["report"] = gr.HTML(elem_id=element_id("report"))
            gr.HTML(messages.heading("What Train would do"))
            parts["derived"] = gr.HTML(elem_id=element_id("derived"))
            gr.HTML(messages.heading("Model"))
            parts["model"] = gr.HTML(elem_id=element_id("model"))
    return TrainTab(**parts)


def _first_screen(form: Form) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    form.place("model.path")
    with gr.Row():
        parts["embedding"] = gr.Dropdown(
            label="Embedding",
            info="One that exists, or type a new name.",
            choices=[],
            value="",
            allow_custom_value=True,
            elem_id=element_id("embedding"),
        )
        parts["preset"] = gr.Dropdown(
            label="Preset",
            info="Fills the settings below.",
            choices=[],
            value="",
            allow_custom_value=True,
            elem_id=element_id("preset"),
        )
    parts["embedding_told"] = gr.HTML(elem_id=element_id("embedding_told"))
    parts["begin"] = gr.Radio(
        label="Begin with",
        choices=list(BEGINNINGS),
        value=PRESENT,
        visible=False,
        elem_id=element_id("begin"),
    )
    with gr.Row(elem_classes="tg-with-button"):
        form.place("dataset.folder")
        parts["sample"] = gr.Button("Sample dataset", size="sm", elem_id=element_id("sample"))
    with gr.Row():
        parts["train"] = gr.Button("Train", variant="primary", elem_id=element_id("train"))
        parts["check"] = gr.Button("Check", elem_id=element_id("check"))
    parts["message"] = gr.HTML(elem_id=element_id("train_message"))
    return parts


def _rows(form: Form, group: Group) -> dict[str, Any]:
    """The fields of a group, and the button that belongs below the preview prompts."""
    parts: dict[str, Any] = {}
    for part in group.parts:
        if part.heading:
            gr.HTML(messages.heading(part.heading))
        for row in part.rows:
            form.place_row([f"{group.section}.{name}" for name in row.split()])
        if "prompts" in part.rows:
            name = element_id("read_prompt")
            button = gr.Button("Read prompt from txt2img", size="sm", elem_id=name, elem_classes="tg-in-webui")
            parts["read_prompt"] = button
    return parts
