"""Files that make room for an embedding: which they are, and how they are kept."""

import shutil
from pathlib import Path

from train_gamma import atomic
from train_gamma.errors import UserError
from train_gamma.service.embeddings import same_named

REPLACED = "replaced"
"""Folder for what was replaced: in a run's folder by that run, in the folder of runs by Create."""


def in_place_of(target: Path, recursive: bool = False) -> list[Path]:
    """The embeddings, of any format, that go by the name of ``target``, and whatever file lies there itself.

    Args:
        target: the file that is to be written.
        recursive: whether to look into the folders beside it as well.
    """
    found = same_named(target.parent, target.stem, recursive)
    return found if target in found or not target.is_file() else [*found, target]


def card_of(embedding: Path) -> Path:
    """Where the host looks for the picture of an embedding's card."""
    return embedding.with_name(f"{embedding.stem}.preview.png")


def keep(path: Path, place: Path, name: str = "") -> None:
    """Copy a file into the folder ``place``, as ``name`` or its own; a number is added when there is one already.

    Raises:
        UserError: if it cannot be copied; nothing is left of the copy then.
    """
    free = kept = place / (name or path.name)
    number = 2
    while free.exists():
        free = kept.with_name(f"{kept.stem}-{number}{kept.suffix}")
        number += 1
    try:
        atomic.write_with(free, lambda temporary: _copy(path, temporary))
    except OSError as error:
        raise UserError(
            f"'{path}' would be replaced and cannot be kept in '{place}': {error.strerror or error}. Free space or fix "
            "the folder's rights."
        ) from error


def _copy(source: Path, target: Path) -> None:
    shutil.copy2(source, target)
