"""Captions that were changed here and by another program: what becomes of them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from train_gamma.captions.caption_folder import OnDisk
from train_gamma.captions.words import Tag, Words
from train_gamma.errors import UserError

_TAKEN = "Take over changed files"
OnConflict = Literal["refuse", "overwrite", "merge", "reload"]


@dataclass(frozen=True, slots=True)
class Settled:
    """What is done about files that another program has changed.

    Attributes:
        seen: what they hold now, of those that were dealt with.
        words: captions to show from now on, by picture.
        refused: pictures for which there is no way.
        label: for undo.
    """

    seen: Mapping[int, OnDisk] = field(default_factory=dict)
    words: Mapping[int, Words] = field(default_factory=dict)
    refused: tuple[int, ...] = ()
    label: str = ""

    def reason(self, files: Sequence[Path]) -> str:
        """Why it is refused, for a person."""
        named = ", ".join(f"'{file}'" for file in files[:5]) + (f" and {len(files) - 5} more" if len(files) > 5 else "")
        if self.label:
            return (
                f"{len(files)} captions were changed here and by another program, and are no lists of tags that could "
                f"be merged: {named}. Nothing was written. Overwrite them, or reload them and lose the changes of here."
            )
        return (
            f"{len(files)} caption files were changed by another program since they were loaded: {named}. Nothing was "
            "written. Merge, overwrite or reload them."
        )


def settle(
    on_conflict: OnConflict,
    now: Mapping[int, OnDisk],
    mine: Collection[int],
    disk: Sequence[OnDisk],
    words: Sequence[Words],
) -> Settled:
    """Decide about the files that another program has changed.

    Args:
        on_conflict: what the user wants, see ``CaptionStore.save``.
        now: what these files hold now.
        mine: pictures whose caption was changed here.
        disk: what all files held when they were loaded.
        words: the captions as they are here.

    Raises:
        UserError: if there is no such way.
    """
    both = sorted(i for i in mine if i in now and now[i].words.text != words[i].text)
    if on_conflict not in get_args(OnConflict):
        raise UserError(f"On conflict must be one of {', '.join(get_args(OnConflict))}, got '{on_conflict}'.")
    if on_conflict == "refuse":
        same = {i: found for i, found in now.items() if found.words.text == words[i].text}
        return Settled(seen=same, refused=tuple(both))
    if on_conflict == "overwrite":
        return Settled(now, {i: found.words for i, found in now.items() if i not in mine}, label=_TAKEN)
    shown = {i: found.words for i, found in now.items()}
    if on_conflict == "reload":
        return Settled(now, shown, label="Reload changed files")
    merged = {i: merge(disk[i].words, words[i], now[i].words) if now[i].exists else words[i] for i in both}
    label = "Merge with changed files"
    refused = tuple(i for i, result in merged.items() if result is None)
    if refused:
        return Settled(refused=refused, label=label)
    return Settled(now, shown | {i: result for i, result in merged.items() if result is not None}, label=label)


def merge(base: Words, ours: Words, theirs: Words) -> Words | None:
    """Both changes of one caption together, or None if it does not consist of tags.

    In our order: without what either has removed, with what they have added behind the tag that it follows there.
    """
    if ours.text == theirs.text:
        return theirs
    if not (base.editable and ours.editable and theirs.editable):
        return None
    before = {tag.key: tag for tag in base.tags}
    there = {tag.key: tag for tag in theirs.tags}
    merged = [_later(tag, before, there) for tag in ours.tags if tag.key in there or tag.key not in before]
    present = {tag.key for tag in ours.tags}
    for at, tag in enumerate(theirs.tags):
        if tag.key not in before and tag.key not in present:
            merged.insert(_behind(merged, theirs.tags[:at]), tag)
            present.add(tag.key)
    return theirs.with_tags(merged)


def _later(tag: Tag, before: Mapping[str, Tag], there: Mapping[str, Tag]) -> Tag:
    """Our way of writing a tag, or theirs if only they have changed it."""
    return there[tag.key] if tag.key in there and before.get(tag.key) == tag else tag


def _behind(tags: Sequence[Tag], leading: Sequence[Tag]) -> int:
    places = {tag.key: at + 1 for at, tag in enumerate(tags)}
    return next((places[tag.key] for tag in reversed(leading) if tag.key in places), 0)
