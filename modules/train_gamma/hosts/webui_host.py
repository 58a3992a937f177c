"""The WebUI as a ``Host``: its folders, its model, its progress bar and its embeddings."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import cast

from train_gamma.backbone import Backbone
from train_gamma.host import Folders, LoadedModel
from train_gamma.hosts.detect import host_kind, host_name
from train_gamma.hosts.turns import with_turns
from train_gamma.hosts.webui_access import read_folders
from train_gamma.hosts.webui_publish import publish
from train_gamma.hosts.webui_state import StateMirror
from train_gamma.tagging.interrogator import HostInterrogator
from train_gamma.training.config import ModelConfig
from train_gamma.training.events import Control, Listener


class WebuiHost:
    """A ``Host`` over AUTOMATIC1111's loaded model, or over the checkpoint file that Forge or reForge has chosen."""

    def __init__(self) -> None:
        self._name = host_name()
        self._live = host_kind() == "a1111"
        self._latest: tuple[Control, StateMirror] | None = None
        self._borrowing: StateMirror | None = None

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
        """What shows the job that has the model now."""
        return self._borrowing

    def loaded(self) -> LoadedModel:
        """The model as it is now. Loads nothing and waits for nobody."""
        return cast(LoadedModel, self._lender().describe_loaded())

    def look(self, model: ModelConfig) -> Backbone:
        """The model for looking only.

        Raises:
            UserError: if no model is loaded, or the one that ``model`` names cannot be read.
        """
        return cast(Backbone, self._lender().look(model))

    @contextmanager
    def borrow(self, model: ModelConfig, control: Control) -> Iterator[Backbone]:
        """The model for one job, in the WebUI's queue and shown in its state.

        Raises:
            UserError: if the model cannot be trained on, or the job was stopped before it was its turn.
        """
        mirror = self._mirror_of(control)
        mirror.queue()
        try:
            with self._lender().borrowed(model, control) as backbone, self._shown(mirror):
                yield with_turns(backbone, lambda: mirror.give_way(backbone.give_way))
        finally:
            mirror.leave()

    def reporter(self, title: str, control: Control) -> Listener:
        """Shows the job in the WebUI's state; the WebUI's Interrupt becomes ``control.stop``."""
        mirror = self._mirror_of(control)
        mirror.title = title
        return mirror

    def interrogators(self) -> Sequence[HostInterrogator]:
        """DeepDanbooru and BLIP."""
        return ()

    def room(self, control: Control) -> AbstractContextManager[None]:
        """The GPU without the loaded checkpoint, in the WebUI's queue."""
        raise NotImplementedError

    def publish(self, embedding: Path, preview: Path | None) -> None:
        """Make ``embedding`` usable in the very next picture, with ``preview`` on its card. Not inside of a loan."""
        publish(embedding, preview)

    @contextmanager
    def _shown(self, mirror: StateMirror) -> Iterator[None]:
        mirror.begin()
        self._borrowing = mirror
        try:
            yield
        finally:
            self._borrowing = None
            mirror.end()

    def _mirror_of(self, control: Control) -> StateMirror:
        """One for each job, whether it is reported or lent to first."""
        if self._latest is None or self._latest[0] is not control:
            self._latest = (control, StateMirror("Train Gamma", control))
        return self._latest[1]

    def _lender(self) -> ModuleType:
        return import_module("train_gamma.hosts." + ("webui_backbone" if self._live else "webui_path"))
