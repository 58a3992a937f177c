r"""Tags as text: how they are compared, escaped, read from a caption and written into one.

In memory a tag is raw: ``hatsune_miku_(cosplay)``, no backslashes. It is escaped once, when it is written, and
unescaped once, when it is read. What must be escaped follows from the WebUI's reader of prompts,
``parse_prompt_attention`` in AUTOMATIC1111/stable-diffusion-webui modules/prompt_parser.py (v1.9.4, feee37d7): round
and square brackets are emphasis there, and a backslash that stands before anything but a bracket or another backslash
vanishes. So all five characters get a backslash, and the reader then gives back every text as it was, at weight 1.
(The word BREAK in capitals is the one thing that it knows no escape for.)
"""

import re
from bisect import bisect
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from train_gamma.dataset.templates import NAME

KAOMOJI = frozenset(
    "0_0|(o)_(o)|+_+|+_-|._.|<o>_<o>|=_=|>_<|3_3|6_9|>_o|@_@|^_^|o_o|u_u|x_x".split("|")  # noqa: SIM905 - readable
) | {"<|>_<|>", "|_|", "||_||"}
"""Faces, whose underscores are mouths: the list that toriato/stable-diffusion-webui-wd14-tagger has (99bf7d8)."""

_SPECIAL = re.compile(r"([\\()\[\]])")
_ESCAPED = re.compile(r"\\([\\()\[\]])")
_SLASHED_BRACKET = re.compile(r"\\+(?=[()\[\]])")
_SLASHES = re.compile(r"\\+")
_TOKEN = re.compile(rf"\\[\\()\[\]]|{re.escape(NAME)}|[()\[\],]")
_WEIGHT = re.compile(r"\s*:\s*[+-]?[.\d]+\s*\Z")
_AFTER_EMPHASIS = re.compile(r"\s*(?:\Z|,|(?::\s*[+-]?[.\d]+\s*)?[)\]])")
_PAIR = {")": "(", "]": "["}


@dataclass(frozen=True, slots=True)
class Piece:
    """What stands between two commas of a caption, or a group in emphasis that has commas of its own.

    Attributes:
        text: as it is written, trimmed: ``(long hair:1.1)``.
        tags: the raw tags in it: ``("long hair",)``; several only for a group such as ``(hat, smile:1.2)``.
        emphasis: whether it has brackets or a weight that are not part of a tag.
    """

    text: str
    tags: tuple[str, ...]
    emphasis: bool = False


def normal(tag: str) -> str:
    r"""A tag as it is compared: ``Long_Hair``, ``long  hair`` and ``long hair`` are the same.

    Lower case; underscores are blanks but in kaomoji; runs of blanks are one; backslashes before brackets are left out
    and others are one, so that raw and escaped tags are the same too: ``normal(escaped(tag)) == normal(tag)``.
    """
    text = tag.lower()
    if "\\" in text:
        text = _SLASHES.sub(r"\\", _SLASHED_BRACKET.sub("", text))
    return " ".join(with_spaces(text.strip()).split())


def with_spaces(name: str) -> str:
    """A tag with blanks for underscores, unless it is a face: one of ``KAOMOJI``, or without any letter or digit."""
    if "_" not in name or _is_face(name):
        return name
    return name.replace("_", " ")


def escaped(text: str) -> str:
    r"""A raw text with backslashes before brackets and backslashes: ``miku (cosplay)`` to ``miku \(cosplay\)``.

    To be called exactly once: what is escaped twice is another text.
    """
    return _SPECIAL.sub(r"\\\1", text)


def unescaped(text: str) -> str:
    r"""The raw text of an escaped one. ``unescaped(escaped(text)) == text`` for every text.

    A backslash before anything but a bracket or a backslash stays: ``\m/``, which other programs write, is ``\m/``.
    """
    return _ESCAPED.sub(r"\1", text)


