"""The zips that hold caption files as they were before a change."""

import hashlib
import json
import os
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from train_gamma import atomic
from train_gamma.errors import UserError

RETENTION = 20
"""So many zips are kept of each dataset: the first one, which has what people wrote themselves, and the newest."""

_VERSION = 1
_MANIFEST = "manifest.json"
_BROKEN = (OSError, zipfile.BadZipFile, zlib.error, KeyError, ValueError, TypeError, NotImplementedError)


@dataclass(frozen=True, slots=True)
class Backup:
    """One zip.

    Attributes:
        path: the zip.
        when: it was made, in UTC.
        dataset: the folder that the files belong to.
        changed: number of files that were changed or removed after it was made.
        created: number of files that did not exist before.
    """

    path: Path
    when: datetime
    dataset: Path
    changed: int
    created: int


@dataclass(frozen=True, slots=True)
class Change:
    """One file, before and after; None where there is no file.

    Attributes:
        path: absolute, in the dataset.
        old: what is in it, or was.
        written: SHA-256 of what it was changed to.
    """

    path: Path
    old: bytes | None
    written: str | None


def fingerprint(data: bytes | None) -> str | None:
    """SHA-256 of the content of a file, None of no file."""
    return None if data is None else hashlib.sha256(data).hexdigest()


def folder_of(backups: Path, dataset: Path) -> Path:
    """Where the zips of a dataset are: a folder with its name and a number made from its whole path."""
    real = os.path.normcase(os.path.realpath(dataset))
    name = re.sub(r"[^\w.-]+", "_", Path(real).name)[:40].strip("._") or "dataset"
    return backups / f"{name}-{hashlib.sha256(os.fsencode(real)).hexdigest()[:12]}"


def make_backup(folder: Path, dataset: Path, changes: Mapping[Path, tuple[bytes | None, bytes | None]]) -> Path:
    """Write a zip into ``folder``, which is made if need be, and delete those between the first and the newest.

    Args:
        folder: where the zips of this dataset are.
        dataset: absolute.
        changes: what each file, absolute and in ``dataset``, holds and will hold.

    Raises:
        OSError: if it cannot be written; nothing is left of it then.
    """
    now = datetime.now(timezone.utc)
    files, contents = [], {}
    for number, (path, (old, new)) in enumerate(changes.items()):
        relative = path.relative_to(dataset).as_posix()
        entry = None if old is None else f"captions/{relative if _is_text(relative) else number}"
        files.append({"path": relative, "old": entry, "written": fingerprint(new)})
        if entry is not None:
            contents[entry] = old or b""
    manifest = {"version": _VERSION, "dataset": str(dataset), "time": now.isoformat(), "files": files}
    target = _free(folder / f"{now:%Y%m%d-%H%M%S-%f}.zip")
    atomic.write_with(target, lambda temporary: _write_zip(temporary, manifest, contents))
    others = [path for path in sorted(folder.glob("*.zip")) if path != target]  # the clock may have been put back
    for old_zip in others[1 : max(1, len(others) - (RETENTION - 2))]:
        old_zip.unlink(missing_ok=True)
    return target


def describe_backup(path: Path) -> Backup:
    """What a zip is about.

    Raises:
        UserError: if it is none of ours, or damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _describe(path, _read_manifest(archive))
    except _BROKEN as error:
        raise _refusal(path, error) from error


def read_backup(path: Path) -> tuple[Backup, list[Change]]:
    """What a zip is about and holds.

    Raises:
        UserError: if it is none of ours, or damaged, or names a file that is not in its dataset.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = _read_manifest(archive)
            backup = _describe(path, manifest)
            changes = [
                Change(
                    _inside(backup.dataset, file["path"]),
                    None if file["old"] is None else archive.read(file["old"]),
                    file["written"],
                )
                for file in manifest["files"]
            ]
    except _BROKEN as error:
        raise _refusal(path, error) from error
    return backup, changes


def _describe(path: Path, manifest: Mapping[str, Any]) -> Backup:
    created = sum(file["old"] is None for file in manifest["files"])
    when = datetime.fromisoformat(manifest["time"])
    return Backup(path, when, Path(manifest["dataset"]), len(manifest["files"]) - created, created)


def _read_manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(archive.read(_MANIFEST))
    if manifest["version"] != _VERSION:
        raise ValueError(f"it is of version {manifest['version']}, this program reads {_VERSION}")
    return manifest


def _inside(dataset: Path, relative: str) -> Path:
    path = Path(os.path.abspath(dataset / relative))  # noqa: PTH100 - resolve() would follow links
    if not path.is_relative_to(dataset) or path == dataset:
        raise ValueError(f"'{relative}' is not in the dataset")
    return path


def _refusal(path: Path, error: Exception) -> UserError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return UserError(f"'{path}' is no zip of captions that can be put back: {reason}. Choose another one.")


def _write_zip(path: Path, manifest: Mapping[str, Any], contents: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_MANIFEST, json.dumps(manifest, indent=1))
        for entry, data in contents.items():
            archive.writestr(entry, data)


def _free(path: Path) -> Path:
    free, number = path, 2
    while free.exists():
        free = path.with_name(f"{path.stem}-{number:03d}.zip")
        number += 1
    return free


def _is_text(name: str) -> bool:
    """Whether a file name is text; on Linux it may be any bytes."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
