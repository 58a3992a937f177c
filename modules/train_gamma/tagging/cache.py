"""What models said of pictures, kept between runs: a database outside of the datasets.

An answer belongs to the *content* of a picture file, so that it survives renaming and copying, and to a *view*: the
model's identity and the background that transparent pictures are laid on. That a file still has the content it had is
known from its size and time, without reading it again.

Several programs may use one cache at a time. Nothing that befalls it ends a run: one that is damaged is set aside and
made anew, and where none can be kept, it lives in memory for as long as the program does.
"""

import json
import logging
import os
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar

from train_gamma.tagging.interrogator import Label

MOST_ROWS = 300_000
"""So many answers, of about 1 KB each, and files are remembered; then the oldest go."""
DIGEST_BYTES = 16
WAIT_S = 20.0
"""So long another program may hold the database."""
COARSE_CLOCK_S = 2.5
"""Times of files are this coarse on some disks (FAT), so a file that is newer may change once more unnoticed."""

_CHUNK = 500
_TABLES = """
create table if not exists files (path blob primary key, size integer, time integer, digest blob);
create table if not exists views (id integer primary key, view text unique);
create table if not exists answers (view integer, digest blob, answer blob, primary key (view, digest));
create table if not exists models (name text primary key, content blob);
"""
_FOREIGN = ("no such table", "no such column", "has no column", "columns but")

T = TypeVar("T")
log = logging.getLogger("train_gamma")


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells that a file is unchanged: size in bytes, time in ns."""

    size: int
    time: int


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model that was loaded before: enough to read its answers without loading it.

    Attributes:
        identity: see ``Interrogator``; the same for a captioner, which has no labels.
        labels: what its rows are about.
        thresholds: the recommended ones per category.
        stamp: of the model's files, which tells whether they are still those.
    """

    identity: str
    labels: tuple[Label, ...] = ()
    thresholds: Mapping[str, float] = field(default_factory=dict)
    stamp: str = ""


def digest_of(content: bytes) -> bytes:
    """What a picture is known by."""
    return blake2b(content, digest_size=DIGEST_BYTES).digest()


