"""All captions of a dataset at one moment, and which pictures have which tag. Never changed: any thread may read it."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from train_gamma.captions.tag_text import normal
from train_gamma.captions.words import Words, read_words

Selection = Collection[int] | None
"""Indices of pictures, or None for all of them."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The captions of a dataset.

    Attributes:
        words: of every picture.
        first: for every picture, the first one that has the same caption file: ``a.png`` and ``a.jpg`` share ``a.txt``.
        index: which pictures have a tag, by its key.
        version: of the store.
        twins: all pictures of a shared caption file, by the first of them.
        escape: whether brackets of new tags get backslashes.
    """

    words: tuple[Words, ...]
    first: tuple[int, ...]
    index: Mapping[str, frozenset[int]]
    version: int
    twins: Mapping[int, tuple[int, ...]]
    escape: bool = True

    def __len__(self) -> int:
        return len(self.words)

    def having(self, tag: str) -> frozenset[int]:
        """The pictures that have a tag, however it is written."""
        return self.index.get(normal(tag), frozenset())

    def lacking(self, tag: str, selection: Selection = None) -> list[int]:
        """The pictures, of a selection or of all, that have not got a tag."""
        having = self.having(tag)
        return [picture for picture in sorted(self.chosen(selection)) if picture not in having]

    def among(self, keys: Iterable[str], selection: Selection = None) -> frozenset[int]:
        """The pictures, of a selection or of all, that have one or more of these tags, given by key."""
        having = frozenset[int]().union(*(self.index.get(key, frozenset()) for key in keys))
        return having if selection is None else having & frozenset(selection)

    def chosen(self, selection: Selection) -> Collection[int]:
        """A selection, with None for all pictures."""
        return range(len(self.words)) if selection is None else selection

    def files(self, selection: Selection) -> list[int]:
        """The pictures of a selection, one for each caption file, ascending."""
        return sorted({self.first[picture] for picture in self.chosen(selection)})

    def replaced(self, new: Mapping[int, Words]) -> "Snapshot":
        """With other captions for these pictures and all that share their files. The version is one higher."""
        whole = {twin: words for picture, words in new.items() for twin in self.twins.get(picture, (picture,))}
        words = list(self.words)
        for picture, caption in whole.items():
            words[picture] = caption
        index = _updated(self.index, ((picture, self.words[picture], whole[picture]) for picture in whole))
        return replace(self, words=tuple(words), index=index, version=self.version + 1)


def take_snapshot(
    words: Sequence[Words], first: Sequence[int] | None = None, version: int = 0, escape: bool = True
) -> Snapshot:
    """A snapshot of captions; without ``first``, every picture has a caption file of its own."""
    owners = tuple(range(len(words)) if first is None else first)
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for picture, owner in enumerate(owners):
        groups[owner].append(picture)
    twins = {owner: tuple(group) for owner, group in groups.items() if len(group) > 1}
    pictures: defaultdict[str, set[int]] = defaultdict(set)
    for picture, caption in enumerate(words):
        for tag in caption.tags:
            pictures[tag.key].add(picture)
    index = {key: frozenset(found) for key, found in pictures.items()}
    return Snapshot(tuple(words), owners, index, version, twins, escape)


def snapshot_of_texts(texts: Iterable[str]) -> Snapshot:
    """A snapshot of captions that are in no file."""
    return take_snapshot([read_words(text) for text in texts])


def _updated(
    index: Mapping[str, frozenset[int]], changes: Iterable[tuple[int, Words, Words]]
) -> dict[str, frozenset[int]]:
    gone: defaultdict[str, set[int]] = defaultdict(set)
    come: defaultdict[str, set[int]] = defaultdict(set)
    for picture, old, new in changes:
        before, after = {tag.key for tag in old.tags}, {tag.key for tag in new.tags}
        for key in before - after:
            gone[key].add(picture)
        for key in after - before:
            come[key].add(picture)
    updated = dict(index)
    for key in gone.keys() | come.keys():
        pictures = updated.get(key, frozenset()) - gone[key] | come[key]
        if pictures:
            updated[key] = pictures
        else:
            updated.pop(key, None)
    return updated
