"""Listing folders: natural order, no surprises with names, links or rights."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from train_gamma.errors import UserError


def list_files(folder: Path, recursive: bool, limit: int | None = None) -> list[Path]:
    """List the files of a folder that are not hidden, in natural order.

    Linked folders are entered, each real folder once. The name of the folder is taken literally: brackets, stars and
    a slash at the end mean nothing.

    Args:
        folder: where to look.
        recursive: whether to look into folders inside it.
        limit: stop after so many files; None for all.

    Raises:
        UserError: if the folder is missing, is a file or cannot be read.
    """
    try:
        if not folder.exists():
            raise UserError(f"Dataset folder '{folder}' does not exist. Check the path.")
        if not folder.is_dir():
            raise UserError(f"Dataset folder '{folder}' is a file. Give the folder that holds the pictures.")
        files = list(islice(_walk(folder, recursive), limit))
    except OSError as error:
        reason = error.strerror or str(error)
        where = error.filename or folder
        raise UserError(f"Dataset folder '{where}' cannot be read: {reason}. Check your rights to it.") from error
    return sorted(files, key=lambda path: natural_key(path.relative_to(folder).as_posix()))


def natural_key(name: str) -> tuple[list[str | int], str]:
    """A sort key that reads digits as numbers and ignores case: a2, A10, b1."""
    parts = re.split(r"(\d+)", name.casefold())
    return [int(part) if position % 2 else part for position, part in enumerate(parts)], name


def count_by_ending(files: list[Path]) -> str:
    """Say how many files there are of each ending, such as ``5 other files: 3 .gif, 2 .txt``."""
    counts = Counter(path.suffix.lower() or "without ending" for path in files).most_common()
    listed = ", ".join(f"{number} {ending}" for ending, number in counts[:5])
    noun = "other file" if len(files) == 1 else "other files"
    return f"{len(files)} {noun}: {listed}{', ...' if len(counts) > 5 else ''}"


def _walk(folder: Path, recursive: bool) -> Iterator[Path]:
    seen = {os.path.realpath(folder)}
    for root, folders, names in os.walk(folder, onerror=_raise, followlinks=True):
        fresh = [name for name in sorted(folders) if recursive and not name.startswith(".")]
        folders[:] = [name for name in fresh if _first_visit(Path(root, name), seen)]
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(root, name)


def _first_visit(folder: Path, seen: set[str]) -> bool:
    real = os.path.realpath(folder)
    if real in seen:
        return False
    seen.add(real)
    return True


def _raise(error: OSError) -> None:
    raise error
