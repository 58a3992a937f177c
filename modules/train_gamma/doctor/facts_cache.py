"""What was seen of pictures, kept between examinations, so that the second one of a large folder is quick."""

import base64
import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from train_gamma import atomic
from train_gamma.dataset.facts import PictureFacts
from train_gamma.dataset.fingerprint import Fingerprint

_LAYOUT = 1


class FactsCache:
    """The facts of one folder's pictures, by name, size and time of change of the file.

    Args:
        place: folder for the cache, outside of any dataset; None to keep nothing.
        folder: of the pictures.
        background: the colour behind transparent pictures, which decides what they look like.
    """

    def __init__(self, place: Path | None, folder: Path, background: str) -> None:
        key = hashlib.sha256(f"{_LAYOUT} {background} {folder.resolve()}".encode("utf-8", "surrogateescape"))
        self._file = None if place is None else place / f"{key.hexdigest()[:32]}.json"
        self._known: dict[str, Any] = {} if self._file is None else _read(self._file)
        self._used: dict[str, Any] = {}

    def get(self, path: Path) -> PictureFacts | None:
        """The facts of a picture that has not changed since they were put here."""
        record = self._known.get(str(path))
        if record is None or record.get("stamp") != _stamp(path):
            return None
        try:
            facts = _restored(record["facts"])
        except (KeyError, TypeError, ValueError):
            return None
        self._used[str(path)] = record
        return facts

    def put(self, path: Path, facts: PictureFacts) -> None:
        """Keep what was seen of a picture."""
        self._used[str(path)] = {"stamp": _stamp(path), "facts": _plain(facts)}

    def save(self) -> None:
        """Write what was used or put since the cache was opened. A full disk is no reason to fail."""
        if self._file is None or self._used == self._known:
            return
        try:
            atomic.write_text(self._file, json.dumps(self._used))
        except OSError:
            return


def _stamp(path: Path) -> list[int]:
    try:
        status = path.stat()
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]


def _read(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _plain(facts: PictureFacts) -> dict[str, Any]:
    record = dataclasses.asdict(facts)
    record["look"]["thumbnail"] = base64.b64encode(facts.look.thumbnail).decode("ascii")
    return record


def _restored(record: Mapping[str, Any]) -> PictureFacts:
    look = dict(record["look"])
    look["thumbnail"] = base64.b64decode(look["thumbnail"])
    width, height = record["size"]
    return PictureFacts(**{**record, "size": (int(width), int(height)), "look": Fingerprint(**look)})
