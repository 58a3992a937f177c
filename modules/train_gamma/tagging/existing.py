"""What becomes of a caption that is there already."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from train_gamma.captions.tag_text import normal, pieces, read_tags
from train_gamma.tagging.config import FILL_EMPTY, NEW_FIRST, OLD_FIRST, OVERWRITE, PREVIEW_ONLY, SKIP

Action: TypeAlias = Literal["new", "skipped", "replaced", "merged", "filled", "unchanged"]


@dataclass(frozen=True, slots=True)
class Plan:
    """How many pictures have what done to their caption.

    Attributes:
        new: have none, and get one.
        skipped: keep theirs, as the setting says.
        replaced: lose theirs for a new one.
        merged: keep theirs, with new tags in it.
        filled: have an empty file, which is filled.
        unchanged: have one that stays as it is, because there is nothing new; and all when nothing is written at all.
    """

    new: int = 0
    skipped: int = 0
    replaced: int = 0
    merged: int = 0
    filled: int = 0
    unchanged: int = 0

    @property
    def written(self) -> int:
        """Number of files that are written."""
        return self.new + self.replaced + self.merged + self.filled


def plan(existing: Mapping[Path, str | None], mode: str, new: Mapping[Path, str] | None = None) -> Plan:
    """Count what is done to which caption.

    Args:
        existing: the text of each caption file, None where there is no file.
        mode: one of ``tagging.config.EXISTING``.
        new: the new captions, as far as they are known. Without one, it is taken to have something new.
    """
    known = new or {}
    counts: dict[Action, int] = {}
    for path, old in existing.items():
        done = action(old, known.get(path), mode)
        counts[done] = counts.get(done, 0) + 1
    return Plan(**counts)


def action(old: str | None, new: str | None, mode: str) -> Action:
    """What is done to one caption.

    Args:
        old: the text of the file, None if there is none.
        new: the new caption, None if it is not known yet.
        mode: one of ``tagging.config.EXISTING``.
    """
    planned = _planned(old, mode)
    if planned == "skipped" or new is None:
        return planned
    return planned if merged(old, new, mode) is not None else "unchanged"


def merged(old: str | None, new: str, mode: str) -> str | None:
    r"""The text to write, or None if the file is to be left alone.

    To merge keeps the old text exactly as it is, be it tags, a sentence or both, with its weights, line breaks and odd
    spacing: only those new tags that it does not have yet (see ``tag_text.normal``) are put behind or in front of it.
    A file that is empty, or has nothing but blanks and commas, is filled.

    Args:
        old: the text of the file, None if there is none.
        new: the new caption, escaped already if it shall be.
        mode: one of ``tagging.config.EXISTING``.
    """
    planned = _planned(old, mode)
    if planned in ("skipped", "unchanged"):
        return None
    text = _joined(old or "", new, mode) if planned == "merged" else new
    return None if text == old else text


def _planned(old: str | None, mode: str) -> Action:
    if mode == PREVIEW_ONLY:
        return "unchanged"
    if old is None:
        return "new"
    if mode == SKIP:
        return "skipped"
    if not _has_tags(old):
        return "filled"
    by_mode: dict[str, Action] = {
        OVERWRITE: "replaced",
        OLD_FIRST: "merged",
        NEW_FIRST: "merged",
        FILL_EMPTY: "skipped",
    }
    return by_mode[mode]


def _has_tags(text: str) -> bool:
    # a letter is always part of a tag, and looking for one is much faster than reading the caption
    return any(character.isalpha() for character in text) or bool(read_tags(text))


def _joined(old: str, new: str, mode: str) -> str:
    there = {normal(tag) for tag in read_tags(old)}
    missing = []
    for piece in pieces(new):
        keys = {normal(tag) for tag in piece.tags}
        if not keys <= there:
            missing.append(piece.text)
            there |= keys
    if not missing:
        return old
    added = ", ".join(missing)
    if mode == NEW_FIRST:
        body = old.lstrip()
        return added + ("" if body.startswith(",") else ", ") + body
    body = old.rstrip()
    return body + (" " if body.endswith(",") else ", ") + added + old[len(body) :].lstrip(" \t")