def pieces(caption: str) -> list[Piece]:
    """Split a caption at its commas, without losing how it is written.

    Brackets count as emphasis where they enclose whole tags, as in ``(hat)``, ``[hat]``, ``((hat:1.2))`` or
    ``(hat, long hair:1.1)``. Anywhere else, as in ``miku_(cosplay)``, ``(o)_(o)`` or ``>:(``, they are part of the tag:
    other programs write tags without escaping them. ``[name]`` is the placeholder of the embedding and a tag.
    """
    commas, brackets = _structure(caption)
    found = []
    bounds = [-1, *commas, len(caption)]
    for before, after in pairwise(bounds):
        text = caption[before + 1 : after].strip()
        own = brackets[bisect(brackets, before) : bisect(brackets, after)]
        if own:
            tags = _inner_tags(caption, before + 1, after, own)
            found.append(Piece(text, tuple(tags), emphasis=True))
        else:
            found.append(Piece(text, tuple(_plain(text))))
    return [piece for piece in found if piece.tags]


def read_tags(caption: str) -> list[str]:
    """The raw tags of a caption: split at commas, unescaped, trimmed, none empty; duplicates and case stay.

    Weights and brackets of emphasis are not part of a tag, see ``pieces``; line breaks are blanks, as in training.
    """
    return [tag for piece in pieces(caption) for tag in piece.tags]


def read_list(text: str) -> list[Piece]:
    """What a user has listed, with commas or line by line."""
    return pieces(",".join(text.splitlines()))


def write_tags(tags: Iterable[str], escape: bool) -> str:
    """Raw tags as a caption. ``[name]``, the placeholder of the embedding, is never escaped."""
    return ", ".join(escaped(tag) if escape and tag != NAME else tag for tag in tags)


def unique(tags: Iterable[str]) -> list[str]:
    """The first of all tags that are the same by ``normal``."""
    first: dict[str, str] = {}
    for tag in tags:
        first.setdefault(normal(tag), tag)
    return list(first.values())


def _is_face(name: str) -> bool:
    return name.lower() in KAOMOJI or not any(character.isalnum() for character in name)


def _plain(text: str) -> list[str]:
    tag = " ".join(unescaped(text).split())
    return [tag] if tag else []


def _inner_tags(caption: str, start: int, end: int, brackets: list[int]) -> list[str]:
    """The tags of ``caption[start:end]`` without the brackets at these positions and the weights before them."""
    parts = []
    for position in brackets:
        parts.append(
            _WEIGHT.sub("", caption[start:position]) if caption[position] in _PAIR else caption[start:position]
        )
        start = position + 1
    inner = "".join([*parts, caption[start:end]])
    return [tag for text in inner.split(",") for tag in _plain(text)]


def _structure(caption: str) -> tuple[list[int], list[int]]:
    """Where the commas outside of emphasis are, and the brackets that make emphasis, both ascending."""
    tokens = [match.span() for match in _TOKEN.finditer(caption)]
    single = [start for start, end in tokens if end - start == 1]
    emphasis = _emphasis(caption, single)
    commas, depth = [], 0
    for position in single:
        if caption[position] == ",":
            commas += [position] if depth == 0 else []
        elif position in emphasis:
            depth += -1 if caption[position] in _PAIR else 1
    return commas, sorted(emphasis)


def _emphasis(caption: str, tokens: list[int]) -> set[int]:
    """The positions of brackets, of these unescaped ones and commas, that enclose whole tags."""
    found: set[int] = set()
    leading: set[int] = set()
    open_at: dict[str, list[int]] = {"(": [], "[": []}
    end = 0  # of the comma or leading bracket before
    for position in tokens:
        sign = caption[position]
        if sign in open_at:
            open_at[sign].append(position)
            if not caption[end:position].strip():
                leading.add(position)
                end = position + 1
        elif sign == ",":
            end = position + 1
        elif open_at[_PAIR[sign]]:
            start = open_at[_PAIR[sign]].pop()
            if start in leading and _AFTER_EMPHASIS.match(caption, position + 1):
                found |= {start, position}
    return found
