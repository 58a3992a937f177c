"""What should be looked at after pictures were prepared."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from train_gamma.dataset.crop_plan import CropPlan
from train_gamma.dataset.prepare_sources import Sources
from train_gamma.dataset.text_files import read_text
from train_gamma.errors import UserError

_SIDED = re.compile(r"(?<![a-z])(?:left|right)(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Made:
    """The files of one picture in the new folder.

    Attributes:
        index: of the picture.
        plan: what became of it.
        captions: its own caption files.
        written: files that were written.
        unchanged: files that were there and are the same.
        missing: files that were not there before.
        differing: files that were there and are others.
    """

    index: int
    plan: CropPlan
    captions: Sequence[Path]
    written: tuple[Path, ...]
    unchanged: tuple[Path, ...]
    missing: tuple[Path, ...]
    differing: tuple[Path, ...]


def notes_about(sources: Sources, results: Sequence[Made], num_others: int) -> list[str]:
    """Sentences about a set of copies.

    Args:
        sources: the originals.
        results: what was made.
        num_others: files in the new folder that were there before and belong to no copy.
    """
    notes = [*_renamed(sources, results), *_sided(sources, results), *_uncaptioned(sources, results), *_small(results)]
    if num_others > 0:
        notes.append(f"In the new folder there were other files before ({num_others}); they are as they were.")
    return notes


def _renamed(sources: Sources, results: Sequence[Made]) -> list[str]:
    found = []
    for made in results:
        name, stem = sources.names[made.index], sources.stems[made.index]
        if name.rpartition(".")[0] != stem:
            found.append(f"{name} is now {stem}")
    if not found:
        return []
    return [f"Copies that would have had the same name got another one: {_some(found)}."]


def _sided(sources: Sources, results: Sequence[Made]) -> list[str]:
    """Captions that are wrong for a mirrored picture. They are not changed, as only a person knows what is meant."""
    if not sources.config.flipped:
        return []
    found = [sources.names[made.index] for made in results if any(map(_says_side, made.captions))]
    if not found:
        return []
    said = f"The captions of {_pictures(len(found))} say left or right, which is the other side in the mirrored copy."
    return [f"{said} They were copied as they are; correct those of the copies: {_some(found)}."]


def _uncaptioned(sources: Sources, results: Sequence[Made]) -> list[str]:
    found = [sources.names[made.index] for made in results if not made.captions]
    if not found:
        return []
    return [f"{_pictures(len(found))} without a caption file, so the copies have none either: {_some(found)}."]


def _small(results: Sequence[Made]) -> list[str]:
    found = [made.plan.name for made in results if any(cut.size[0] < cut.bucket.width for cut in made.plan.cuts)]
    if not found:
        return []
    return [f"{_pictures(len(found))} with fewer pixels than are trained, in part at least: {_some(found)}."]


def _says_side(path: Path) -> bool:
    try:
        return _SIDED.search(read_text(path)) is not None
    except UserError:
        return False  # it is copied byte for byte; whoever reads it says what is wrong


def _pictures(count: int) -> str:
    return "1 picture" if count == 1 else f"{count} pictures"


def _some(items: Sequence[str], limit: int = 5) -> str:
    return ", ".join(items[:limit]) + (f" and {len(items) - limit} more" if len(items) > limit else "")
