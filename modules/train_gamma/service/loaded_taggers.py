"""The tagger and the captioner that are in memory: one of each at most, shared by runs and single pictures."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from train_gamma.errors import UserError
from train_gamma.jobs import BusyError
from train_gamma.jobs.memory import gpu_is_there
from train_gamma.tagging.cache import Cache, KnownModel
from train_gamma.tagging.catalogue import Catalogue
from train_gamma.tagging.interrogator import Captioner, Entry, Interrogator, Tell


@dataclass(frozen=True, slots=True)
class _Loaded:
    key: tuple[str, str, str]  # name, the device that was asked for, stamp of the files
    model: Interrogator | Captioner


class LoadedTaggers:
    """See the module. Every method may be called from any thread.

    Attributes:
        turn: held by whoever uses what is loaded; a run holds it for each batch only.
    """

    def __init__(self, catalogue: Catalogue, refuse: Callable[[], None] = lambda: None) -> None:
        """Nothing is loaded yet.

        Args:
            catalogue: of what can be.
            refuse: raises ``BusyError`` while there is no room for anything but a training.
        """
        self.turn = threading.RLock()
        self._catalogue, self._refuse = catalogue, refuse
        self._loaded: dict[str, _Loaded] = {}
        self._is_run = False

    @contextmanager
    def run(self, free: bool) -> Iterator[None]:
        """For as long as a run uses what is loaded, nobody else puts another model in its place.

        Args:
            free: unload at the end.
        """
        self._is_run = True
        try:
            yield
        finally:
            self._is_run = False
            if free:
                self.unload()

    def tagger(self, name: str, device: str, cache: Cache, tell: Tell, for_run: bool = False) -> Interrogator:
        """The tagger of that name, loaded now if it is not, in place of the one before.

        What its rows are about is remembered in ``cache``.

        Raises:
            BusyError: if a run uses another one; not for the run itself.
            UserError: if there is none, it is no tagger, or it cannot be loaded.
        """
        entry = find_tagger(self._catalogue, name)
        loaded = self._get(entry, device, tell, for_run)
        model = cast(Interrogator, loaded.model)
        cache.know(entry.name, KnownModel(model.identity, tuple(model.labels), dict(model.thresholds), loaded.key[2]))
        return model

    def captioner(self, name: str, device: str, cache: Cache, tell: Tell, for_run: bool = False) -> Captioner:
        """The captioner of that name, likewise."""
        entry = find_captioner(self._catalogue, name)
        loaded = self._get(entry, device, tell, for_run)
        cache.know(entry.name, KnownModel(loaded.model.identity, stamp=loaded.key[2]))
        return cast(Captioner, loaded.model)

    def notes(self, kind: str) -> list[str]:
        """Why the loaded tagger or captioner is not on the GPU, where one is in the machine."""
        loaded = self._loaded.get(kind)
        note = "" if loaded is None else str(getattr(loaded.model, "note", ""))
        return [note] if note and gpu_is_there() else []

    def device(self, kind: str) -> str:
        """Where the loaded tagger or captioner runs, "" if there is none."""
        loaded = self._loaded.get(kind)
        return "" if loaded is None else loaded.model.device

    def unload(self) -> str:
        """Free the memory. Returns the names of what was there, "" if there was nothing."""
        with self.turn:
            names = [loaded.key[0] for loaded in self._loaded.values()]
            for kind in list(self._loaded):
                self._loaded.pop(kind).model.close()
        return " and ".join(names)

    @property
    def shown(self) -> str:
        """What is there and where it runs, such as "wd-vit-tagger-v3 on CPU"; "" if nothing is."""
        return ", ".join(f"{loaded.key[0]} on {loaded.model.device}" for loaded in list(self._loaded.values()))

    def _get(self, entry: Entry, device: str, tell: Tell, for_run: bool) -> _Loaded:
        with self.turn:
            there = self._loaded.get(entry.kind)
            if there is not None and there.key == (entry.name, device, self._catalogue.stamp(entry.name)):
                return there
            if self._is_run and not for_run:
                raise BusyError(
                    f"A folder is being tagged, and there is no room for '{entry.name}' beside the model that does it. "
                    "Stop it, or wait for its end."
                )
            if not for_run:
                self._refuse()
            if there is not None:
                self._loaded.pop(entry.kind).model.close()
            model = self._catalogue.load(entry.name, device, tell)
            key = (entry.name, device, self._catalogue.stamp(entry.name))  # with the files, which may be new now
            loaded = self._loaded[entry.kind] = _Loaded(key, model)
            return loaded


def find_tagger(catalogue: Catalogue, name: str) -> Entry:
    """The tagger that settings name.

    Raises:
        UserError: if there is none, or it writes sentences.
    """
    entry = _find(catalogue.entry, name, "Tagger")
    if entry.kind != "tagger":
        raise UserError(f"'{name}' writes sentences. Choose it as 'Sentence from', and a tagger as 'Tagger'.")
    return entry


def find_captioner(catalogue: Catalogue, name: str) -> Entry:
    """The captioner that settings name.

    Raises:
        UserError: if there is none, or it gives tags.
    """
    entry = _find(catalogue.entry, name, "Sentence from")
    if entry.kind != "captioner":
        raise UserError(f"'{name}' gives tags. Choose it as 'Tagger', and leave 'Sentence from' empty.")
    return entry


def _find(entry: Callable[[str], Entry], name: str, label: str) -> Entry:
    if not name.strip():
        raise UserError(f"{label} is not set. Choose one of the list.")
    return entry(name)
