"""What pages are shown of a dataset that is open."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from train_gamma.captions.replacing import Match


@dataclass(frozen=True, slots=True)
class State:
    """A dataset as a whole.

    Attributes:
        id: by which it is named.
        version: of its captions.
        name: of its folder.
        folder: absolute.
        recursive: whether folders inside it belong to it.
        extension: of new caption files.
        pictures: how many.
        pictures_key: another text for another list of pictures, whose indices then mean others.
        changed: caption files with unsaved changes.
        undo: what would be undone, None if nothing.
        redo: what would be redone, None if nothing.
        conflicts: caption files that another program has changed.
        conflict_names: the first of them.
        unreadable: captions that cannot be read.
        problem: why the first of them cannot, "" if all can.
        counts_tokens: whether tokens can be counted.
        examined: whether there is an examination.
        job: the id of the examination or preparation that runs, None if none does.
    """

    id: str
    version: int
    name: str
    folder: Path
    recursive: bool
    extension: str
    pictures: int
    pictures_key: str
    changed: int
    undo: str | None
    redo: str | None
    conflicts: int
    conflict_names: tuple[str, ...]
    unreadable: int
    problem: str
    counts_tokens: bool
    examined: bool
    job: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """One tag of the set; ``tokens`` is None where they cannot be counted."""

    tag: str
    key: str
    count: int
    share: float
    tokens: int | None
    tag_class: str


@dataclass(frozen=True, slots=True)
class TagPage:
    """A part of the list of tags.

    Attributes:
        version: of the captions.
        total: rows that match the search.
        pictures: that pass the filter; shares are of these.
        rows: this part.
    """

    version: int
    total: int
    pictures: int
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One picture of the grid.

    Attributes:
        index: of the picture.
        name: its path inside the folder, with slashes.
        tags: raw.
        text: the caption as it would be written.
        tokens: of that, None where they cannot be counted.
        changed: whether it is not saved.
        plain: whether it is no list of tags.
        problem: why it cannot be read, "" if it can.
        width: in pixels, upright; None if the picture cannot be read.
        height: likewise.
        stamp: changes when the file does.
    """

    index: int
    name: str
    tags: tuple[str, ...]
    text: str
    tokens: int | None
    changed: bool
    plain: bool
    problem: str
    width: int | None
    height: int | None
    stamp: str


@dataclass(frozen=True, slots=True)
class PicturePage:
    """A part of the pictures that pass a filter; ``indices`` are all of those."""

    version: int
    total: int
    indices: tuple[int, ...]
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Chip:
    """A tag of one picture.

    Attributes:
        tag: raw.
        text: as it is written.
        count: of pictures of the set that have it.
        tag_class: what it is about.
        confidence: of the tagger, 0..1; None where that is not known.
    """

    tag: str
    text: str
    count: int
    tag_class: str
    confidence: float | None


@dataclass(frozen=True, slots=True)
class PictureView:
    """One picture with all that is known of it.

    Attributes:
        version: of the captions.
        item: as in the grid.
        tags: of its caption.
        path: of the picture.
        file: of the caption.
        exists: whether that file is there.
        shared: other pictures with the same caption file.
        seen: what a tagger saw that the caption has not, and how sure it was, the surest first.
        tagger: which, "" if none has looked at it.
    """

    version: int
    item: Item
    tags: tuple[Chip, ...]
    path: Path
    file: Path
    exists: bool
    shared: tuple[int, ...]
    seen: tuple[tuple[str, float], ...]
    tagger: str


@dataclass(frozen=True, slots=True)
class Example:
    """One caption before and after."""

    index: int
    name: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class DiffView:
    """Captions before and after: files that differ, how many got or lost which tags, and the first of them."""

    files: int
    added: tuple[tuple[str, int], ...]
    removed: tuple[tuple[str, int], ...]
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class Edited:
    """What an edit changed, or would change.

    Attributes:
        files: how many.
        left_alone: captions that were meant and are no lists of tags, or cannot be read.
        label: for undo.
        diff: of a preview.
        matches: of a preview of rules.
    """

    files: int
    left_alone: int
    label: str
    diff: DiffView | None = None
    matches: tuple[Match, ...] = ()


@dataclass(frozen=True, slots=True)
class Imported:
    """What a metadata file changed, or would change: ``matched`` pictures it names, and names that are none."""

    edited: Edited
    matched: int
    unmatched: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Exported:
    """Where captions were written to as metadata, or the metadata itself."""

    path: str
    pictures: int
    metadata: Mapping[str, Mapping[str, object]] | None


@dataclass(frozen=True, slots=True)
class SavedView:
    """What saving did: files written, files taken over from another program, and the backup's name."""

    written: int
    taken: int
    backup: str
