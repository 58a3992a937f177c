"""A tagger that sees colours and a captioner that names them, so that what they say is known beforehand."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from train_gamma.errors import UserError
from train_gamma.tagging.interrogator import CHARACTER, GENERAL, RATING, Entry, Floats, Label

LABELS = (
    Label("safe", RATING),
    Label("risky", RATING),
    Label("red_sky", GENERAL, 30),
    Label("green_(leaf)", GENERAL, 20),
    Label("blue", GENERAL, 10),
    Label("never", GENERAL),
    Label("grey_lady", CHARACTER),
)
Colour = tuple[int, int, int]
PATIENCE_S = 20.0


def truth(colour: Colour) -> list[float]:
    """What the tagger says of a picture of one colour, computed without it."""
    red, green, blue = (value / 255 for value in colour)
    return [1 - red / 2, red / 2, red, green, blue, 0.0, min(red, green, blue)]


@dataclass
class ColourTagger:
    """See the module. ``asked`` has the size of each batch; ``fail`` may raise for one."""

    most_at_once: int | None = None
    identity: str = "colours 1"
    fail: Callable[[Any], None] = lambda _batch: None
    asked: list[int] = field(default_factory=list)
    prepared: list[int] = field(default_factory=list)
    closed: bool = False
    gate: threading.Event | None = None
    reached: threading.Event = field(default_factory=threading.Event)
    labels: Sequence[Label] = LABELS
    thresholds: Mapping[str, float] = field(default_factory=lambda: {GENERAL: 0.4, CHARACTER: 0.7})
    device: str = "CPU"

    def prepare(self, picture: Image.Image) -> Any:
        assert picture.mode == "RGB"
        self.prepared.append(threading.get_ident())
        return np.asarray(picture, np.float32).mean(axis=(0, 1))

    def predict(self, batch: Any) -> Floats:
        assert not self.closed
        if self.gate is not None and self.asked:
            self.reached.set()
            assert self.gate.wait(PATIENCE_S)
        self.fail(batch)
        self.asked.append(len(batch))
        return np.array([truth(tuple(row)) for row in batch], np.float32)

    def close(self) -> None:
        self.closed = True


@dataclass
class ColourCaptioner:
    """Says which colour is the strongest, and fails at what is black."""

    identity: str = "sayer 1"
    device: str = "CPU"
    asked: int = 0
    closed: bool = False

    def caption(self, picture: Image.Image) -> str:
        assert not self.closed
        self.asked += 1
        colour = np.asarray(picture, np.float64).mean(axis=(0, 1))
        if not colour.any():
            raise UserError("The captioner sees nothing.")
        return f"a  picture of\n{('red', 'green', 'blue')[int(colour.argmax())]}"

    def close(self) -> None:
        self.closed = True


@dataclass
class Brought:
    """A ``HostInterrogator`` that counts how often it is loaded."""

    entry: Entry
    make: Callable[[], Any]
    loads: int = 0
    latest: Any = None

    def load(self, tell: Any) -> Any:
        tell("Loading colours", 1_000_000, 2_000_000)
        self.loads += 1
        self.latest = self.make()
        return self.latest


def brought_tagger(make: Callable[[], Any] = ColourTagger, name: str = "colours") -> Brought:
    return Brought(Entry(name, "Colours", "tagger", "host", {GENERAL: 0.4}, ready=True), make)


def brought_captioner(make: Callable[[], Any] = ColourCaptioner) -> Brought:
    return Brought(Entry("sayer", "Sayer", "captioner", "host", ready=True), make)


def draw(path: Path, colour: Colour, size: tuple[int, int] = (8, 6)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, "PNG")
    return path


RED, GREEN, BLUE, PINK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 120, 150)


def draw_all(folder: Path) -> list[Path]:
    """Four pictures with names in natural order."""
    return [draw(folder / f"{k}.png", colour) for k, colour in enumerate((RED, GREEN, BLUE, PINK), 1)]
