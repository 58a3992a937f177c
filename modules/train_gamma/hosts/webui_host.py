"""The WebUI as a ``Host``: its folders, its model, its progress bar and its embeddings."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import cast

from train_gamma.backbone import Backbone
from train_gamma.host import Folders, LoadedModel
from train_gamma.hosts.detect import host_kind, host_name
from train_gamma.hosts.token_counting import token_counter
from train_gamma.hosts.turns import with_turns
from train_gamma.hosts.webui_access import read_folders
from train_gamma.hosts.webui_interrogators import interrogators
from train_gamma.hosts.webui_publish import publish
from train_gamma.hosts.webui_reporter import WebuiReporter
from train_gamma.hosts.webui_room import Gpu
from train_gamma.hosts.webui_state import StateMirror
from train_gamma.tagging.interrogator import HostInterrogator
from train_gamma.training.config import ModelConfig
from train_gamma.training.events import Control, Listener


class WebuiHost:
    """A ``Host`` over AUTOMATIC1111's loaded model, or over the checkpoint file that Forge or reForge has chosen."""

    def __init__(self) -> None:
        self._name = host_name()
        self._live = host_kind() == "a1111"
        self._gpu = Gpu()
        self._latest: tuple[Control, WebuiReporter] | None = None

    @property
    def name(self) -> str:
        """Family and version of the WebUI."""
        return self._name

    @property
    def lends_loaded_model(self) -> bool:
        """True but for Forge and reForge, whose models let no gradient through."""
        return self._live

    @property
    def folders(self) -> Folders:
        """As the flags and settings are now."""
        from modules import paths_internal, shared

        return read_folders(shared, Path(paths_internal.data_path))

    @property
    def mirror(self) -> StateMirror | None:
        """What shows the job that runs now, None if it waits for the model or there is none."""
        mirror = self._latest[1].mirror if self._latest is not None else None
        return mirror if mirror is not None and mirror.begun else None

    def loaded(self) -> LoadedModel:
        """The model as it is now. Loads nothing and waits for nobody."""
        return cast(LoadedModel, self._lender().describe_loaded())

    def look(self, model: ModelConfig) -> Backbone:
        """The model for looking only.

        Raises:
            UserError: if no model is loaded, or the one that ``model`` names cannot be read.
        """
        return cast(Backbone, self._lender().look(model))

    def token_counter(self) -> Callable[[str], int] | None:
        """Counts with CLIP's vocabulary, which the project has."""
        return token_counter()

    @contextmanager
    def borrow(self, model: ModelConfig, control: Control) -> Iterator[Backbone]:
        """The model for one job, in the WebUI's queue and shown in its state.

        Raises:
            UserError: if the model cannot be trained on, or the job was stopped before it was its turn.
        """
        mirror = self._reporter_of(control).mirror
        with _waiting(mirror), self._lender().borrowed(model, control) as backbone, _shown(mirror):
            yield with_turns(backbone, lambda: mirror.give_way(backbone.give_way))

    def reporter(self, title: str, control: Control) -> Listener:
        """Shows the job in the WebUI's state; the WebUI's Interrupt becomes ``control.stop``."""
        reporter = self._reporter_of(control)
        reporter.mirror.title = title
        return reporter

    def interrogators(self) -> Sequence[HostInterrogator]:
        """DeepDanbooru and BLIP, which use the GPU for a batch at a time, in the WebUI's queue."""
        return interrogators(self._gpu.moment)

    @contextmanager
    def room(self, control: Control) -> Iterator[None]:
        """The GPU without the loaded checkpoint, in the WebUI's queue and shown in its state.

        Whoever waits for the queue gets it between two events of the job, with the checkpoint back in its place.

        Raises:
            UserError: if the job was stopped before it was its turn.
        """
        reporter = self._reporter_of(control)
        with _waiting(reporter.mirror), self._gpu.room(control) as give_way, _shown(reporter.mirror):
            reporter.give_way = give_way
            try:
                yield
            finally:
                reporter.give_way = None

    def publish(self, embedding: Path, preview: Path | None) -> None:
        """Make ``embedding`` usable in the very next picture, with ``preview`` on its card. Not inside of a loan."""
        publish(embedding, preview)

    def _reporter_of(self, control: Control) -> WebuiReporter:
        """One for each job, whether it is reported or lent to first."""
        if self._latest is None or self._latest[0] is not control:
            self._latest = (control, WebuiReporter(StateMirror("Train Gamma", control)))
        return self._latest[1]

    def _lender(self) -> ModuleType:
        return import_module("train_gamma.hosts." + ("webui_backbone" if self._live else "webui_path"))


@contextmanager
def _waiting(mirror: StateMirror) -> Iterator[None]:
    mirror.queue()
    try:
        yield
    finally:
        mirror.leave()


@contextmanager
def _shown(mirror: StateMirror) -> Iterator[None]:
    mirror.begin()
    try:
        yield
    finally:
        mirror.end()
