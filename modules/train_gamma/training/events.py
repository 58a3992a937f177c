"""The two one-way objects between a run and the world: events go out, commands come in."""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Started:
    """A run begins, at ``step`` finished steps of ``total_steps``."""

    step: int
    total_steps: int
    folder: Path


@dataclass(frozen=True, slots=True)
class Preparing:
    """Something before the first step takes a while: ``done`` of ``total`` (encoded pictures, say)."""

    what: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Progress:
    """An optimizer step was done.

    loss: mean squared error of its samples. gradient_norm: before clipping. images: pictures in this step.
    vector_norm: mean 2-norm of the rows. seconds: since the loop began, previews and evaluations included.
    """

    step: int
    total_steps: int
    epoch: int
    loss: float
    learning_rate: float
    gradient_norm: float
    vector_norm: float
    images: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The loss on fixed pictures, noise and timesteps after ``step`` steps."""

    step: int
    loss: float


@dataclass(frozen=True, slots=True)
class Saved:
    """A copy of the embedding was written, after ``step`` steps."""

    step: int
    path: Path


@dataclass(frozen=True, slots=True)
class Previewed:
    """The preview pictures after ``step`` steps are in ``paths``, in the order of the prompts."""

    step: int
    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Warned:
    """Something went wrong that does not end the run."""

    step: int
    message: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The run is over. reason: "finished", "stopped", "not finite" or "failed"; path: the embedding, if any."""

    step: int
    reason: str
    path: Path | None


Event = Started | Preparing | Progress | Evaluated | Saved | Previewed | Warned | Finished


class Listener(Protocol):
    """Anything that wants to know how a run is going."""

    def __call__(self, event: Event) -> None:
        """Take one event; called in the thread of the run, so it should return soon."""


class Control:
    """Commands to a run, from any thread. The loop looks at them once a step."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._save = threading.Event()
        self._preview = threading.Event()

    def stop(self) -> None:
        """End the run after the current step, with everything saved."""
        self._stop.set()

    def save_now(self) -> None:
        """Write a copy after the current step."""
        self._save.set()

    def preview_now(self) -> None:
        """Make previews after the current step."""
        self._preview.set()

    @property
    def stop_requested(self) -> bool:
        """Whether the run should end."""
        return self._stop.is_set()

    def take_save(self) -> bool:
        """Whether a copy was asked for since the last time this was called."""
        return _take(self._save)

    def take_preview(self) -> bool:
        """Whether previews were asked for since the last time this was called."""
        return _take(self._preview)


def _take(flag: threading.Event) -> bool:
    was_set = flag.is_set()
    if was_set:
        flag.clear()
    return was_set
