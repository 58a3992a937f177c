"""Pictures that are there twice: the same file, the same pixels, nearly the same picture, also mirrored."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import ImageChops

from train_gamma.dataset.fingerprint import THUMBNAIL, Fingerprint
from train_gamma.dataset.pictures import open_picture
from train_gamma.doctor.findings import Finding, listed
from train_gamma.doctor.material import Material, Subject
from train_gamma.errors import UserError

NEAR_BITS = 6
"""Bits of the hash in which two copies of a picture may differ."""

NEAR_COLOURS = 28.0
"""How far, in steps of 0..255, the eight cells of the thumbnails that differ most may differ on average.

By the hash alone, 2 to 4 of 1,000 pairs of drawn pictures of one character in different scenes are near. In these
cells two such pictures differ by 43 or more; copies (JPEG of quality 10, half or double size, 10 % brighter, 20 % more
saturated, half a percent cropped) by 21 or less.
"""

_WORST_CELLS = 8
_ROWS = 256

Kind = Literal["file", "pixels", "near", "mirrored"]
Bits = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures that are the same or nearly so.

    Attributes:
        one: the file that is better kept, as far as that can be said: the one with a caption, else the first.
        other: the other file.
        kind: the same bytes, the same pixels, nearly the same, or nearly the same when one is mirrored.
        bits: how many bits of their hashes differ.
    """

    one: Path
    other: Path
    kind: Kind
    bits: int = 0


def find_pairs(subjects: Sequence[Subject], background: str) -> list[Pair]:
    """All pairs. A copy of a file or of all pixels is only paired with the one that is better kept.

    Args:
        subjects: pictures; those that cannot be read are left out.
        background: shows through transparent pictures; needed where pixels are compared.
    """
    by_content: dict[str, list[Subject]] = defaultdict(list)
    for subject in subjects:
        if subject.facts is not None:
            by_content[subject.facts.sha256].append(subject)
    groups = [sorted(group, key=_without_words) for group in by_content.values()]  # a stable sort
    same_file = [Pair(group[0].path, copy.path, "file") for group in groups for copy in group[1:]]
    return same_file + _compared([group[0] for group in groups], background)


def near_pairs(looks: Sequence[Fingerprint]) -> Iterator[tuple[int, int, bool, int]]:
    """The pairs (i, j), i < j, that look nearly the same: with whether one is mirrored, and the bits that differ.

    Each j comes once, with the first that it is like: of a thousand frames of one scene there are not a million pairs.
    """
    paired: set[int] = set()
    bits = np.array([look.bits for look in looks], dtype=np.uint64)
    mirrored = np.array([look.mirrored for look in looks], dtype=np.uint64)
    shape = (len(looks), THUMBNAIL, THUMBNAIL, 3)
    cells = np.frombuffer(b"".join(look.thumbnail for look in looks), np.uint8).reshape(shape).astype(np.int16)
    for start in range(0, len(looks), _ROWS):
        plain = _distances(bits[start : start + _ROWS], bits[start:])
        turned = _distances(mirrored[start : start + _ROWS], bits[start:])
        for row, column in np.argwhere(np.triu(np.minimum(plain, turned) <= NEAR_BITS, 1)):
            i, j = start + int(row), start + int(column)
            if j in paired:
                continue
            if plain[row, column] <= NEAR_BITS and _same_colours(cells[i], cells[j]):
                paired.add(j)
                yield i, j, False, int(plain[row, column])
            elif turned[row, column] <= NEAR_BITS and _same_colours(cells[i][:, ::-1], cells[j]):
                paired.add(j)
                yield i, j, True, int(turned[row, column])


def check_duplicates(material: Material, pairs: Sequence[Pair]) -> list[Finding]:
    """A finding for each kind of pair there is."""
    names = {subject.path: subject.name for subject in material.subjects}
    by_kind = {kind: [pair for pair in pairs if pair.kind == kind] for kind in _SAID}
    return [
        (_copies if kind in ("file", "pixels") else _near)(kind, found, names)
        for kind, found in by_kind.items()
        if found
    ]


