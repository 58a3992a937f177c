"""What taggers and captioners leave in captions that is no description."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from train_gamma.captions.cleaning import ERROR, RATING, SIGN
from train_gamma.captions.tag_text import Piece, escaped, normal, pieces, unique, with_spaces
from train_gamma.doctor.findings import Finding, Level, listed
from train_gamma.doctor.material import Material, paths


@dataclass(frozen=True, slots=True)
class _Residue:
    """One kind of leftover.

    Attributes:
        kind, level: of the finding.
        found: what of a caption is one, as it is written.
        message: with {which} and {examples}.
        fix: what cleaning does about it.
    """

    kind: str
    level: Level
    found: Callable[[list[Piece]], list[str]]
    message: str
    fix: str


def check_residues(material: Material) -> list[Finding]:
    """Leftovers in captions, a finding each kind."""
    read = [(subject, subject.pieces) for subject in material.with_words]
    findings = []
    for residue in _RESIDUES:
        if residue.kind == "weights" and material.config.emphasis:
            continue  # then they are meant
        found = [(subject, parts) for subject, of_caption in read if (parts := residue.found(of_caption))]
        if found:
            examples = listed(list(dict.fromkeys(part for _, parts in found for part in parts)), 3)
            which = material.out_of_all([subject for subject, _ in found])
            message = residue.message.replace("{which}", which).replace("{examples}", examples)
            concerned = paths([subject for subject, _ in found])
            findings.append(Finding(residue.kind, residue.level, message, residue.fix, concerned, "clean"))
    return findings + _mixed_underscores(material)


def prefers_spaces(captions: Iterable[list[Piece]]) -> bool | None:
    """Whether most tags of several words are written with blanks; None if all are written in one way."""
    counts = Counter(style for caption in captions for style in _styles(caption))
    return counts["blank"] >= counts["underscore"] if len(counts) == 2 else None


def clean_caption(caption: str, kind: str, spaces: bool | None = None) -> str:
    """A caption without leftovers of one kind; one that has none is returned as it is.

    Args:
        caption: the text.
        kind: of the finding.
        spaces: for underscores: write tags with blanks (True) or underscores (False); None to leave them.
    """
    before = pieces(caption)
    if kind == "weights":  # their tags stay
        after = [flat for piece in before for flat in (_unweighted(piece) if piece.emphasis else [piece])]
    elif kind == "underscores":
        after = [_restyled(piece, spaces) for piece in before]
    elif kind == "repeated_tags":
        after = _each_once(before)
    else:
        after = [piece for piece in before if not _RUBBISH[kind]([piece])]
    return caption if after == before else ", ".join(piece.text for piece in after)


def _each_once(before: list[Piece]) -> list[Piece]:
    after = before
    kept = set(map(normal, unique(tag for piece in after for tag in piece.tags)))
    once = []
    for piece in after:
        if piece.emphasis or normal(piece.tags[0]) in kept:
            once.append(piece)
            kept -= set(map(normal, piece.tags))
    return once


def _unweighted(piece: Piece) -> list[Piece]:
    return [Piece(escaped(tag) if "\\" in piece.text else tag, (tag,)) for tag in piece.tags]


def _restyled(piece: Piece, spaces: bool | None) -> Piece:
    if spaces is None or piece.emphasis or not _styles([piece]):
        return piece
    write = with_spaces if spaces else (lambda text: re.sub(r"(?<=\S) (?=\S)", "_", text))
    return Piece(write(piece.text), (write(piece.tags[0]),))


def _styles(of_caption: list[Piece]) -> list[str]:
    """For each tag of several words whether they are joined by underscores or blanks; sentences are neither."""
    tags = [tag for piece in of_caption for tag in piece.tags if len(tag.split()) <= 4]
    return [
        "underscore" if with_spaces(tag) != tag else "blank" for tag in tags if with_spaces(tag) != tag or " " in tag
    ]


def _errors(of_caption: list[Piece]) -> list[str]:
    return [piece.text for piece in of_caption if ERROR.search(piece.text)]


def _ratings(of_caption: list[Piece]) -> list[str]:
    return [piece.text for piece in of_caption if any(RATING.fullmatch(normal(tag)) for tag in piece.tags)]


def _dangling(of_caption: list[Piece]) -> list[str]:
    return [piece.text for piece in of_caption if SIGN.search(piece.text)]


def _weighted(of_caption: list[Piece]) -> list[str]:
    return [piece.text for piece in of_caption if piece.emphasis]


def _repeated(of_caption: list[Piece]) -> list[str]:
    counts = Counter(normal(tag) for piece in of_caption for tag in piece.tags)
    return [tag for tag, count in counts.items() if count > 1]


def _mixed_underscores(material: Material) -> list[Finding]:
    """Tags with underscores beside tags with blanks: the same thing in two ways."""
    spaces = prefers_spaces(subject.pieces for subject in material.with_words)
    if spaces is None:
        return []
    rare = "underscore" if spaces else "blank"
    concerned = [s for s in material.with_words if rare in _styles(s.pieces)]
    said = "underscores, where most of the folder has blanks" if spaces else "blanks, where most have underscores"
    message = f"Tags with {said}, in the captions of {material.out_of_all(concerned)}: the model reads them as others."
    fix = f"Write all of them with {'blanks' if spaces else 'underscores'}; faces such as ^_^ stay."
    return [Finding("underscores", "warning", message, fix, paths(concerned), "clean")]


_RESIDUES = (
    _Residue(
        "error_text", "warning", _errors,
        "A failed interrogator left its error in the captions of {which}: {examples}.",
        "Take it out, and tag these pictures again.",
    ),
    _Residue(
        "weights", "warning", _weighted,
        "Weights or brackets around tags in the captions of {which}: {examples}. Captions are read literally, so "
        "brackets and numbers are learned as words.",
        "Take them off, or turn on 'Emphasis in captions'.",
    ),
    _Residue(
        "ratings", "note", _ratings,
        "Ratings in the captions of {which}: {examples}. They are a tagger's verdict and describe nothing to draw.",
        "Take them out.",
    ),
    _Residue(
        "dangling", "warning", _dangling,
        "Sentences that stop before the words they announce, in the captions of {which}: {examples}.",
        "Take them out; captioners make up writing that is not there.",
    ),
    _Residue(
        "repeated_tags", "note", _repeated,
        "The same tag twice in the captions of {which}: {examples}.",
        "Leave each once.",
    ),
)  # fmt: skip

_RUBBISH = {"error_text": _errors, "ratings": _ratings, "dangling": _dangling}
"""Kinds whose pieces go as a whole."""
