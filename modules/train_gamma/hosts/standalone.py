"""Train Gamma as a program of its own: models by their path, embeddings in a folder of its own."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import torch

from train_gamma import __version__, atomic
from train_gamma.backbone import Backbone
from train_gamma.embedding.embedding import SHORT_HASH_LENGTH
from train_gamma.errors import UserError
from train_gamma.host import Folders, LoadedModel
from train_gamma.hosts.loaded_models import LoadedModels
from train_gamma.hosts.token_counting import token_counter
from train_gamma.tagging.interrogator import HostInterrogator
from train_gamma.training.config import ModelConfig
from train_gamma.training.events import Control, Event, Finished, Listener, Saved, Started, Warned

POLL_SECONDS = 0.2

log = logging.getLogger("train_gamma")


class StandaloneHost:
    """A ``Host`` without a WebUI. The model that was loaded last stays loaded.

    Args:
        data: the folder for embeddings, runs and presets; they are made when they are needed.
        readable: the folders that requests may name files in; empty for all, which is right on one's own machine.
    """

    def __init__(self, data: Path, readable: Sequence[Path] = ()) -> None:
        data = data.expanduser().resolve()
        allowed = (data, *(path.expanduser().resolve() for path in readable)) if readable else ()
        self._folders = Folders(
            data / "embeddings",
            data / "runs",
            data / "presets",
            data / "taggers",
            data / "kept",
            allowed,
            (data / "tags",),
        )
        self._models = LoadedModels()
        self._turn = threading.Lock()

    @property
    def name(self) -> str:
        """See ``Host``."""
        return f"Train Gamma {__version__}, stand-alone"

    @property
    def lends_loaded_model(self) -> bool:
        """See ``Host``: each run names its checkpoint."""
        return False

    @property
    def folders(self) -> Folders:
        """See ``Host``."""
        return self._folders

    def loaded(self) -> LoadedModel:
        """See ``Host``."""
        model = self._models.newest
        if model is None:
            return LoadedModel("")
        identity = model.identity
        title = f"{identity.model_name} [{identity.model_hash[:SHORT_HASH_LENGTH]}]"
        return LoadedModel(title, identity.vae_name, identity.clip_skip)

    def look(self, model: ModelConfig) -> Backbone:
        """See ``Host``. The first look at a model loads it."""
        return self._models.get(model, keep_others=self._turn.locked())

    def token_counter(self) -> Callable[[str], int] | None:
        """Counts with CLIP's vocabulary, which the project has."""
        return token_counter()

    def borrow(self, model: ModelConfig, control: Control) -> AbstractContextManager[Backbone]:
        """See ``Host``."""
        return self._borrowed(model, control)

    def reporter(self, title: str, control: Control) -> Listener:  # noqa: ARG002 - Ctrl-C is the program's own matter
        """See ``Host``: what matters goes to the log."""
        return lambda event: _tell(title, event)

    def interrogators(self) -> Sequence[HostInterrogator]:
        """See ``Host``: none."""
        return ()

    def room(self, control: Control) -> AbstractContextManager[None]:
        """See ``Host``: the model that was loaded last is forgotten, and loaded again when it is needed."""
        return self._without_model(control)

    def publish(self, embedding: Path, preview: Path | None) -> None:
        """See ``Host``: the preview lies beside the embedding, where the WebUI looks for cards as well."""
        if preview is not None:
            card = embedding.with_name(f"{embedding.stem}.preview.png")
            atomic.write_bytes(card, preview.read_bytes())

    @contextmanager
    def _borrowed(self, model: ModelConfig, control: Control) -> Iterator[Backbone]:
        with self._my_turn(control):
            backbone = self._models.get(model)
            with _threads_for(model):
                yield backbone

    @contextmanager
    def _without_model(self, control: Control) -> Iterator[None]:
        with self._my_turn(control):
            self._models.forget()
            yield

    @contextmanager
    def _my_turn(self, control: Control) -> Iterator[None]:
        while not self._turn.acquire(timeout=POLL_SECONDS):
            if control.stop_requested:
                raise UserError("Stopped while another job had the model.")
        try:
            yield
        finally:
            self._turn.release()


@contextmanager
def _threads_for(model: ModelConfig) -> Iterator[None]:
    """One thread for the miniature, which is so small that threads mostly wait for each other."""
    before = torch.get_num_threads()
    if model.path in ("", "miniature"):
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _tell(title: str, event: Event) -> None:
    if isinstance(event, Started):
        log.info("%s: training from step %d of %d in %s", title, event.step, event.total_steps, event.folder)
    elif isinstance(event, Saved):
        log.info("%s: step %d saved as %s", title, event.step, event.path)
    elif isinstance(event, Warned):
        log.warning("%s: %s", title, event.message)
    elif isinstance(event, Finished):
        log.info("%s: %s after %d steps", title, event.reason, event.step)
