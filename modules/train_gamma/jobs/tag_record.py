"""The numbers people look at while a folder is tagged, and how it ended."""

import threading
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from train_gamma.training.events import Warned

SPEED_S = 20.0
"""Pictures per second are those of so many seconds."""
MOST_POINTS = 500
MOST_WARNINGS = 100
MEGABYTE = 10**6


@dataclass(frozen=True, slots=True)
class Loading:
    """A model is loaded or downloaded: ``done`` of ``total`` bytes, 0 of 0 when unknown."""

    what: str
    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class Looked:
    """Pictures were looked at: ``done`` of ``total``, and of those done ``computed`` by the model, not the cache."""

    what: str
    done: int
    total: int
    computed: int = 0
    device: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """One picture could not be tagged. The others go on."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Writing:
    """The captions of so many pictures are chosen and written."""

    count: int


@dataclass(frozen=True, slots=True)
class Tagged:
    """The end of a run. The numbers are pictures; backup is the file that holds the captions before, "" for none.

    ``written`` are those that are new, replaced, merged or filled.
    """

    written: int = 0
    new: int = 0
    replaced: int = 0
    merged: int = 0
    filled: int = 0
    skipped: int = 0
    unchanged: int = 0
    backup: str = ""
    stopped: bool = False
    preview: bool = False


TagEvent = Loading | Looked | Failed | Writing | Tagged | Warned


@dataclass(slots=True)
class _Seen:
    what: str = ""
    done: int = 0
    total: int = 0
    device: str = ""
    points: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=MOST_POINTS))


class TagRecord:
    """A listener that keeps the latest numbers, failures and warnings of one tagging run.

    See ``JobRecord``. Every method may be called from any thread.
    """

    waiting, stopping, doing = "Waiting.", "Stopping; what is done is kept.", "tagged"
    folder, seconds_per_picture = None, None

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen = _Seen()
        self._failed: list[dict[str, str]] = []
        self._warnings: list[str] = []
        self._end = Tagged()

    def __call__(self, event: TagEvent) -> None:
        """Take one event."""
        with self._lock:
            if isinstance(event, Looked):
                self._look(event)
                self._seen.points.append((time.monotonic(), event.computed))
            elif isinstance(event, Failed):
                self._failed.append({"path": str(event.path), "reason": event.reason})
            elif isinstance(event, Warned):
                self._warnings = [*self._warnings[-(MOST_WARNINGS - 1) :], event.message]
            elif isinstance(event, Tagged):
                self._end = event

    def told(self, event: TagEvent) -> tuple[str, str] | None:
        """See ``JobRecord``."""
        if isinstance(event, Loading):
            return "preparing", f"{event.what}{_amount(event)}."
        if isinstance(event, Looked):
            return "running", f"{event.what}: {event.done} of {event.total} pictures."
        if isinstance(event, Writing):
            return "running", f"Writing the captions of {event.count} pictures."
        return None

    def end(self, told: str) -> tuple[str, str]:
        """See ``JobRecord``."""
        end, seen = self._end, self._seen
        failed = f"{len(self._failed)} could not be tagged." if self._failed else ""
        counts = ", ".join(
            f"{count} {word}"
            for count, word in ((end.merged, "of them merged"), (end.skipped, "skipped"), (end.unchanged, "unchanged"))
            if count
        )
        written = "nothing is written, as asked" if end.preview else f"{_captions(end.written)} written"
        counts = "; ".join(filter(None, (written, counts)))
        begin = f"Stopped after {seen.done} of {seen.total} pictures" if end.stopped else f"Done: {seen.done} pictures"
        return "stopped" if end.stopped else "finished", " ".join(filter(None, (f"{begin}; {counts}.", failed, told)))

    def failure(self, error: Exception) -> str:
        """See ``JobRecord``."""
        return f"{type(error).__name__}: {error}"

    def snapshot(self, since: int = 0) -> dict[str, Any]:  # noqa: ARG002 - there is no curve
        """Everything as plain JSON values."""
        with self._lock:
            speed, seen = self._per_second(), self._seen
            result = {k: v for k, v in asdict(self._end).items() if k not in ("stopped", "preview")}
            return {
                "what": seen.what,
                "done": seen.done,
                "total": seen.total,
                "seconds": None,
                "eta_seconds": (seen.total - seen.done) / speed if speed else None,
                "per_second": speed,
                "device": seen.device,
                "result": {**result, "failed": list(self._failed)},
                "warnings": list(self._warnings),
            }

    def named(self, title: str) -> dict[str, str]:  # noqa: ARG002 - a folder is no embedding
        """See ``JobRecord``."""
        return {}

    def _look(self, event: Looked) -> None:
        if event.what != self._seen.what:  # another model begins
            self._seen = _Seen(event.what)
        self._seen.done, self._seen.total, self._seen.device = event.done, event.total, event.device

    def _per_second(self) -> float | None:
        """Pictures the model looked at in a second, lately; None before it is known."""
        points = self._seen.points
        while len(points) > 2 and points[-1][0] - points[0][0] > SPEED_S:
            points.popleft()
        if len(points) < 2 or points[-1][1] == points[0][1]:
            return None
        (begun, before), (now, computed) = points[0], points[-1]
        return (computed - before) / max(now - begun, 1e-9)


def _amount(event: Loading) -> str:
    if not event.total:
        return ""
    return f": {event.done / MEGABYTE:.0f} of {event.total / MEGABYTE:.0f} MB"


def _captions(count: int) -> str:
    return "1 caption" if count == 1 else f"{count} captions"
