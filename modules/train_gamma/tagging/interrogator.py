"""The contract with whatever names what is in a picture.

An interrogator gives a probability for each of its labels; a captioner writes a sentence. Both are described by an
``Entry`` before they are loaded, so that a list of them costs nothing and one that cannot be used says why.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats: TypeAlias = NDArray[np.float32]

GENERAL, CHARACTER, RATING = "general", "character", "rating"
"""The categories that nearly every tagger has. Others: copyright, artist, meta, species, year, quality, model."""

Tell: TypeAlias = Callable[[str, int, int], None]
"""Hears of something that takes a while: what it is, and how much is done of how much (bytes; 0 of 0 when unknown).

It may raise ``jobs.StoppedError`` to end it.
"""


@dataclass(frozen=True, slots=True)
class Label:
    """One thing an interrogator knows.

    Attributes:
        name: as in the model's own list, with underscores and without escapes.
        category: see ``GENERAL``.
        count: of the pictures in the booru that have it, 0 when unknown.
    """

    name: str
    category: str
    count: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One interrogator or captioner that can be chosen.

    Attributes:
        name: what it is chosen by, such as "wd-vit-tagger-v3".
        title: for people, such as "WD ViT tagger v3 (small, fast)".
        kind: what it gives.
        origin: where the description comes from: the project, a file of the user's, a dropped folder, or the host.
        thresholds: the recommended one per category.
        licence: SPDX name, or "" when unknown.
        source: where its files come from, for people.
        ready: whether its files are on this machine.
        problem: why it cannot be used, with what to do; "" when it can, be it after a download.
    """

    name: str
    title: str
    kind: Literal["tagger", "captioner"]
    origin: Literal["project", "file", "folder", "host"]
    thresholds: Mapping[str, float] = field(default_factory=dict)
    licence: str = ""
    source: str = ""
    ready: bool = False
    problem: str = ""


class Interrogator(Protocol):
    """A tagger that is loaded. ``prepare`` may be called from several threads, ``predict`` from one at a time."""

    @property
    def identity(self) -> str:
        """What its probabilities depend on beside the picture: name, files, and the version of the preprocessing."""

    @property
    def labels(self) -> Sequence[Label]:
        """What the columns of ``predict`` are."""

    @property
    def thresholds(self) -> Mapping[str, float]:
        """The recommended threshold per category; ``GENERAL`` is always there."""

    @property
    def most_at_once(self) -> int | None:
        """The most pictures for ``predict``, None for any number."""

    @property
    def device(self) -> str:
        """Where it runs, such as "CPU" or "CUDA"."""

    def prepare(self, picture: Image.Image) -> NDArray[Any]:
        """One picture, RGB, 8 bits, upright, of any size, as one row of a batch."""

    def predict(self, batch: NDArray[Any]) -> Floats:
        """(N, T) probabilities, 0..1, of N prepared pictures and T labels."""

    def close(self) -> None:
        """Free its memory."""


class Captioner(Protocol):
    """Something loaded that writes a sentence about a picture."""

    @property
    def identity(self) -> str:
        """What its sentences depend on beside the picture."""

    @property
    def device(self) -> str:
        """Where it runs."""

    def caption(self, picture: Image.Image) -> str:
        """A sentence on one line, or "" when it has nothing to say. The picture is RGB, 8 bits, upright.

        Raises:
            UserError: if it failed; never a sentence that tells of an error.
        """

    def close(self) -> None:
        """Free its memory."""


class HostInterrogator(Protocol):
    """One that the host brings along."""

    @property
    def entry(self) -> Entry:
        """What it is, and why it cannot be used, if so. Loads nothing."""

    def load(self, tell: Tell) -> Interrogator | Captioner:
        """Load it.

        Raises:
            UserError: if it cannot be loaded.
        """
