"""A dataset's captions at one moment: what the files hold, and what is shown."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from train_gamma.captions.caption_folder import CaptionFolder, OnDisk, read_caption_file, sha_of
from train_gamma.captions.change_set import Diff, compare
from train_gamma.captions.snapshot import Snapshot
from train_gamma.captions.words import Tag, Words
from train_gamma.errors import UserError


@dataclass(frozen=True, slots=True)
class Caption:
    """The caption of one picture as it is now.

    Attributes:
        tags: in order, none if it is plain.
        text: what would be written.
        file: where.
        exists: whether that file is there.
        changed: whether it would be written.
        plain: whether it is a sentence, several lines or the like: edits of many captions leave it alone.
        problem: why the file cannot be read, "" if it can.
    """

    tags: tuple[Tag, ...]
    text: str
    file: Path
    exists: bool
    changed: bool
    plain: bool
    problem: str


@dataclass(frozen=True, slots=True)
class State:
    """Everything that is seen together. Never changed, so any thread may read it.

    Attributes:
        folder: the pictures and their caption files.
        disk: what the files held when they were read or written last, for each picture.
        captions: as they are now.
    """

    folder: CaptionFolder
    disk: tuple[OnDisk, ...]
    captions: Snapshot

    def caption(self, picture: int) -> Caption:
        """The caption of a picture.

        Raises:
            UserError: if there is no such picture.
        """
        if not 0 <= picture < len(self.disk):
            raise UserError(f"There is no picture {picture}: the dataset has {len(self.disk)}. Reload the page.")
        words, disk = self.captions.words[picture], self.disk[picture]
        file, changed = self.folder.files[picture], _differs(disk, words)
        return Caption(words.tags, words.text, file, disk.exists, changed, words.plain, words.problem)

    def changed(self) -> list[int]:
        """The pictures whose caption is not what is in the file."""
        return [i for i, words in enumerate(self.captions.words) if _differs(self.disk[i], words)]

    def changed_files(self) -> list[int]:
        """The same, one picture for each file."""
        return [i for i in self.changed() if self.folder.first[i] == i]

    def diff(self, most: int) -> Diff:
        """The difference between the files and the captions."""
        files = self.changed_files()
        return compare([(i, self.disk[i].words, self.captions.words[i]) for i in files], most)

    def differing(self) -> dict[int, OnDisk]:
        """The files that hold other bytes now than when they were loaded, by picture, one for each file."""
        files = self.folder.files
        owners = (i for i, first in enumerate(self.folder.first) if i == first)
        return {i: read_caption_file(files[i]) for i in owners if sha_of(files[i]) != self.disk[i].sha}

    def showing(self, words: Mapping[int, Words]) -> "State":
        """With other captions."""
        return replace(self, captions=self.captions.replaced(words))

    def with_disk(self, found: Mapping[int, OnDisk]) -> "State":
        """With other knowledge of files, given by the first picture of each."""
        disk = tuple(found.get(first, self.disk[i]) for i, first in enumerate(self.folder.first))
        return replace(self, disk=disk)


def _differs(disk: OnDisk, words: Words) -> bool:
    return words is not disk.words and words.text != disk.words.text
