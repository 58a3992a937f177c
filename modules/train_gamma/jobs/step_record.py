"""The numbers of a job that goes through files one by one, and how it ended."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Advanced:
    """``done`` of ``total`` pictures were gone through."""

    what: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The end: what came of it, as plain JSON values, and whether it was stopped early."""

    result: Mapping[str, Any] = field(default_factory=dict)
    stopped: bool = False


class StepRecord:
    """A listener that keeps the latest numbers of such a job. See ``JobRecord``. Any thread may call every method.

    Args:
        doing: what is done with the title, such as "examined".
    """

    waiting, stopping = "Waiting.", "Stopping; what is done is kept."
    folder, seconds_per_picture = None, None

    def __init__(self, doing: str) -> None:
        self.doing = doing
        self._lock = threading.Lock()
        self._now = Advanced("", 0, 0)
        self._begun: float | None = None
        self._end = Ended()

    def __call__(self, event: Advanced | Ended) -> None:
        """Take one event."""
        with self._lock:
            if isinstance(event, Ended):
                self._end = event
                return
            self._now = event
            if self._begun is None:
                self._begun = time.monotonic()

    def told(self, event: Advanced | Ended) -> tuple[str, str] | None:
        """See ``JobRecord``."""
        if isinstance(event, Ended):
            return None
        return "running", f"{event.what}: {event.done} of {event.total}."

    def end(self, told: str) -> tuple[str, str]:
        """See ``JobRecord``."""
        now = self._now
        if self._end.stopped:
            return "stopped", f"Stopped after {now.done} of {now.total} pictures. {told}".strip()
        return "finished", f"Done: {now.done} pictures. {told}".strip()

    def failure(self, error: Exception) -> str:
        """See ``JobRecord``."""
        return f"{type(error).__name__}: {error}"

    def snapshot(self, since: int = 0) -> dict[str, Any]:  # noqa: ARG002 - there is no curve
        """Everything as plain JSON values."""
        with self._lock:
            now, speed = self._now, self._per_second()
            return {
                "what": now.what,
                "done": now.done,
                "total": now.total,
                "seconds": None,
                "eta_seconds": (now.total - now.done) / speed if speed else None,
                "per_second": speed,
                "result": dict(self._end.result),
                "warnings": [],
            }

    def named(self, title: str) -> dict[str, str]:  # noqa: ARG002 - a folder is no embedding
        """See ``JobRecord``."""
        return {}

    def _per_second(self) -> float | None:
        elapsed = 0.0 if self._begun is None else time.monotonic() - self._begun
        return self._now.done / elapsed if elapsed > 0 and self._now.done else None
