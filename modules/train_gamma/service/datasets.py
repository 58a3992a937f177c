"""Datasets that are open for looking and editing, as the page and the API have it."""

import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import cast

from train_gamma.captions.change_set import EXAMPLES, ChangeSet
from train_gamma.captions.merging import OnConflict
from train_gamma.captions.rules import RuleSets
from train_gamma.captions.snapshot import Snapshot
from train_gamma.errors import UserError
from train_gamma.host import Host
from train_gamma.jobs import Jobs
from train_gamma.service.completion import Completed
from train_gamma.service.dataset_checks import DatasetChecks
from train_gamma.service.dataset_edits import Planned, Tools, plan_edit
from train_gamma.service.dataset_kohya import export, read_import
from train_gamma.service.dataset_looking import diff_view, mark, picture_page, picture_view, state_of, tag_page
from train_gamma.service.dataset_prepare import DatasetPreparing
from train_gamma.service.dataset_prune import Pruning, prune
from train_gamma.service.dataset_requests import (
    EditRequest,
    ExportRequest,
    FilterRequest,
    ImportRequest,
    PicturesRequest,
    PruneRequest,
    TagsRequest,
)
from train_gamma.service.dataset_selection import chosen, picture_path
from train_gamma.service.dataset_views import (
    DiffView,
    Edited,
    Exported,
    Imported,
    PicturePage,
    PictureView,
    SavedView,
    State,
    TagPage,
)
from train_gamma.service.open_dataset import OpenDataset, OpenDatasets
from train_gamma.service.picture_sizes import PictureSizes
from train_gamma.service.places import check_place
from train_gamma.service.tag_folder import chosen_folder, refuse_kept_inside
from train_gamma.service.tag_lists import TagLists
from train_gamma.service.tag_work import CAPTIONS
from train_gamma.service.tagging import Kept, Tagging
from train_gamma.service.token_counts import TokenCounts
from train_gamma.tagging.cache import stamp_of

RULES, REPAIRS = "rules", "repairs"
"""Folders in ``Folders.kept``."""


