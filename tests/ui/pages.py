"""A page over a small host, and the values that a browser would send from its form."""

import functools
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio

from tests.service.small_host import SmallHost
from tests.worlds import write_pictures
from train_gamma.service import Service
from train_gamma.ui import page as page_module
from train_gamma.ui.form import Form
from train_gamma.ui.layout import absent_fields

FAST = {
    "dataset.width": 64,
    "dataset.height": 64,
    "dataset.bucket_step": 8,
    "dataset.bucket_min": 64,
    "dataset.bucket_max": 96,
    "training.max_steps": 3,
    "training.batch_size": 2,
    "training.evaluate_every_n_steps": 0,
    "training.evaluation_batches": 1,
    "output.save_every_n_steps": 2,
}
"""Settings of a run that takes no time."""


def build(service: Service, txt2img: Any = None) -> Any:
    """Build the page with every warning an error, but for the one that gradio itself causes in FastAPI."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=r"\s*on_event is deprecated", category=DeprecationWarning)
        return page_module.build_page(service, "a token", txt2img)


def components(page: Any) -> list[Any]:
    """Everything on the page that people can change or press, without the rows and tabs around it."""
    names = ("textbox", "number", "slider", "dropdown", "checkbox", "checkboxgroup", "radio", "button", "image")
    return [block for block in page.blocks.values() if block.get_block_name() in names]


def by_id(page: Any) -> dict[str, Any]:
    """The components by their id in the browser."""
    return {component.elem_id: component for component in components(page)}


@dataclass
class Filled:
    """A form as somebody has filled it in, and a folder with pictures."""

    form: Form
    service: Service
    pictures: Path

    def values(self, **changes: Any) -> list[Any]:
        """What the browser sends; keys with ``__`` for the dot."""
        shown = {key: self.form.fields[key].shown(self.form.fields[key].default) for key in self.form.components}
        shown |= {key: value for key, value in FAST.items() if key in shown}
        shown["dataset.folder"] = str(self.pictures)
        return list((shown | {key.replace("__", "."): value for key, value in changes.items()}).values())


def filled(host: SmallHost, root: Path) -> Filled:
    """A form without a page around it."""
    if not (root / "pictures").exists():
        write_pictures(root / "pictures")
    return Filled(form_without(frozenset(absent_fields(host))), Service(host), root / "pictures")


@functools.cache
def form_without(absent: frozenset[str]) -> Form:
    """A form with all fields but some; building one takes gradio half a second."""
    form = Form(set(absent))
    with gradio.Blocks():
        for key in form.fields:
            form.place(key)
    return form


def after(form: Form, updates: list[Any], values: list[Any]) -> dict[str, Any]:
    """What the form shows after updates."""
    now = [u["value"] if isinstance(u, dict) and "value" in u else v for u, v in zip(updates, values, strict=True)]
    return dict(zip(form.components, now, strict=True))
