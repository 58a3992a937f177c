"""Edits of many captions at once. Pure: they take captions and return what would change, and change nothing.

``selection`` is always the pictures meant, None for all. Captions that are no tags are left alone (``left_alone``), and
a caption that comes out as it was is not in the result. Replacing is in ``replacing``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, get_args

from train_gamma.captions.change_set import ChangeSet, change_tags, keys_of
from train_gamma.captions.snapshot import Selection, Snapshot
from train_gamma.captions.tag_text import normal
from train_gamma.captions.words import Tag, Words, read_words, typed_tags
from train_gamma.errors import UserError

Order = Literal["alphabetical", "frequency", "length", "reverse"]
Place = Literal["front", "back", "before", "after"]
CopyMode = Literal["replace", "append"]


def remove(captions: Snapshot, tags: Iterable[str], selection: Selection = None) -> ChangeSet:
    """Take tags out, however they are written."""
    gone = keys_of(tags)
    meant = captions.among(gone, selection)
    return change_tags(captions, meant, lambda old: [tag for tag in old if tag.key not in gone])


def add(
    captions: Snapshot,
    tags: Iterable[str],
    position: Place | int = "back",
    beside: str = "",
    selection: Selection = None,
) -> ChangeSet:
    """Put tags in, those that a caption does not have yet.

    Args:
        captions: the dataset.
        tags: as typed, with weights if wanted.
        position: front, back, before or after the tag ``beside``, or how many tags stay in front of them; a negative
            number counts from the back. Where ``beside`` is missing, they go to the back.
        beside: a tag.
        selection: the pictures.

    Raises:
        UserError: if there is no tag to add, or none beside which it belongs.
    """
    new = _unique(typed_tags(tags, captions.escape))
    if not new:
        raise UserError("There is no tag to add. Type one, or several with commas between them.")
    if isinstance(position, str) and position not in get_args(Place):
        raise UserError(f"Position must be a number or one of {', '.join(get_args(Place))}, got '{position}'.")
    if position in ("before", "after") and not normal(beside):
        raise UserError(f"To add a tag {position} another one, name that one too.")

    def edit(old: tuple[Tag, ...]) -> Sequence[Tag]:
        there = {tag.key for tag in old}
        missing = [tag for tag in new if tag.key not in there]
        at = _place(old, position, normal(beside))
        return [*old[:at], *missing, *old[at:]]

    return change_tags(captions, selection, edit)


def mark(captions: Snapshot, tag: str, having: Iterable[int], lacking: Iterable[int]) -> ChangeSet:
    """Correct one tag over many pictures: those of ``having`` get it, at the back, and those of ``lacking`` lose it.

    Raises:
        UserError: if there is no tag, or a caption would have to have it and lack it.
    """
    yes, no = captions.files(list(having)), captions.files(list(lacking))
    added, removed = add(captions, [tag], selection=yes), remove(captions, [tag], no)
    if not set(yes).isdisjoint(no):
        raise UserError(
            f"'{tag}' cannot be put into a caption and taken out of it at once. Choose one for each picture."
        )
    both = {**added.old, **removed.old}, {**added.new, **removed.new}
    return ChangeSet(*both, left_alone=added.left_alone + removed.left_alone)


def rename(captions: Snapshot, old: str, new: str, selection: Selection = None) -> ChangeSet:
    """Give a tag another name; its place and weight stay. Where both are there already, they become one.

    Raises:
        UserError: if a name is missing, or the new one is several tags.
    """
    key, names = normal(old), typed_tags([new], captions.escape)
    if not key or len(names) != 1:
        raise UserError(f"To rename a tag, give its name and one new name, got '{old}' and '{new}'.")

    def edit(tags: tuple[Tag, ...]) -> Sequence[Tag]:
        return put(tags, {tag.text: [tag.becoming(names[0], captions.escape)] for tag in tags if tag.key == key})

    return change_tags(captions, captions.among([key], selection), edit)


def move_to_front(captions: Snapshot, tags: Iterable[str], selection: Selection = None) -> ChangeSet:
    """Put tags first, in the order in which they are given, where a caption has them."""
    ranks = {key: rank for rank, key in enumerate(dict.fromkeys(map(normal, tags)))}

    def edit(old: tuple[Tag, ...]) -> Sequence[Tag]:
        first = sorted((tag for tag in old if tag.key in ranks), key=lambda tag: ranks[tag.key])
        return [*first, *(tag for tag in old if tag.key not in ranks)]

    return change_tags(captions, selection, edit)


def sort(
    captions: Snapshot, order: Order, keep_first: int = 0, backwards: bool = False, selection: Selection = None
) -> ChangeSet:
    """Sort the tags of each caption.

    Args:
        captions: the dataset.
        order: alphabetical; frequency, the most frequent of the whole dataset first; length, the shortest name first;
            or reverse, the order of now turned round. Tags that are equal in it stay in their order.
        keep_first: so many tags at the front stay where they are.
        backwards: the other way round.
        selection: the pictures.

    Raises:
        UserError: if there is no such order, or ``keep_first`` is negative.
    """
    keep = _count("Keep first", keep_first)
    rank = _rank(captions, order)

    def edit(old: tuple[Tag, ...]) -> Sequence[Tag]:
        rest = list(old[keep:])
        if rank is None:
            return [*old[:keep], *(rest if backwards else reversed(rest))]
        return [*old[:keep], *sorted(rest, key=rank, reverse=backwards)]

    return change_tags(captions, selection, edit)


def keep_first(captions: Snapshot, count: int, selection: Selection = None) -> ChangeSet:
    """Cut off all but the first so many tags.

    Raises:
        UserError: if ``count`` is negative.
    """
    keep = _count("Keep first", count)
    return change_tags(captions, selection, lambda old: old[:keep])


def unique(captions: Snapshot, selection: Selection = None) -> ChangeSet:
    """Leave the first of all equal tags in a caption, and everything else where it is."""
    return change_tags(captions, selection, _unique)


def truncate(
    captions: Snapshot, max_tokens: int, count_tokens: Callable[[str], int], selection: Selection = None
) -> ChangeSet:
    """Cut tags off the end until a caption fits.

    Args:
        captions: the dataset.
        max_tokens: that a caption may have.
        count_tokens: of a text; it is asked a few times for each caption that is too long.
        selection: the pictures.

    Raises:
        UserError: if ``max_tokens`` is negative.
    """
    limit = _count("Most tokens", max_tokens)

    def fits(tags: tuple[Tag, ...]) -> bool:
        return count_tokens(Words(tags).text) <= limit

    def edit(old: tuple[Tag, ...]) -> Sequence[Tag]:
        if fits(old):
            return old
        low, high = 0, len(old) - 1  # the longest beginning that fits is in between; more tags are never fewer tokens
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if fits(old[:middle]) else (low, middle - 1)
        return old[:low]

    return change_tags(captions, selection, edit)


def set_tags(captions: Snapshot, picture: int, tags: Iterable[str]) -> ChangeSet:
    """Give one picture these tags, as typed. Those that it has already stay as they are written.

    Raises:
        UserError: if its caption file cannot be read, or holds text that is no list of tags.
    """
    old = _readable(captions, picture)
    if old.plain:
        raise UserError("This caption is text, not a list of tags. Change it as text.")
    there = {tag.key: tag for tag in reversed(old.tags)}
    wanted = [_kept(tag, there) for tag in typed_tags(tags, captions.escape)]
    return _one(captions, picture, old.with_tags(wanted))


def set_text(captions: Snapshot, picture: int, text: str) -> ChangeSet:
    """Give one picture this caption, letter by letter; it may be a sentence.

    Raises:
        UserError: if its caption file cannot be read.
    """
    _readable(captions, picture)
    return _one(captions, picture, read_words(text))


def copy_tags(captions: Snapshot, source: int, to: Iterable[int], mode: CopyMode = "replace") -> ChangeSet:
    """Give pictures the tags of another one, instead of theirs or behind them (those that are missing).

    Raises:
        UserError: if there is no such mode.
    """
    if mode not in get_args(CopyMode):
        raise UserError(f"Mode must be one of {', '.join(get_args(CopyMode))}, got '{mode}'.")
    tags = captions.words[source].tags
    others = [picture for picture in to if captions.first[picture] != captions.first[source]]
    if mode == "replace":
        return change_tags(captions, others, lambda _: tags)

    def edit(old: tuple[Tag, ...]) -> Sequence[Tag]:
        there = {tag.key for tag in old}
        return [*old, *(tag for tag in tags if tag.key not in there)]

    return change_tags(captions, others, edit)


def put(tags: Sequence[Tag], new: Mapping[str, Sequence[Tag]]) -> Sequence[Tag]:
    """The tags of a caption with others in the place of some, given by how those are written.

    What is there anyway is not put there again: the one that was there before stays, with its weight.
    """
    if not any(tag.text in new for tag in tags):
        return tags
    there = {tag.key for tag in tags if tag.text not in new}
    result: list[Tag] = []
    for tag in tags:
        for one in new.get(tag.text, (tag,)):
            if one.key == tag.key or one.key not in there:
                there.add(one.key)
                result.append(one)
    return result


def _kept(tag: Tag, there: dict[str, Tag]) -> Tag:
    old = there.get(tag.key)
    return old if old is not None and old.name == tag.name and old.wrap == tag.wrap else tag


def _unique(tags: Iterable[Tag]) -> list[Tag]:
    first: dict[str, Tag] = {}
    for tag in tags:
        first.setdefault(tag.key, tag)
    return list(first.values())


def _place(tags: Sequence[Tag], position: Place | int, beside: str) -> int:
    if isinstance(position, int):
        return position if position >= 0 else max(0, len(tags) + position)
    if position in ("before", "after"):
        found = next((at for at, tag in enumerate(tags) if tag.key == beside), len(tags))
        return found + (position == "after")
    return 0 if position == "front" else len(tags)


def _rank(captions: Snapshot, order: Order) -> Callable[[Tag], str | int] | None:
    ranks: dict[str, Callable[[Tag], str | int] | None] = {
        "alphabetical": lambda tag: tag.key,
        "frequency": lambda tag: -len(captions.index.get(tag.key, ())),
        "length": lambda tag: len(tag.name),
        "reverse": None,
    }
    if order not in ranks:
        raise UserError(f"Order must be one of {', '.join(ranks)}, got '{order}'.")
    return ranks[order]


def _count(label: str, value: int) -> int:
    if value < 0:
        raise UserError(f"{label} must be 0 or more, got {value}.")
    return value


def _readable(captions: Snapshot, picture: int) -> Words:
    if not 0 <= picture < len(captions):
        raise UserError(f"There is no picture {picture}: the dataset has {len(captions)}. Reload the page.")
    words = captions.words[picture]
    if words.problem:
        raise UserError(f"This caption cannot be edited: {words.problem}")
    return words


def _one(captions: Snapshot, picture: int, new: Words) -> ChangeSet:
    picture = captions.first[picture]
    old = captions.words[picture]
    return ChangeSet() if new.text == old.text else ChangeSet({picture: old}, {picture: new})
