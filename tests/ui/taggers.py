"""A tagger's form as somebody has filled it in, over a small host with a small tagger in a real ONNX file."""

import functools
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.service.small_host import PATIENCE_S, SmallHost, done
from tests.tagging.models import write_wd
from tests.worlds import write_pictures
from train_gamma.service import Service
from train_gamma.tagging.interrogator import Entry, Floats, Interrogator, Label, Tell
from train_gamma.ui import tagger_actions
from train_gamma.ui.form import Form
from train_gamma.ui.tagger_form import tag_form

NAME = "small"
WITHOUT_CAPTION = ("4", "5", "6")
"""Of the seven pictures."""


@dataclass
class FilledTagger:
    """The form, and a folder with seven pictures, of which some have captions."""

    form: Form
    service: Service
    pictures: Path

    def values(self, **changes: Any) -> list[Any]:
        """What the browser sends; names of settings, without their section."""
        shown = {key: self.form.fields[key].shown(self.form.fields[key].default) for key in self.form.components}
        chosen = {"folder": str(self.pictures), "model": NAME, **changes}
        return list((shown | {f"tag.{name}": value for name, value in chosen.items()}).values())

    def tag(self, **changes: Any) -> dict[str, Any]:
        """Press Tag and wait for the end."""
        tagger_actions.tag(self.service, self.form, *self.values(**changes))
        job = self.service.jobs.latest
        assert job is not None
        return done(job)


def filled_tagger(root: Path, **model: Any) -> FilledTagger:
    """A form without a page around it. ``model`` is what the small tagger is made of, see ``write_model``."""
    host = SmallHost(root)
    write_wd(host.folders.taggers / NAME, **model)
    pictures = write_pictures(root / "pictures")
    for name in WITHOUT_CAPTION:
        (pictures / f"{name}.txt").unlink()
    return FilledTagger(_form(), Service(host), pictures)


@functools.cache
def _form() -> Form:
    form = tag_form()
    with gradio.Blocks():
        for key in form.fields:
            form.place(key)
    return form


class GatedTagger:
    """A tagger that the host brings along, which waits before picture ``hold_at`` until ``go`` is set.

    It sees "red" as probable as the mean red of a picture is, and likewise "green" and "blue".
    """

    identity, device, most_at_once = "gated 1", "CPU", 1
    thresholds: Mapping[str, float] = {"general": 0.5}
    labels = tuple(Label(name, "general") for name in ("red", "green", "blue"))

    def __init__(self) -> None:
        self.hold_at, self.pictures = -1, 0
        self.reached, self.go = threading.Event(), threading.Event()

    @property
    def entry(self) -> Entry:
        return Entry("gated", "Gated tagger", "tagger", "host", self.thresholds, ready=True)

    def load(self, tell: Tell) -> Interrogator:
        return self

    def prepare(self, picture: Image.Image) -> NDArray[Any]:
        return np.asarray(picture, np.float32).mean((0, 1)) / np.float32(255)

    def predict(self, batch: NDArray[Any]) -> Floats:
        if self.pictures == self.hold_at:
            self.reached.set()
            assert self.go.wait(PATIENCE_S)
        self.pictures += len(batch)
        return np.asarray(batch, np.float32)

    def close(self) -> None:
        pass
