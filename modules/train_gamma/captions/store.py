"""The captions of one dataset in memory: edited there, undone and looked at, and written only when asked to.

Reading methods never wait: they look at a snapshot, which is never changed. Methods that change something take turns.
Each may be given the version that its caller has seen, and refuses when somebody else was faster.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from train_gamma.captions.caption_folder import OnDisk, list_captions, read_caption_file
from train_gamma.captions.change_set import EXAMPLES, ChangeSet, Diff
from train_gamma.captions.files import write_captions
from train_gamma.captions.history import STEPS, History, Step
from train_gamma.captions.merging import OnConflict, settle
from train_gamma.captions.snapshot import Snapshot, take_snapshot
from train_gamma.captions.state import Caption, State
from train_gamma.captions.words import NO_WORDS, Words
from train_gamma.errors import UserError

EXTENSIONS = (".txt", ".caption")


class StaleError(UserError):
    """What somebody wants to change is not what they saw."""


class ConflictError(UserError):
    """Caption files were changed by another program since they were loaded. ``pictures`` are their indices."""

    def __init__(self, message: str, pictures: Sequence[int]) -> None:
        super().__init__(message)
        self.pictures = tuple(pictures)


@dataclass(frozen=True, slots=True)
class Saved:
    """What ``save`` did.

    Attributes:
        written: the caption files that were changed.
        backup: the zip of how they were, None if nothing had to be written.
        taken: files that another program had changed, of which that version was taken over or merged.
    """

    written: tuple[Path, ...]
    backup: Path | None
    taken: tuple[Path, ...] = ()


class CaptionStore:
    """The captions of one dataset. Every method may be called from any thread.

    Attributes:
        folder: of the dataset.
        recursive: whether folders inside it belong to it.
        extensions: of caption files, the first for new ones.
    """

    def __init__(
        self,
        folder: Path,
        recursive: bool,
        extensions: Sequence[str] = EXTENSIONS,
        escape: bool = True,
        first_version: int = 0,
    ) -> None:
        self.folder, self.recursive, self.extensions = folder, recursive, tuple(extensions)
        self._escape = escape
        self._lock = threading.RLock()
        self._history = History(STEPS)
        self._state = self._load(first_version)

    @property
    def pictures(self) -> tuple[Path, ...]:
        """The pictures, in natural order."""
        return self._state.folder.pictures

    @property
    def version(self) -> int:
        """A number that grows with every change of a caption."""
        return self._state.captions.version

    @property
    def captions(self) -> Snapshot:
        """All captions at this moment, for edits and filters."""
        return self._state.captions

    @property
    def undo_label(self) -> str | None:
        """What ``undo`` would take back, None when there is nothing."""
        return self._history.undo_label

    @property
    def redo_label(self) -> str | None:
        """What ``redo`` would do again, None when there is nothing."""
        return self._history.redo_label

    def caption(self, picture: int) -> Caption:
        """The caption of a picture.

        Raises:
            UserError: if there is no such picture.
        """
        return self._state.caption(picture)

    def changed(self) -> list[int]:
        """The pictures whose caption is not what is in the file."""
        return self._state.changed()

    def diff(self, most: int = EXAMPLES) -> Diff:
        """What ``save`` would change."""
        return self._state.diff(most)

    def conflicts(self) -> list[int]:
        """The pictures whose caption file is not what it was when it was loaded, by its bytes."""
        state = self._state
        differing = state.differing()
        return [picture for picture, first in enumerate(state.folder.first) if first in differing]

    def apply(self, change: ChangeSet, label: str, version: int | None = None) -> int:
        """Make a change.

        Args:
            change: made from ``captions``.
            label: what was done, for undo.
            version: that the caller has seen.

        Returns:
            The number of caption files that differ from before.

        Raises:
            StaleError: if these captions were changed since then.
        """
        with self._lock:
            self._check(version)
            words = self._state.captions.words
            if any(words[picture] != old for picture, old in change.old.items()):
                raise StaleError(_STALE)
            if change.new:
                self._step(label, change.new)
            return len(change)

    def undo(self, version: int | None = None) -> str | None:
        """Take the last change back. Returns what it was, or None if there is none.

        Raises:
            StaleError: if the captions were changed since the caller saw them.
        """
        with self._lock:
            self._check(version)
            step = self._history.undo()
            return None if step is None else self._show(step.label, step.old)

    def redo(self, version: int | None = None) -> str | None:
        """Do again what was undone last. Returns what it was, or None if there is none.

        Raises:
            StaleError: if the captions were changed since the caller saw them.
        """
        with self._lock:
            self._check(version)
            step = self._history.redo()
            return None if step is None else self._show(step.label, step.new)

    def discard(self, version: int | None = None) -> int:
        """Go back to what was read from the files or saved last; this can be undone. Returns the number of files.

        Raises:
            StaleError: if the captions were changed since the caller saw them.
        """
        with self._lock:
            self._check(version)
            state = self._state
            old = {i: state.disk[i].words for i in state.changed_files()}
            if old:
                self._step("Discard changes", old)
            return len(old)

    def reload(self, version: int | None = None) -> None:
        """Read the folder again, new pictures too. Changes that were not saved are lost, and there is nothing to undo.

        Raises:
            StaleError: if the captions were changed since the caller saw them.
            UserError: if the folder cannot be read or has no pictures any more; everything is then as it was.
        """
        with self._lock:
            self._check(version)
            self._state = self._load(self.version + 1)
            self._history = History(STEPS)

    def save(self, backups: Path, on_conflict: OnConflict = "refuse", version: int | None = None) -> Saved:
        """Write the captions that were changed, after a zip of how the files are.

        Args:
            backups: where zips are kept, see ``captions.files.write_captions``.
            on_conflict: what to do with files that another program has changed. refuse: nothing is written if one of
                them would be. overwrite: they are, if they were changed here too. merge: what was added and removed
                here is done to what they hold now. reload: changes of these files are dropped. All but refuse take
                those over that were not changed here.
            version: that the caller has seen.

        Raises:
            StaleError: if the captions were changed since the caller saw them.
            ConflictError: if files were changed by another program and may not be written, or cannot be merged.
            UserError: if something could not be written; what was not is still a change.
        """
        with self._lock:
            self._check(version)
            taken = self._settle(on_conflict)
            state = self._state
            changed = state.changed_files()
            texts = {state.folder.files[i]: _content(state.captions.words[i]) for i in changed}
            try:
                backup = write_captions(texts, backups, self.folder) if texts else None
            finally:
                self._confirm(changed)
            return Saved(tuple(texts), backup, taken)

    def _load(self, version: int) -> State:
        folder = list_captions(self.folder, self.recursive, self.extensions)
        read = {i: read_caption_file(folder.files[i]) for i in sorted(set(folder.first))}
        disk = tuple(read[i] for i in folder.first)
        words = [found.words for found in disk]
        return State(folder, disk, take_snapshot(words, folder.first, version, self._escape))

    def _check(self, version: int | None) -> None:
        if version is not None and version != self.version:
            raise StaleError(_STALE)

    def _step(self, label: str, new: Mapping[int, Words]) -> None:
        state = self._state
        settled = {i: _as_on_disk(words, state.disk[i].words) for i, words in new.items()}
        self._history.push(Step(label, {i: state.captions.words[i] for i in new}, settled))
        self._show(label, settled)

    def _show(self, label: str, words: Mapping[int, Words]) -> str:
        self._state = self._state.showing(words)
        return label

    def _settle(self, on_conflict: OnConflict) -> tuple[Path, ...]:
        """Bring the captions in agreement with files that another program has changed."""
        state = self._state
        now, mine = state.differing(), state.changed_files()
        settled = settle(on_conflict, now, mine, state.disk, state.captions.words)
        if settled.refused:
            raise ConflictError(settled.reason([state.folder.files[i] for i in settled.refused]), settled.refused)
        if settled.words:
            self._step(settled.label, settled.words)
        self._state = self._state.with_disk(settled.seen)
        return tuple(state.folder.files[i] for i in settled.words)

    def _confirm(self, written: Sequence[int]) -> None:
        """After writing: what the files hold now is what is saved; those that could not be written differ still."""
        state = self._state
        saved = {}
        for i in written:
            disk, words = read_caption_file(state.folder.files[i]), state.captions.words[i]
            if disk.exists is (words is not NO_WORDS) and disk.words.text == words.text:
                saved[i] = OnDisk(words, disk.sha)
        self._state = state.with_disk(saved)


def open_store(
    folder: Path,
    recursive: bool,
    extensions: Sequence[str] = EXTENSIONS,
    escape: bool = True,
    first_version: int = 0,
) -> CaptionStore:
    """Load the captions of a folder of pictures.

    Args:
        folder: with the pictures.
        recursive: whether to look into folders inside it.
        extensions: of caption files. The first that exists counts, and the first is that of new files.
        escape: whether the brackets of tags that are added get backslashes, as the WebUI's prompts need them.
        first_version: from which versions count.

    Raises:
        UserError: if the folder cannot be read or has no pictures.
    """
    return CaptionStore(folder, recursive, extensions, escape, first_version)


_STALE = "The captions were changed in another window. Look at them as they are now, and do it again."


def _content(words: Words) -> str | None:
    """What to write for a caption; None where going back leads to no file at all."""
    return None if words is NO_WORDS else words.text


def _as_on_disk(words: Words, disk: Words) -> Words:
    """What is in the file, if an edit led back to the same tags: then the file is not rewritten."""
    return disk if words.raw is None and words.tags == disk.tags and disk.editable else words