class Datasets:
    """Everything that can be done with datasets. Every method may be called from any thread.

    What changes captions takes the version that the caller has seen, and raises ``StaleError`` when it is not the
    current one any more; None for whoever does not care.

    Attributes:
        jobs: examinations and preparations. They need no model, so they run beside a training.
        rules: saved sets of rules for replacing.
        checks: examinations and fixes.
        preparing: cutting, scaling and the like, into a new folder.
    """

    def __init__(self, host: Host, tagging: Tagging) -> None:
        self._host, self._tagging = host, tagging
        self._open = OpenDatasets()
        self._sizes = PictureSizes()
        self._tokens = TokenCounts(host)
        self._lists = TagLists(lambda: host.folders.tag_lists, tagging.catalogue)
        self.jobs = Jobs()
        self.rules = RuleSets(lambda: host.folders.kept / RULES)
        self.checks = DatasetChecks(host, self.jobs, self._tokens, self.get)
        self.preparing = DatasetPreparing(host, self.jobs, self.get)

    # -- looking ------------------------------------------------------------------------------------------------------

    def open(self, folder: str, recursive: bool = False, extension: str = ".txt") -> State:
        """Open a dataset. One that is open already and has no unsaved changes is read again.

        Args:
            folder: of the pictures.
            recursive: whether folders inside it belong to it.
            extension: of new caption files.

        Raises:
            ForbiddenError: if it lies where a request may not look.
            UserError: if it cannot be read, or has no pictures.
        """
        path, kept = chosen_folder(folder, self._host.folders), self._host.folders.kept
        dataset = self._open.open(path, recursive, extension, kept / REPAIRS)
        threading.Thread(target=self._lists.completer, name="train_gamma tag lists", daemon=True).start()
        return self._state(dataset)

    def get(self, name: str) -> OpenDataset:
        """The open dataset of an id.

        Raises:
            ForbiddenError: if it lies where a request may not look any more.
            UnknownError: if it is not open.
        """
        dataset = self._open.get(name)
        check_place("Pictures", dataset.store.folder, self._host.folders)
        return dataset

    def state(self, name: str) -> State:
        """The dataset as a whole."""
        return self._state(self.get(name))

    def tags(self, name: str, request: TagsRequest) -> TagPage:
        """A part of the list of its tags."""
        return tag_page(self.get(name).store, request, self._tokens.count)

    def pictures(self, name: str, request: PicturesRequest) -> PicturePage:
        """A part of its pictures."""
        return picture_page(self.get(name).store, request, self._tokens.count, self._sizes)

    def picture(self, name: str, picture: int) -> PictureView:
        """One picture with all that is known of it.

        Raises:
            UnknownError: if there is no such picture.
        """
        store = self.get(name).store
        seen = self._tagging.confidences(picture_path(store, picture))
        return picture_view(store, picture, self._tokens.count, self._sizes, seen)

    def thumbnail(self, name: str, picture: int, size: int = 256) -> tuple[Callable[[], Path], str]:
        """What makes a small JPEG of a picture, unless it is there already, and the picture's stamp as in the grid.

        Raises:
            UnknownError: if there is no such picture.
        """
        path = picture_path(self.get(name).store, picture)
        stamp = stamp_of(path)
        shown = "" if stamp is None else mark(path, stamp.size, stamp.time)
        return lambda: self._tagging.thumbnail(path, size), shown

    def diff(self, name: str, most: int = EXAMPLES) -> tuple[int, DiffView]:
        """What saving would change, and the version of the captions."""
        store = self.get(name).store
        return store.version, diff_view(store, store.diff(max(0, most)))

    def prune(self, name: str, request: PruneRequest) -> Pruning:
        """What the assistant suggests to take out."""
        return prune(self.get(name).store.captions, request, self._lists, self._tokens)

    def complete(self, name: str, text: str, limit: int = 20) -> tuple[str, list[Completed]]:
        """The list that tags are completed from, and those that fit a text."""
        completer = self._lists.completer()
        return completer.source, completer.complete(text, self.get(name).store.captions, limit)

    # -- editing ------------------------------------------------------------------------------------------------------

    def edit(self, name: str, request: EditRequest) -> Edited:
        """Change captions, or tell what would change.

        Raises:
            StaleError: if they were changed since the caller saw them.
            UserError: if there is no such edit, or it cannot be done.
        """
        dataset = self.get(name)
        with dataset.turn:
            captions, selection = self._meant(dataset, request)
            tools = Tools(self._tokens.count, self.rules)
            planned = plan_edit(captions, request, selection, tools)
            return _done(dataset, planned, request.preview)

    def undo(self, name: str, version: int | None = None) -> str | None:
        """Take the last change back. Returns what it was, None if there is none."""
        dataset = self.get(name)
        with dataset.turn:
            return dataset.store.undo(version)

    def redo(self, name: str, version: int | None = None) -> str | None:
        """Do again what was undone last. Returns what it was, None if there is none."""
        dataset = self.get(name)
        with dataset.turn:
            return dataset.store.redo(version)

    def discard(self, name: str, version: int | None = None) -> str | None:
        """Go back to what was saved last, which can be undone. Returns the label, None if nothing was changed."""
        dataset = self.get(name)
        with dataset.turn:
            return dataset.store.undo_label if dataset.store.discard(version) else None

    def reload(self, name: str, version: int | None = None) -> None:
        """Read pictures and captions again. Changes that were not saved are lost."""
        dataset = self.get(name)
        with dataset.turn:
            dataset.reload(version)

    def import_metadata(self, name: str, request: ImportRequest) -> Imported:
        """Take captions from a metadata file of kohya's scripts, or tell what would change.

        Raises:
            StaleError: if captions were changed since the caller saw them.
            UserError: if the file cannot be read.
        """
        path = self._named_file(request.path)
        if path is None:
            raise UserError("No metadata file is named. Give the path of a .json file.")
        dataset = self.get(name)
        with dataset.turn:
            captions, selection = self._meant(dataset, request)
            found = read_import(captions, dataset.store, request, path, selection)
            edited = _done(dataset, Planned(found.change, f"Import '{path.name}'"), request.preview)
            return Imported(edited, found.matched, found.unmatched)

    # -- files --------------------------------------------------------------------------------------------------------

    def save(self, name: str, on_conflict: str = "refuse", version: int | None = None) -> SavedView:
        """Write the captions that were changed, after a zip of how the files are.

        Raises:
            StaleError: if they were changed since the caller saw them.
            ConflictError: if another program has changed files that would be written.
            UserError: if something cannot be written.
        """
        dataset, folders = self.get(name), self._host.folders
        refuse_kept_inside(dataset.store.folder, folders)
        with dataset.turn:
            try:
                saved = dataset.store.save(folders.kept / CAPTIONS, cast(OnConflict, on_conflict), version)
            finally:
                dataset.touched()
        return SavedView(len(saved.written), len(saved.taken), "" if saved.backup is None else saved.backup.name)

    def backups(self, name: str) -> list[Kept]:
        """The captions before changes of here and of the tagger, the newest first."""
        return self._tagging.backups(str(self.get(name).store.folder))

    def restore(self, name: str, backup: str, version: int | None = None) -> str:
        """Put captions back as they were, and read them again. Returns a sentence.

        Raises:
            UnsavedError: if there are unsaved changes, which would be lost.
            BusyError: if a folder is being tagged.
            UserError: if there is no such backup, or files cannot be written.
        """
        dataset = self.get(name)
        with dataset.turn:
            dataset.check(version)
            dataset.refuse_unsaved("restoring")
            done = self._tagging.restore(str(dataset.store.folder), backup)
            dataset.reload()
        return done

    def export_metadata(self, name: str, request: ExportRequest) -> Exported:
        """Write captions into a metadata file, or return it where no path is given.

        Raises:
            UserError: if the file exists and may not be changed, or cannot be written.
        """
        store = self.get(name).store
        return export(store.captions, store, request, self._named_file(request.path))

    # -- inside -------------------------------------------------------------------------------------------------------

    def _state(self, dataset: OpenDataset) -> State:
        return state_of(dataset, self._tokens.count is not None)

    def _meant(
        self, dataset: OpenDataset, request: EditRequest | ImportRequest
    ) -> tuple[Snapshot, Collection[int] | None]:
        """The captions, if they are those that the caller has seen, and the pictures that are meant."""
        dataset.check(request.version)
        captions = dataset.store.captions
        where: tuple[str, FilterRequest, list[int]] = (request.scope, request.filter, request.selected)
        return captions, chosen(dataset.store, captions, where, self._tokens.count)

    def _named_file(self, text: str) -> Path | None:
        named = text.strip()
        return check_place("Metadata file", named, self._host.folders) if named else None


def _done(dataset: OpenDataset, planned: Planned, preview: bool) -> Edited:
    """Make a change, or show it."""
    change: ChangeSet = planned.change
    if preview:
        diff = diff_view(dataset.store, change.diff())
        return Edited(len(change), change.left_alone, planned.label, diff, planned.matches)
    files = dataset.store.apply(change, planned.label)
    return Edited(files, change.left_alone, planned.label)
