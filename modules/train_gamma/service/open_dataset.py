"""Datasets that somebody has open: one caption store for each, shared by all pages."""

import hashlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from train_gamma.captions.store import EXTENSIONS, CaptionStore, StaleError, open_store
from train_gamma.dataset.pictures import find_pictures
from train_gamma.errors import UserError
from train_gamma.jobs import Job
from train_gamma.service.places import UnknownError
from train_gamma.service.repairs import Examined, Repairs

MOST_OPEN = 8
"""So many stay in memory; one with unsaved changes always does."""
CONFLICTS_S = 5.0
"""So long the answer to whether another program has changed captions is good."""


class UnsavedError(UserError):
    """What is asked for would lose changes that are not saved."""


@dataclass
class OpenDataset:
    """A dataset that is open.

    Attributes:
        id: by which pages name it.
        store: its captions.
        repairs: what was done to its files and can be taken back.
        turn: held by whoever changes captions or files, from the check to the end.
        examined: the last examination, None if there was none.
        job: the last one that examined or prepared it, None if there was none.
    """

    id: str
    store: CaptionStore
    repairs: Repairs
    turn: threading.RLock = field(default_factory=threading.RLock)
    examined: Examined | None = None
    job: Job | None = None
    _conflicts: tuple[float, tuple[int, ...]] | None = None

    @property
    def pictures_key(self) -> str:
        """Another text for another list of pictures, whose indices then mean others."""
        return _hash("|".join(map(str, self.store.pictures)))

    @property
    def title(self) -> str:
        """What people call it."""
        return self.store.folder.name or str(self.store.folder)

    def check(self, version: int | None) -> None:
        """Refuse to do something with captions that are not those that the caller has seen.

        Raises:
            StaleError: if they were changed since.
        """
        if version is not None and version != self.store.version:
            raise StaleError("The captions were changed in another window. Look at them as they are now.")

    def conflicts(self) -> tuple[int, ...]:
        """The pictures whose caption file another program has changed, as of at most ``CONFLICTS_S`` ago."""
        now, known = time.monotonic(), self._conflicts
        if known is None or now - known[0] > CONFLICTS_S:
            known = self._conflicts = (now, tuple(self.store.conflicts()))
        return known[1]

    def touched(self) -> None:
        """Files were written or read again: what was known of them is old."""
        self._conflicts = None
        if self.examined is not None:
            self.examined.outdated = True

    def num_changed(self) -> int:
        """Caption files with unsaved changes."""
        first = self.store.captions.first
        return len({first[picture] for picture in self.store.changed()})

    def refuse_unsaved(self, what: str) -> None:
        """Refuse to do what would lose changes.

        Raises:
            UnsavedError: if there are any.
        """
        changed = self.num_changed()
        if changed:
            raise UnsavedError(
                f"{changed} captions have changes that are not saved, and {what} reads all captions again. Save or "
                "discard the changes first."
            )

    def reload(self, version: int | None = None) -> None:
        """Read the folder again; unsaved changes are lost.

        Raises:
            StaleError: if the captions were changed since the caller saw them.
            UserError: if there are no pictures any more.
        """
        self.store.reload(version)
        self.touched()

    def is_as_on_disk(self) -> bool:
        """Whether pictures and captions in the folder are still those that were read."""
        store = self.store
        return tuple(find_pictures(store.folder, store.recursive)) == store.pictures and not store.conflicts()


class OpenDatasets:
    """The open datasets by id. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opening = threading.Lock()
        self._open: OrderedDict[str, OpenDataset] = OrderedDict()
        self._repairs: dict[str, Repairs] = {}

    def open(self, folder: Path, recursive: bool, extension: str, repairs: Path) -> OpenDataset:
        """Open a dataset. One that is open already is read again, unless it has unsaved changes.

        Args:
            folder: absolute.
            recursive: whether folders inside it belong to it.
            extension: of new caption files.
            repairs: a folder for records of repairs.

        Raises:
            UserError: if the folder cannot be read, or has no pictures.
        """
        extensions = _extensions(extension)
        name = _id(folder, recursive, extensions)
        with self._opening:
            with self._lock:
                found = self._open.get(name)
            is_new = found is None
            if found is None:
                # versions of before the program was started, which a page may still have, are smaller
                store = open_store(folder, recursive, extensions, first_version=time.time_ns() // 1_000_000)
                found = OpenDataset(name, store, self._repairs_of(folder, repairs))
            with self._lock:
                self._open[name] = found
                self._open.move_to_end(name)
            self._forget()
        if not is_new:
            _refresh(found)  # waits for who is at work on it, and nobody else waits for that
        return found

    def _repairs_of(self, folder: Path, repairs: Path) -> Repairs:
        """The record of a folder's repairs, one for all ways in which it is open."""
        key = _hash(os.path.normcase(folder))
        if key not in self._repairs:
            self._repairs[key] = Repairs(repairs / f"{key}.json")
        return self._repairs[key]

    def get(self, name: str) -> OpenDataset:
        """The dataset of an id.

        Raises:
            UnknownError: if it is not open.
        """
        with self._lock:
            found = self._open.get(name)
            if found is not None:
                self._open.move_to_end(name)
        if found is None:
            raise UnknownError("This dataset is not open any more. Load it again.")
        return found

    def _forget(self) -> None:
        with self._lock:
            kept = list(self._open.values())[:-1]
            surplus = len(self._open) - MOST_OPEN
            for dataset in [one for one in kept if not one.store.changed()][: max(0, surplus)]:
                del self._open[dataset.id]


def _refresh(dataset: OpenDataset) -> None:
    with dataset.turn:
        if not dataset.store.changed() and not dataset.is_as_on_disk():
            dataset.reload()


def _extensions(extension: str) -> tuple[str, ...]:
    """Those of caption files, the one for new ones first."""
    first = extension.strip().lower()
    first = first if first.startswith(".") else f".{first}"
    if len(first) < 2 or not first[1:].isalnum():
        raise UserError(f"Extension '{extension}' must be letters and digits, such as .txt or .caption.")
    if first in (".json", ".npz", ".zip") or first[1:] in _OF_PICTURES:
        raise UserError(f"Extension '{extension}' is not that of a text file. Use .txt or .caption.")
    return (first, *(other for other in EXTENSIONS if other != first))


_OF_PICTURES = ("png", "jpg", "jpeg", "webp", "bmp", "gif", "avif")


def _id(folder: Path, recursive: bool, extensions: Sequence[str]) -> str:
    return _hash(f"{os.path.normcase(folder)}|{recursive}|{extensions[0]}")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]
