"""The Tagger tab: folder, tagger, plan and Tag on the first screen, what is seen beside it, the rest below."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from train_gamma.ui import messages
from train_gamma.ui.compat import picture_input
from train_gamma.ui.form import Form
from train_gamma.ui.ids import element_id
from train_gamma.ui.tagger_layout import FIRST_SCREEN, GROUPS, TagGroup, keys
from train_gamma.ui.tagger_panel import skeleton

INTRODUCTION = (
    "A tagger looks at every picture and writes what it sees into a text file beside it, which training then reads "
    "as the picture's caption."
)
LOOK_ALONE = "Drop a picture and press the button. It is in no folder, and nothing is written."


@dataclass(frozen=True, slots=True)
class TaggerTab:
    """The components of the tab that are no settings of a tagging run."""

    told: Any
    tag: Any
    message: Any
    plan: Any
    loaded: Any
    unload: Any
    recommended: Any
    number: Any
    previous: Any
    following: Any
    shown: Any
    counts: Any
    taggers: Any
    backup: Any
    put_back: Any
    backup_message: Any
    picture: Any
    look: Any
    seen: Any


def build(form: Form) -> TaggerTab:
    """Lay the tab out."""
    parts: dict[str, Any] = {}
    with gr.Row(elem_classes="tg-columns"):
        with gr.Column(scale=3, min_width=420):
            parts |= _first_screen(form)
            for group in GROUPS:
                with gr.Accordion(group.title, open=False, elem_id=element_id(f"group_{group.name}")):
                    parts |= _rows(form, group)
            parts |= _below()
        with gr.Column(scale=2, min_width=320, elem_classes="tg-side"):
            gr.HTML(skeleton())
            parts |= _live()
    return TaggerTab(**parts)


def _first_screen(form: Form) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    gr.HTML(messages.quiet(INTRODUCTION))
    for row in FIRST_SCREEN:
        form.place_row(keys(row))
    parts["told"] = gr.HTML(elem_id=element_id("tag_told"))
    parts["plan"] = gr.HTML(elem_id=element_id("tag_plan"))
    with gr.Row():
        parts["tag"] = gr.Button("Tag", variant="primary", elem_id=element_id("tag"))
    parts["message"] = gr.HTML(elem_id=element_id("tag_message"))
    with gr.Row(elem_classes="tg-with-button"):
        parts["loaded"] = gr.HTML(elem_id=element_id("tag_loaded"))
        parts["unload"] = gr.Button("Unload it", size="sm", visible=False, elem_id=element_id("tag_unload_now"))
    return parts


def _rows(form: Form, group: TagGroup) -> dict[str, Any]:
    """The settings of a group, and the button that belongs below the thresholds."""
    parts: dict[str, Any] = {}
    for part in group.parts:
        for row in part.rows:
            form.place_row(keys(row))
            if "threshold_method" in row:
                name = element_id("tag_recommended")
                parts["recommended"] = gr.Button("Recommended thresholds", size="sm", elem_id=name)
    return parts


def _live() -> dict[str, Any]:
    """One picture of the folder, and the tags of all of them."""
    parts: dict[str, Any] = {}
    with gr.Tabs(elem_id=element_id("tag_views")):
        with gr.Tab("One picture", id="one", elem_id=element_id("tag_one")):
            with gr.Row(elem_classes="tg-with-button tg-turning"):
                parts["previous"] = gr.Button("Previous", size="sm", elem_id=element_id("tag_previous"))
                parts["number"] = gr.Number(label="Picture", value=1, precision=0, elem_id=element_id("tag_number"))
                parts["following"] = gr.Button("Next", size="sm", elem_id=element_id("tag_next"))
            parts["shown"] = gr.HTML(elem_id=element_id("tag_shown"))
        with gr.Tab("The whole folder", id="all", elem_id=element_id("tag_all")):
            parts["counts"] = gr.HTML(elem_id=element_id("tag_counts"))
    return parts


def _below() -> dict[str, Any]:
    """What is needed now and then."""
    parts: dict[str, Any] = {}
    with gr.Accordion("Captions as they were", open=False, elem_id=element_id("group_tag_backups")):
        with gr.Row(elem_classes="tg-with-button"):
            parts["backup"] = gr.Dropdown(
                label="Kept before",
                info="What a run over this folder replaced, the newest first.",
                choices=[],
                value="",
                allow_custom_value=True,
                elem_id=element_id("tag_backup"),
            )
            parts["put_back"] = gr.Button("Put these captions back", size="sm", elem_id=element_id("tag_put_back"))
        parts["backup_message"] = gr.HTML(elem_id=element_id("tag_backup_message"))
    with gr.Accordion("Try a single picture", open=False, elem_id=element_id("group_tag_single")):
        gr.HTML(messages.quiet(LOOK_ALONE))
        parts["picture"] = picture_input(label="A picture", height=240, elem_id=element_id("tag_picture"))
        parts["look"] = gr.Button("Tell what is in it", elem_id=element_id("tag_look"))
        parts["seen"] = gr.HTML(elem_id=element_id("tag_seen"))
    with gr.Accordion("Taggers there are", open=False, elem_id=element_id("group_tag_taggers")):
        parts["taggers"] = gr.HTML(elem_id=element_id("tag_taggers"))
    return parts
