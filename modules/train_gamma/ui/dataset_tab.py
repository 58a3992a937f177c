"""The Dataset tab: the bones of it. The scripts ``javascript/train_gamma_dataset*.js`` fill them from the API."""

from html import escape

import gradio as gr

from train_gamma.ui.dataset_check import check_part, prepare_part, saved_part
from train_gamma.ui.dataset_edits import edit_part
from train_gamma.ui.dataset_lists import grid, tag_list
from train_gamma.ui.dataset_markup import button, choice, entry, tick
from train_gamma.ui.dataset_side import picture_part, prune_part
from train_gamma.ui.ids import element_id

EXTENSIONS = {".txt": ".txt, then .caption", ".caption": ".caption, then .txt"}
"""In which order caption files are looked for, and which ending new ones get."""

PARTS = (
    ("picture", "Picture", picture_part),
    ("edit", "Edit", edit_part),
    ("prune", "Prune", prune_part),
    ("check", "Check", check_part),
    ("prepare", "Prepare", prepare_part),
    ("saved", "Saved", saved_part),
)
"""What the side panel can show."""


def build(token: str) -> None:
    """Lay the tab out.

    Args:
        token: what the script shows to the API to be let in.
    """
    gr.HTML(skeleton(token), elem_id=element_id("dataset"))


def skeleton(token: str) -> str:
    """The tab with nothing in it yet."""
    return f"""
<div class="tg-ds" data-ds-root data-token="{escape(token)}">
  {_bar()}
  <p data-ds="network" class="tg-message tg-warning" role="alert" hidden></p>
  {_banner()}
  <div data-ds="message" role="status" aria-live="polite"></div>
  <p data-ds="start" class="tg-quiet">
    A dataset is a folder of pictures with a text file beside each. Load one to see its tags, take out what the
    embedding is to learn, and be told what is wrong with it. Nothing is written before you press Save.
  </p>
  <div class="tg-ds-columns" data-ds="columns" hidden>{tag_list()}{grid()}{_side()}</div>
  <p class="tg-ds-keys tg-quiet" data-ds="keys" hidden>
    Keys: arrows move in a list, Space ticks or selects, Shift takes a range, Enter shows, Escape goes back to the
    pictures. When you are not typing, Alt with left or right turns pictures over, Ctrl+Z takes a change back and Ctrl+Y
    makes it again.
  </p>
</div>
"""


def _bar() -> str:
    return f"""
<form data-ds="open" class="tg-ds-row tg-ds-bar">
  {entry("folder", "Folder of the dataset", placeholder="a folder on the machine that the program runs on")}
  {tick("recursive", "With sub-folders")}
  {choice("extension", "Caption files", EXTENSIONS)}
  <button type="submit" class="tg-primary">Load</button>
</form>
"""


def _banner() -> str:
    return f"""
<div class="tg-ds-row tg-ds-banner" data-ds="banner" role="group" aria-label="Changes of the dataset" hidden>
  <strong data-ds="summary" aria-live="polite"></strong>
  {button("Undo", "undo", disabled=True)}
  {button("Redo", "redo", disabled=True)}
  {button("Show changes", "diff", disabled=True)}
  {button("Save", "save", primary=True, disabled=True)}
  {button("Discard", "discard", disabled=True)}
</div>
<div class="tg-ds-row tg-message tg-warning" data-ds="conflict" role="alert" hidden>
  <span data-ds="conflict_told"></span>{button("Choose what to do", "conflict")}
</div>
"""


def _side() -> str:
    tabs = "".join(
        f'<button type="button" role="tab" id="{element_id(f"ds_tab_{name}")}" data-ds-tab="{name}" '
        f'aria-controls="{element_id(f"ds_{name}")}" aria-selected="{"true" if name == "picture" else "false"}" '
        f'tabindex="{0 if name == "picture" else -1}">{title}</button>'
        for name, title, _ in PARTS
    )
    panels = "".join(
        f'<div role="tabpanel" id="{element_id(f"ds_{name}")}" data-ds-panel="{name}" '
        f'aria-labelledby="{element_id(f"ds_tab_{name}")}"{"" if name == "picture" else " hidden"}>{make()}</div>'
        for name, _, make in PARTS
    )
    return (
        '<section class="tg-ds-side" aria-label="Picture and tools">'
        f'<div role="tablist" class="tg-ds-tabs" aria-label="Tools">{tabs}</div>'
        f'<div class="tg-ds-panels">{panels}</div></section>'
    )
