"""Caption files: read, written safely, and put back as they were.

Before any file is changed, what it holds goes into a zip outside of the dataset (trainers take every file in there for
a part of it). So a mistake, or a change of mind, costs nothing.
"""

import codecs
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from train_gamma import atomic
from train_gamma.captions.backups import Backup, describe_backup, fingerprint, folder_of, make_backup, read_backup
from train_gamma.dataset.text_files import read_text
from train_gamma.errors import UserError, raise_all

_WRITERS = 8
"""Files written at once: each waits for the disk, so a few threads are several times as fast as one."""

_Changes = dict[Path, tuple[bytes | None, bytes | None]]  # what a file holds and will hold, None for no file


@dataclass(frozen=True, slots=True)
class Restored:
    """What ``restore`` did.

    Attributes:
        put_back: files that hold again what they held.
        removed: files that did not exist before and are gone again.
        kept: files that did not exist before, but were changed by somebody since and so are left alone.
        backup: the zip of how it was just before, None if nothing changed.
    """

    put_back: tuple[Path, ...]
    removed: tuple[Path, ...]
    kept: tuple[Path, ...]
    backup: Path | None


def read_existing(path: Path) -> str | None:
    """The text of a caption file as it is, line ends included; None when there is no such file.

    UTF-8 with or without a byte order mark, or UTF-16 with one.

    Raises:
        UserError: if it cannot be read, or is not text in one of these encodings.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        pass  # read_text says it in a sentence
    return read_text(path)


def write_captions(texts: Mapping[Path, str | None], backups: Path, dataset: Path) -> Path | None:
    """Write caption files as UTF-8, each of them either as it was or completely new at every moment.

    Files that hold their text already are not touched. Before the first of the others is, a zip of what they all hold,
    or that they do not exist, is made in the dataset's folder in ``backups``; the first and the 19 newest are kept.

    Args:
        texts: what to write into which file, None to remove it; all of them in ``dataset``.
        backups: where zips of captions are kept, for all datasets; outside of any.
        dataset: the folder of the pictures.

    Returns:
        The zip, or None if nothing had to be changed.

    Raises:
        UserError: if a text has no UTF-8 form or the zip fails, and nothing was changed; or if some files could not be
            read or written, which are named, and all others are.
    """
    root = _absolute(dataset)
    wanted = _encoded(texts)
    changes: _Changes = {}
    unreadable = []
    for path, new in wanted.items():
        try:
            old = _bytes(path)
        except UserError as error:
            unreadable.append(str(error))
            continue
        if old is not new and (old is None or new is None or not _holds(old, new)):
            changes[path] = (old, new)
    made = _apply(changes, folder_of(backups, dataset), root)
    if unreadable:
        raise UserError(f"{len(changes)} captions are written. Others are not: {_some(unreadable)}")
    return made


def list_backups(backups: Path, dataset: Path) -> list[Backup]:
    """The zips of a dataset's captions, the newest first. One that cannot be read is left out."""
    found = []
    for path in sorted(folder_of(backups, dataset).glob("*.zip"), reverse=True):
        try:
            found.append(describe_backup(path))
        except UserError:
            continue
    return found


def restore(path: Path) -> Restored:
    """Give caption files what a zip holds of them, after a zip of how they are now was made beside it.

    What was changed in these files since then is replaced too, and is in the new zip. Files that did not exist are
    removed if they still hold what was written then.

    Raises:
        UserError: if the zip cannot be read or its dataset is gone, and nothing was changed; or if some files could not
            be written, which are named, and all others are.
    """
    backup, entries = read_backup(path)
    if not backup.dataset.is_dir():
        raise UserError(f"Folder '{backup.dataset}' is gone, so its captions cannot be put back. Bring it back first.")
    changes: _Changes = {}
    kept = []
    for entry in entries:
        now = _bytes(entry.path)
        if entry.old is None and now is not None and fingerprint(now) != entry.written:
            kept.append(entry.path)
        elif now != entry.old:
            changes[entry.path] = (now, entry.old)
    made = _apply(changes, path.parent, backup.dataset)
    put_back = tuple(file for file, (_, new) in changes.items() if new is not None)
    removed = tuple(file for file, (_, new) in changes.items() if new is None)
    return Restored(put_back, removed, tuple(kept), made)


def _apply(changes: _Changes, folder: Path, dataset: Path) -> Path | None:
    if not changes:
        return None
    try:
        backup = make_backup(folder, dataset, changes)
    except OSError as error:
        raise UserError(
            f"The captions as they are cannot be kept in '{folder}': {error.strerror or error}. Nothing was changed. "
            "Free space or fix the folder's rights."
        ) from error
    with ThreadPoolExecutor(_WRITERS) as pool:
        reasons = list(pool.map(_change, changes, (new for _, new in changes.values())))
    failed = [f"'{path}': {reason}" for path, reason in zip(changes, reasons, strict=True) if reason]
    if failed:
        raise UserError(
            f"{len(failed)} of {len(changes)} caption files could not be written and are as they were; "
            f"{_some(failed)}. Free space or fix their rights, and do it again. The old captions are in '{backup}'."
        )
    return backup


def _change(path: Path, new: bytes | None) -> str:
    """Write or remove one file; returns why it did not work."""
    try:
        if new is None:
            path.unlink(missing_ok=True)
        else:
            atomic.write_bytes(path, new)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _encoded(texts: Mapping[Path, str | None]) -> dict[Path, bytes | None]:
    encoded: dict[Path, bytes | None] = {}
    problems = []
    for path, text in texts.items():
        try:
            encoded[_absolute(path)] = None if text is None else text.encode("utf-8")
        except UnicodeEncodeError as error:
            sign = f"U+{ord(error.object[error.start]):04X}"
            problems.append(f"The caption for '{path}' has {sign}, half of a character. Take it out of the settings.")
    raise_all(problems)
    return encoded


def _holds(data: bytes, text: bytes) -> bool:
    """Whether a file with this content is read as this UTF-8 text."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace").encode("utf-8", errors="replace") == text
    return data.removeprefix(codecs.BOM_UTF8) == text


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UserError(
            f"'{path}' cannot be read: {error.strerror or error}, so it is not written either. Check your rights to it."
        ) from error


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links, and a linked file is its own


def _some(items: Iterable[str], limit: int = 5) -> str:
    listed = list(items)
    more = f", and {len(listed) - limit} more" if len(listed) > limit else ""
    return ", ".join(listed[:limit]) + more