_SAID: dict[str, str] = {
    "file": "the same file as another",
    "pixels": "the same as another, pixel for pixel",
    "near": "nearly the same",
    "mirrored": "nearly the same when one of them is mirrored",
}


def _copies(kind: str, pairs: list[Pair], names: dict[Path, str]) -> Finding:
    told = listed([f"{names[pair.other]} = {names[pair.one]}" for pair in pairs])
    verb = "picture is" if len(pairs) == 1 else "pictures are"
    message = f"{len(pairs)} {verb} {_SAID[kind]} ({told}), and weighs as much again in training."
    fix = "Exclude the copies; of each picture the one with a caption stays."
    return Finding(f"same_{kind}", "warning", message, fix, tuple(pair.other for pair in pairs), "exclude")


def _near(kind: str, pairs: list[Pair], names: dict[Path, str]) -> Finding:
    told = listed([f"{names[pair.one]} and {names[pair.other]}" for pair in pairs])
    verb = "1 pair of pictures is" if len(pairs) == 1 else f"{len(pairs)} pairs of pictures are"
    concerned = dict.fromkeys(path for pair in pairs for path in (pair.one, pair.other))
    return Finding(
        f"duplicate_{kind}",
        "warning",
        f"{verb} {_SAID[kind]} ({told}): what they share weighs double.",
        "Look at them side by side and exclude the worse one, unless the difference is the point.",
        tuple(concerned),
        "review",
    )


def _without_words(subject: Subject) -> bool:
    return not (subject.caption.source == "file" and subject.caption.text)


def _compared(subjects: list[Subject], background: str) -> list[Pair]:
    """The pairs among pictures that are different files."""
    same, left = _same_picture(subjects, background)
    near = [
        Pair(left[i].path, left[j].path, "mirrored" if mirrored else "near", bits)
        for i, j, mirrored, bits in near_pairs([known.facts.look for known in left if known.facts is not None])
    ]
    return same + near


def _same_picture(subjects: list[Subject], background: str) -> tuple[list[Pair], list[Subject]]:
    """The pairs with the same pixels, and the pictures without the copies among them."""
    by_look: dict[object, list[Subject]] = defaultdict(list)
    for subject in subjects:
        if subject.facts is not None:
            by_look[subject.facts.look, subject.facts.size].append(subject)
    pairs: list[Pair] = []
    for group in by_look.values():
        kept: list[Subject] = []
        for subject in sorted(group, key=_without_words):  # a stable sort
            original = next((one for one in kept if _same_pixels(one.path, subject.path, background)), None)
            if original is None:
                kept.append(subject)
            else:
                pairs.append(Pair(original.path, subject.path, "pixels"))
    copies = {pair.other for pair in pairs}
    return pairs, [subject for subject in subjects if subject.facts is not None and subject.path not in copies]


def _distances(some: Bits, others: Bits) -> npt.NDArray[np.uint8]:
    """(n, m) how many bits differ between each two."""
    different = some[:, None] ^ others[None, :]  # (n, m)
    of_words = _bits_of_words()[different.view(np.uint16)].reshape(*different.shape, 4)
    counts: npt.NDArray[np.uint8] = of_words.sum(axis=2, dtype=np.uint8)
    return counts


@lru_cache(maxsize=1)
def _bits_of_words() -> npt.NDArray[np.uint8]:
    """(65536,) how many bits of each 16-bit number are set; numpy counts them itself only from version 2 on."""
    words = np.arange(1 << 16, dtype=np.uint32)
    return sum((words >> bit & 1 for bit in range(16)), np.zeros_like(words)).astype(np.uint8)


def _same_colours(one: npt.NDArray[np.int16], other: npt.NDArray[np.int16]) -> bool:
    difference = np.abs(one - other).mean(axis=2).ravel()  # (THUMBNAIL^2,)
    return float(np.sort(difference)[-_WORST_CELLS:].mean()) <= NEAR_COLOURS


def _same_pixels(one: Path, other: Path, background: str) -> bool:
    try:
        return ImageChops.difference(open_picture(one, background), open_picture(other, background)).getbbox() is None
    except UserError:  # gone since it was looked at
        return False