def stamp_of(path: Path) -> Stamp | None:
    """The stamp of a file, None if it cannot be asked."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return Stamp(found.st_size, found.st_mtime_ns)


class Cache:
    """See the module. Every method may be called from any thread, and raises nothing.

    Attributes:
        problem: why what is new is not kept beyond this program, "" when it is.
    """

    def __init__(self, path: Path) -> None:
        self.problem = ""
        self._path = path
        self._lock = threading.RLock()
        self._database: sqlite3.Connection | None = None
        self._models: dict[str, tuple[bytes, KnownModel | None]] = {}

    def digests(self, paths: Sequence[Path]) -> dict[Path, bytes]:
        """The digests of those files that are known and have not changed since."""
        stamps = {path: stamp for path in paths if (stamp := stamp_of(path)) is not None}
        found = self._do(lambda database: _rows(database, _FILES, (), [os.fsencode(path) for path in stamps])) or []
        known = {path: (Stamp(size, at), digest) for path, size, at, digest in found}
        held = ((path, stamp, known.get(os.fsencode(path))) for path, stamp in stamps.items())
        return {path: entry[1] for path, stamp, entry in held if entry is not None and entry[0] == stamp}

    def remember(self, files: Iterable[tuple[Path, Stamp, bytes]]) -> None:
        """Remember the digests of files that had these stamps before they were read."""
        latest = time.time_ns() - int(COARSE_CLOCK_S * 1e9)
        rows = [
            (os.fsencode(path), stamp.size, stamp.time, digest)
            for path, stamp, digest in files
            if stamp.time % 10**9 or stamp.time < latest
        ]
        if rows:
            self._do(lambda database: database.executemany("insert or replace into files values (?, ?, ?, ?)", rows))

    def answers(self, view: str, digests: Iterable[bytes]) -> dict[bytes, bytes]:
        """What is known of pictures by their digests."""
        wanted = list(dict.fromkeys(digests))
        return dict(self._do(lambda database: _answers(database, view, wanted)) or [])

    def store(self, view: str, answers: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep answers by the digests of their pictures."""
        rows = list(answers)
        if rows:
            self._do(lambda database: _store(database, view, rows))

    def model(self, name: str) -> KnownModel | None:
        """The model that was last loaded by that name, None if there was none."""
        query = "select content from models where name = ?"
        found = self._do(lambda database: database.execute(query, (name,)).fetchone())
        if found is None:
            return None
        known = self._models.get(name)
        if known is None or known[0] != found[0]:
            known = self._models[name] = (found[0], _read_model(found[0]))
        return known[1]

    def know(self, name: str, model: KnownModel) -> None:
        """Remember a model that is loaded by that name."""
        content = _write_model(model)
        if name in self._models and self._models[name][0] == content:
            return
        self._do(lambda database: database.execute("insert or replace into models values (?, ?)", (name, content)))
        self._models[name] = (content, model)

    def close(self) -> None:
        """Let go of the file. It is opened again when it is needed."""
        with self._lock:
            if self._database is not None:
                self._database.close()
            self._database = None

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """Do something with the database, in one transaction; None if that is not possible."""
        with self._lock:
            for _ in range(3):  # as it was found; anew; in memory
                try:
                    database = self._open()
                    with database:
                        return work(database)
                except sqlite3.Error as error:
                    self._repair(error)
                except OSError as error:
                    self._forgo(error)
            return None

    def _open(self) -> sqlite3.Connection:
        if self._database is None:
            place: str | Path = ":memory:"
            if not self.problem:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                place = self._path
            self._database = sqlite3.connect(place, WAIT_S, check_same_thread=False)
            self._database.execute("pragma journal_mode = wal")
            self._database.execute("pragma synchronous = normal")  # a torn end of the log is noticed and left out
            self._database.executescript(_TABLES)
            self._forget_oldest(self._database)
            known = [(name, content) for name, (content, model) in self._models.items() if model is not None]
            with self._database:  # it may be a new one, in the place of one that broke
                self._database.executemany("insert or replace into models values (?, ?)", known)
        return self._database

    def _forget_oldest(self, database: sqlite3.Connection) -> None:
        with database:
            for table in ("files", "answers"):
                where = f"rowid <= (select max(rowid) from {table}) - {MOST_ROWS}"
                database.execute(f"delete from {table} where {where}")

    def _repair(self, error: sqlite3.Error) -> None:
        """After a damaged file there is a new one; after anything else, a full disk say, one in memory."""
        if isinstance(error, sqlite3.OperationalError) and not any(text in str(error) for text in _FOREIGN):
            self._forgo(error)
            return
        self.close()
        aside = self._path.with_name(f"{self._path.stem}-damaged{self._path.suffix}")
        try:
            self._path.replace(aside)
            for ending in ("-wal", "-shm"):
                self._path.with_name(self._path.name + ending).unlink(missing_ok=True)
        except OSError as refusal:
            self._forgo(refusal)
            return
        log.warning("The cache of tags was damaged (%s). It is '%s' now, and a new one is made.", error, aside)

    def _forgo(self, error: Exception) -> None:
        self.close()
        self.problem = self.problem or (
            f"'{self._path}' cannot be used ({error}), so tags are not kept for the next time. Free space on the disk, "
            "or fix the rights to the folder."
        )
        log.warning("%s", self.problem)


_FILES = "select path, size, time, digest from files where path in"
_ANSWERS = "select digest, answer from answers where view = ? and digest in"


def _rows(
    database: sqlite3.Connection, query: str, before: tuple[int, ...], keys: Sequence[bytes]
) -> list[tuple[Any, ...]]:
    found = []
    for start in range(0, len(keys), _CHUNK):  # SQLite takes a limited number of values at once
        chunk = keys[start : start + _CHUNK]
        found += database.execute(f"{query} ({', '.join('?' * len(chunk))})", (*before, *chunk)).fetchall()
    return found


def _answers(database: sqlite3.Connection, view: str, digests: Sequence[bytes]) -> list[tuple[Any, ...]]:
    found = database.execute("select id from views where view = ?", (view,)).fetchone()
    return [] if found is None else _rows(database, _ANSWERS, found, digests)


def _store(database: sqlite3.Connection, view: str, rows: Sequence[tuple[bytes, bytes]]) -> None:
    database.execute("insert or ignore into views (view) values (?)", (view,))
    (number,) = database.execute("select id from views where view = ?", (view,)).fetchone()
    values = [(number, digest, answer) for digest, answer in rows]
    database.executemany("insert or replace into answers values (?, ?, ?)", values)


def _write_model(model: KnownModel) -> bytes:
    labels = [[label.name, label.category, label.count] for label in model.labels]
    content = {
        "identity": model.identity,
        "labels": labels,
        "thresholds": dict(model.thresholds),
        "stamp": model.stamp,
    }
    return zlib.compress(json.dumps(content).encode("utf-8"), 1)


def _read_model(content: bytes) -> KnownModel | None:
    try:
        values = json.loads(zlib.decompress(content))
        labels = tuple(Label(name, category, count) for name, category, count in values["labels"])
        return KnownModel(str(values["identity"]), labels, dict(values["thresholds"]), str(values["stamp"]))
    except (zlib.error, ValueError, KeyError, TypeError):
        return None
