"""A host over the model of ``tests.training.plain``: folders in a temporary place, and steps that wait when asked."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.training.plain import PlainBackbone
from tests.worlds import small_config, write_pictures
from train_gamma.backbone import Backbone
from train_gamma.errors import UserError
from train_gamma.host import Folders, LoadedModel
from train_gamma.jobs import Job
from train_gamma.service import Service
from train_gamma.training.config import ModelConfig, RunConfig
from train_gamma.training.events import Control, Listener

PATIENCE_S = 30.0


class GatedBackbone(PlainBackbone):
    """Waits before step ``hold_at``, counted over its life, until ``go`` is set. ``encoding`` is before the steps."""

    def __init__(self, **identity: Any) -> None:
        super().__init__(**identity)
        self.hold_at, self.steps, self.encoding = -1, 0, False
        self.reached, self.go = threading.Event(), threading.Event()

    @contextmanager
    def lend(self, checkpointing: str = "auto") -> Iterator[None]:
        with super().lend(checkpointing):
            self.encoding = checkpointing == "off"  # as nothing is differentiated while pictures are encoded
            yield

    def give_way(self) -> None:
        if self.encoding:
            return
        if self.steps == self.hold_at:
            self.reached.set()
            assert self.go.wait(PATIENCE_S)
        self.steps += 1


class SmallHost:
    """See the module. ``events``, ``published`` and ``lent`` tell what happened."""

    def __init__(self, root: Path, readable: Sequence[Path] = (), backbone: Any = None) -> None:
        self.name, self.lends_loaded_model = "small", True
        places = (root / name for name in ("embeddings", "runs", "presets", "taggers", "kept"))
        self.folders = Folders(*places, tuple(readable), (root / "tag lists",))
        self.backbone = backbone or GatedBackbone()
        self.problems: tuple[str, ...] = ()
        self.turn = threading.Lock()
        self.lent = 0
        self.events: list[Any] = []
        self.published: list[tuple[Path, Path | None]] = []
        self.own_interrogators: tuple[Any, ...] = ()
        self.rooms = 0
        self.counts_tokens = True
        self.failing_reporter = self.failing_publish = False

    def loaded(self) -> LoadedModel:
        return LoadedModel("plain [1111111111]", problems=self.problems, notes=("A LoRA is taken off for the run.",))

    def look(self, model: ModelConfig) -> Backbone:
        backbone: Backbone = self.backbone
        return backbone

    def token_counter(self) -> Callable[[str], int] | None:
        return (lambda text: len(self.backbone.tokenize(text))) if self.counts_tokens else None

    @contextmanager
    def borrow(self, model: ModelConfig, control: Control) -> Iterator[Backbone]:
        while not self.turn.acquire(timeout=0.01):
            if control.stop_requested:
                raise UserError("Stopped while waiting for the model.")
        self.lent += 1
        try:
            yield self.backbone
        finally:
            self.lent -= 1
            self.turn.release()

    def reporter(self, title: str, control: Control) -> Listener:
        def hear(event: Any) -> None:
            self.events.append(event)
            if self.failing_reporter:
                raise RuntimeError("the display is broken")

        return hear

    def interrogators(self) -> Sequence[Any]:
        return self.own_interrogators

    @contextmanager
    def room(self, control: Control) -> Iterator[None]:
        with self.turn:
            self.rooms += 1
            yield

    def publish(self, embedding: Path, preview: Path | None) -> None:
        assert self.lent == 0, "the model is still on loan"
        if self.failing_publish:
            raise RuntimeError("the list is locked")
        self.published.append((embedding, preview))


def small_run(root: Path, **changes: dict[str, Any]) -> RunConfig:
    """A short run whose folders are the host's to fill in, on pictures that are drawn when they are not there."""
    if not (root / "pictures").exists():
        write_pictures(root / "pictures")
    output = {"folder": "", "export_to": "", **changes.pop("output", {})}
    return small_config(root, output=output, **changes)


def done(job: Job, state: str = "finished") -> dict[str, Any]:
    """Wait for the end of a job, which must be ``state``, and return its snapshot."""
    assert job.wait(PATIENCE_S), job.snapshot()
    shown = job.snapshot()
    assert shown["state"] == state, shown
    return shown


def trained(service: Service, config: RunConfig, replace: bool = False) -> dict[str, Any]:
    """Train to the end and return the snapshot."""
    return done(service.train(config, replace))
