"""What an edit changes, before it is done; and the difference between captions, for a person to look at."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from train_gamma.captions.snapshot import Selection, Snapshot
from train_gamma.captions.tag_text import normal
from train_gamma.captions.words import Tag, Words

EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """Captions as they are and as they will be. ``len`` is the number of caption files that change.

    Attributes:
        old: by picture, one picture for each caption file.
        new: of the same pictures.
        left_alone: how many captions were meant but are plain text or cannot be read, and so are not touched.
    """

    old: Mapping[int, Words] = field(default_factory=dict)
    new: Mapping[int, Words] = field(default_factory=dict)
    left_alone: int = 0

    def __len__(self) -> int:
        return len(self.new)

    def diff(self, most: int = EXAMPLES) -> "Diff":
        """What it changes, with the first files as old and new text."""
        return compare(((picture, self.old[picture], self.new[picture]) for picture in self.new), most)


@dataclass(frozen=True, slots=True)
class Changed:
    """One caption before and after."""

    picture: int
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Diff:
    """The difference between two states of a dataset's captions.

    Attributes:
        files: how many caption files differ.
        added: tags and how many captions got them, the most frequent first.
        removed: tags and how many captions lost them.
        examples: the first files.
    """

    files: int
    added: tuple[tuple[str, int], ...]
    removed: tuple[tuple[str, int], ...]
    examples: tuple[Changed, ...]


def compare(pairs: Iterable[tuple[int, Words, Words]], most: int = EXAMPLES) -> Diff:
    """The difference of captions, given as picture, old and new.

    A tag that only moved, is written in another way or more often, counts as neither added nor removed.
    """
    ordered = sorted(pairs, key=lambda pair: pair[0])
    added: Counter[str] = Counter()
    removed: Counter[str] = Counter()
    names: dict[str, str] = {}
    for _, old, new in ordered:
        before, after = {tag.key for tag in old.tags}, {tag.key for tag in new.tags}
        if before != after:
            added.update(after - before)
            removed.update(before - after)
            _name((*new.tags, *old.tags), {key for key in before ^ after if key not in names}, names)
    examples = [Changed(picture, old.text, new.text) for picture, old, new in ordered[:most]]
    return Diff(len(ordered), _ranked(added, names), _ranked(removed, names), tuple(examples))


def change_words(
    captions: Snapshot, selection: Selection, edit: Callable[[Words], Words], plain: bool = False
) -> ChangeSet:
    """Edit the captions of a selection; what is left as it is does not count as changed.

    Args:
        captions: the dataset.
        selection: the pictures.
        edit: from one caption to another, or to itself (the very same) if there is nothing to change.
        plain: whether captions that are no tags are edited too.
    """
    old, new, left_alone = {}, {}, 0
    for picture in captions.files(selection):
        words = captions.words[picture]
        if words.problem or (words.plain and not plain):
            left_alone += 1
            continue
        edited = edit(words)
        if edited is not words:
            old[picture], new[picture] = words, edited
    return ChangeSet(old, new, left_alone)


def change_tags(
    captions: Snapshot, selection: Selection, edit: Callable[[tuple[Tag, ...]], Iterable[Tag]]
) -> ChangeSet:
    """Like ``change_words``, by the tags alone."""
    return change_words(captions, selection, lambda words: words.with_tags(edit(words.tags)))


def keys_of(tags: Iterable[str]) -> frozenset[str]:
    """Names of tags, one or several with commas in each text, as they are compared."""
    return frozenset(key for text in tags for key in map(normal, text.split(",")) if key)


def _name(tags: Iterable[Tag], keys: set[str], names: dict[str, str]) -> None:
    if keys:
        names.update({tag.key: tag.name for tag in tags if tag.key in keys})


def _ranked(counts: Counter[str], names: Mapping[str, str]) -> tuple[tuple[str, int], ...]:
    return tuple((names[key], count) for key, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])))
