"""The folder that settings name: its pictures, and the captions beside them."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from train_gamma.captions.files import read_existing
from train_gamma.dataset.pictures import find_pictures
from train_gamma.errors import UserError
from train_gamma.host import Folders
from train_gamma.service.places import check_place
from train_gamma.tagging.config import FILL_EMPTY, OVERWRITE, SKIP, TagConfig

UNREADABLE = "?"
"""Stands for a caption that cannot be read, where it only matters that there is one."""


@dataclass(frozen=True, slots=True)
class TagFolder:
    """A folder to tag.

    Attributes:
        path: of the folder, absolute.
        pictures: in natural order.
        captions: the caption file of each picture.
        left_out: pictures that are not among them, as their caption file is that of an earlier one, which is named.
    """

    path: Path
    pictures: tuple[Path, ...]
    captions: tuple[Path, ...]
    left_out: Mapping[Path, Path]


def chosen_folder(text: str, folders: Folders) -> Path:
    """The folder that a text names: literally, or without the quotes that it was pasted with.

    Raises:
        ForbiddenError: if it is outside the folders that a request may name.
        UserError: if nothing is named.
    """
    stripped = text.strip()
    if not stripped:
        raise UserError("Pictures is not set. Give the folder that holds the pictures to tag.")
    candidates = [text, stripped]
    if len(stripped) > 1 and stripped[0] in "\"'" and stripped[-1] == stripped[0]:
        candidates.append(stripped[1:-1].strip())
    for candidate in candidates[:-1]:
        if _is_folder(check_place("Pictures", candidate, folders)):
            return _absolute(candidate)
    check_place("Pictures", candidates[-1], folders)
    return _absolute(candidates[-1])


def refuse_kept_inside(folder: Path, folders: Folders) -> None:
    """Refuse a dataset in which the program would keep its own files.

    Raises:
        UserError: if it is one.
    """
    kept = folders.kept.resolve()
    if kept.is_relative_to(folder.resolve()):
        raise UserError(
            f"What is kept between runs would lie among the pictures, in '{kept}'. Choose another --data folder."
        )


def read_folder(config: TagConfig, folders: Folders) -> TagFolder:
    """List the pictures of the folder that settings name.

    Raises:
        ForbiddenError: if it is outside the folders that a request may name.
        UserError: if it is missing, cannot be read, or has no pictures.
    """
    path = chosen_folder(config.folder, folders)
    owners: dict[str, Path] = {}
    files: dict[Path, Path] = {}
    left_out = {}
    for picture in find_pictures(path, config.recursive):
        caption = picture.with_name(picture.stem + config.extension)
        owner = owners.setdefault(os.path.normcase(caption), picture)
        if owner is picture:
            files[picture] = caption
        else:
            left_out[picture] = owner
    return TagFolder(path, tuple(files), tuple(files.values()), left_out)


def folder_notes(folder: TagFolder) -> list[str]:
    """A sentence if pictures share a caption file."""
    if not folder.left_out:
        return []
    picture, owner = next(iter(folder.left_out.items()))
    others = f", and {len(folder.left_out) - 1} more likewise" if len(folder.left_out) > 1 else ""
    shared = f"'{picture.name}' is left out{others}: it has the same caption file as '{owner.name}'."
    return [f"{shared} Rename one of them, or give each a folder."]


def read_texts(folder: TagFolder, config: TagConfig) -> tuple[dict[Path, str | None], dict[Path, str]]:
    """What is in the caption files now, by picture, and why some cannot be read.

    A file that cannot be read counts as text where that is all that matters: it is skipped, or replaced.
    """
    texts: dict[Path, str | None] = {}
    problems: dict[Path, str] = {}
    tolerant = config.existing in (SKIP, OVERWRITE, FILL_EMPTY)
    for picture, caption in zip(folder.pictures, folder.captions, strict=True):
        try:
            texts[picture] = read_existing(caption)
        except UserError as error:
            if tolerant:
                texts[picture] = UNREADABLE
            else:
                problems[picture] = str(error)
    return texts, problems


def _absolute(place: str) -> Path:
    return Path(os.path.abspath(Path(place).expanduser()))  # noqa: PTH100 - links keep the name the user knows


def _is_folder(place: Path | None) -> bool:
    try:
        return place is not None and place.is_dir()
    except (OSError, ValueError):
        return False
