"""The contract with the program Train Gamma runs in: the WebUI, or its own page.

A ``Host`` knows where files belong, lends the model for one job at a time, and makes a finished embedding known to
whatever generates pictures. Jobs, the API and the page are written against it, so all three are the same everywhere.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from train_gamma.backbone import Backbone
from train_gamma.tagging.interrogator import HostInterrogator
from train_gamma.training.config import ModelConfig
from train_gamma.training.events import Control, Listener


@dataclass(frozen=True, slots=True)
class Folders:
    """Where files belong.

    Attributes:
        embeddings: where the host looks for embeddings; finished ones are put here.
        runs: where runs make their folders.
        presets: where presets of this installation are kept.
        taggers: where models that tag pictures are, a folder for each.
        kept: what the program keeps for itself: probabilities of tagged pictures, thumbnails, captions before they were
            changed. Never inside a dataset.
        readable: the folders a request over the network may name files in; empty for all of them, which is right for
            a page that only its own machine reaches.
        tag_lists: where lists of tags for autocomplete may be, as the extension tagcomplete has them; none need exist.
    """

    embeddings: Path
    runs: Path
    presets: Path
    taggers: Path
    kept: Path
    readable: tuple[Path, ...] = ()
    tag_lists: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """The model that a run would be made with now, for people to see.

    Attributes:
        title: name and short hash, "" when no model is loaded yet.
        vae: the VAE in use, "" for the checkpoint's own.
        clip_skip: the host's setting.
        problems: why it cannot be trained on, a sentence each with what to do; empty when it can.
        notes: what is reset for the run, a sentence each (a LoRA left from the last picture, say).
    """

    title: str
    vae: str = ""
    clip_skip: int = 1
    problems: Sequence[str] = ()
    notes: Sequence[str] = ()


class Host(Protocol):
    """What surrounds jobs."""

    @property
    def name(self) -> str:
        """Of the program with its version, such as "AUTOMATIC1111 1.9.4" or "stand-alone"."""

    @property
    def lends_loaded_model(self) -> bool:
        """Whether jobs borrow a model that is loaded already. Then path, device and precision are the host's matter."""

    @property
    def folders(self) -> Folders:
        """Where files belong, as the host's settings have it now."""

    def loaded(self) -> LoadedModel:
        """The model as it is now. Loads nothing and waits for nobody."""

    def look(self, model: ModelConfig) -> Backbone:
        """The model for looking only: identity, token tables, ``tokenize`` and ``token_text``. Waits for no job.

        Raises:
            UserError: if no model is loaded, or the one that ``model`` names cannot be read.
        """

    def token_counter(self) -> Callable[[str], int] | None:
        """Counts the tokens of a text, without begin and end. No model is loaded for it; None where it cannot be."""

    def borrow(self, model: ModelConfig, control: Control) -> AbstractContextManager[Backbone]:
        """The model for one job; whatever was changed on it is as before when the context ends.

        Waits for its turn, and gives up waiting when ``control`` is asked to stop.

        Raises:
            UserError: if the model cannot be trained on, or the job was stopped before it was its turn.
        """

    def reporter(self, title: str, control: Control) -> Listener:
        """What hears a job's events and shows them in the host.

        It also turns the host's own Interrupt into ``control.stop``. The last event is always a ``Finished``.
        """

    def interrogators(self) -> Sequence[HostInterrogator]:
        """What the host brings along that names what is in pictures. Loads nothing."""

    def room(self, control: Control) -> AbstractContextManager[None]:
        """The GPU without the host's model, which is put back when the context ends.

        Waits for its turn, and gives up waiting when ``control`` is asked to stop.
        """

    def publish(self, embedding: Path, preview: Path | None) -> None:
        """Make a file in the embeddings folder usable in the very next picture, with ``preview`` as its card."""
