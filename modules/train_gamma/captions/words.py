"""The words of one picture, as they are edited: tags that remember how they were written, or text that is left alone.

A tag is compared by its raw name (``tag_text.normal``) and written as it stood in the file. So a caption in which one
tag is changed keeps every other tag letter by letter, with its weight, and what is new is escaped exactly once.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from train_gamma.captions.tag_text import Piece, normal, pieces, unescaped, write_tags

_FEW_WORDS = 4
_MANY_WORDS = 8
_OF_SENTENCES = re.compile(
    r"\A(?:an?|the|there|this|that|these|those|he|she|it|they|two|three|several|some)\b|\b(?:is|are|was|were)\b",
    re.IGNORECASE,
)
_PEOPLE = re.compile(r"\d\+?(?:girl|boy|other)s?|solo")
"""A caption that has one of these consists of tags, whatever else it says."""
_EMPHASIS = re.compile(r"\\\\|(?<!\\)[()\[\]]")
"""A bracket that may be emphasis: a caption without one, as almost all are, is split at its commas and no more."""
_WEIGHT = re.compile(r"\s*:\s*[+-]?[.\d]+\s*\Z")


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag of a caption.

    Attributes:
        name: raw, without backslashes, weight or brackets of emphasis.
        text: as it is written.
        key: the name as it is compared.
        wrap: brackets of emphasis and the weight before and behind it, as in ``("(", ":1.1)")``.
    """

    name: str
    text: str
    key: str
    wrap: tuple[str, str] = ("", "")

    def renamed(self, name: str, escape: bool = True) -> "Tag":
        """This tag by another raw name, with its weight; itself if that is its name."""
        return self if name == self.name else new_tag(name, escape, self.wrap)

    def becoming(self, new: "Tag", escape: bool = True) -> "Tag":
        """What takes the place of this tag: the new one with this one's weight, unless it has a weight of its own."""
        return new if new.wrap != ("", "") else self.renamed(new.name, escape)


@dataclass(frozen=True, slots=True)
class Words:
    """The caption of one picture.

    Attributes:
        tags: in order; none when it is plain.
        raw: the exact text where it was read or typed; None where it is made from the tags.
        plain: whether it is a sentence, several lines or the like, which no mass edit of tags touches.
        problem: why the file could not be read; it is never edited then.
        tail: the line end at the end of the file.
    """

    tags: tuple[Tag, ...] = ()
    raw: str | None = None
    plain: bool = False
    problem: str = ""
    tail: str = ""

    @property
    def text(self) -> str:
        """What the caption file holds, or would hold."""
        if self.raw is not None:
            return self.raw
        return ", ".join([tag.text for tag in self.tags]) + self.tail if self.tags else ""

    @property
    def editable(self) -> bool:
        """Whether edits of tags may touch it."""
        return not self.plain and not self.problem

    def with_tags(self, tags: Iterable[Tag]) -> "Words":
        """The caption with these tags instead, or itself if they are the same."""
        changed = tuple(tags)
        return self if changed == self.tags else Words(changed, tail=self.tail)


NO_WORDS = Words(raw="")
"""The caption of a picture that has none."""


def read_words(text: str) -> Words:
    """The caption in a text, which it keeps exactly."""
    tail = text[len(text.rstrip("\r\n")) :]
    if _EMPHASIS.search(text):
        found = pieces(text)
        tags = [tag for piece in found for tag in _tags(piece)]
        num_sentences, num_pieces = sum(_is_sentence(piece.text) for piece in found), len(found)
    else:
        tags = [tag for part in text.split(",") if (tag := _read_part(part))]
        num_sentences, num_pieces = sum(_is_sentence(tag.text) for tag in tags), len(tags)
    if _is_prose(text) or (
        num_sentences and 2 * num_sentences >= num_pieces and not any(_PEOPLE.fullmatch(tag.key) for tag in tags)
    ):
        return Words(raw=text, plain=True, tail=tail)
    return Words(tuple(tags), text, tail=tail)


@lru_cache(maxsize=50_000)
def new_tag(name: str, escape: bool = True, wrap: tuple[str, str] = ("", "")) -> Tag:
    """A tag from its raw name, escaped here and never again.

    Args:
        name: raw; commas in it are kept, so split what a user typed with ``typed_tags``.
        escape: whether brackets get backslashes in the file.
        wrap: brackets of emphasis before, and weight and brackets behind.
    """
    raw = " ".join(name.split())
    return Tag(raw, wrap[0] + write_tags([raw], escape) + wrap[1], normal(raw), wrap)


def typed_tags(texts: Iterable[str], escape: bool = True) -> list[Tag]:
    """Tags that a user typed, separated by commas, escaped or not, with weights or without."""
    read = [tag for text in texts for piece in pieces(text) for tag in _tags(piece)]
    return [new_tag(tag.name, escape, tag.wrap) for tag in read]


def _tags(piece: Piece) -> tuple[Tag, ...]:
    if not piece.emphasis:
        return (_read_tag(piece.tags[0], piece.text),)
    found = _unwrapped(piece.text, "", "")
    if tuple(tag.name for tag in found) != piece.tags:  # brackets that cross, such as ([hat)]
        return (_read_tag(", ".join(piece.tags), piece.text),)
    if len(found) == 1:  # letter by letter, blanks inside of the brackets too
        return (replace(found[0], text=piece.text),)
    return tuple(found)


@lru_cache(maxsize=50_000)
def _read_tag(name: str, text: str) -> Tag:
    return Tag(name, text, normal(name))


@lru_cache(maxsize=50_000)
def _read_part(text: str) -> Tag | None:
    """The tag between two commas of a caption that has no emphasis, as ``pieces`` reads it."""
    name = " ".join(unescaped(text.strip()).split())
    return _read_tag(name, text.strip()) if name else None


def _unwrapped(text: str, before: str, after: str) -> list[Tag]:
    """The tags of a group in emphasis, each with the brackets and weights that are around it."""
    body = text[1:-1]
    weight = _WEIGHT.search(body)
    inner, behind = (body[: weight.start()], weight.group().strip()) if weight else (body, "")
    before, after = before + text[0], f"{behind}{text[-1]}{after}"
    found: list[Tag] = []
    for piece in pieces(inner):
        if piece.emphasis:
            found += _unwrapped(piece.text, before, after)
        else:
            name = piece.tags[0]
            found.append(Tag(name, before + piece.text + after, normal(name), (before, after)))
    return found


def _is_prose(text: str) -> bool:
    """Whether it has several lines, or a capital at the beginning and a full stop at the end."""
    body = text.strip()
    whole = body[:1].isupper() and body.endswith((".", "!", "?")) and len(body.split()) >= _FEW_WORDS
    return whole or "\n" in body or "\r" in body


@lru_cache(maxsize=50_000)
def _is_sentence(text: str) -> bool:
    words = len(text.split())
    if words < _FEW_WORDS:
        return False
    return words >= _MANY_WORDS or text.endswith((".", "!", "?")) or _OF_SENTENCES.search(text) is not None
