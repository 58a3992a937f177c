"""One job at a time: a worker thread, its state, and how it ended."""

import logging
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from train_gamma.errors import UserError
from train_gamma.jobs.job_record import Hear, JobRecord
from train_gamma.jobs.record import Record
from train_gamma.training.events import Control

Work = Callable[[Hear, Control], Any]
"""What a job does. A text it returns is added to the message of a job that ended well."""

KEPT = 20
"""So many jobs are remembered."""

log = logging.getLogger("train_gamma")


class BusyError(UserError):
    """Another job is running."""


class StoppedError(UserError):
    """The job was stopped before it began."""


class Job:
    """One piece of work, from waiting for its turn to its end.

    Attributes:
        id: a short text that no other job has.
        kind: "train", "resume", "tag", "examine" or "prepare".
        title: what people call it: the embedding's name, or the folder's.
        control: commands to it, from any thread.
    """

    def __init__(self, kind: str, title: str, record: JobRecord | None = None) -> None:
        self.id = secrets.token_hex(4)
        self.kind, self.title = kind, title
        self.control = Control()
        self._record: JobRecord = record or Record()
        self._lock = threading.Lock()
        self._state, self._message = "waiting", self._record.waiting
        self._begun, self._ended = time.monotonic(), threading.Event()
        self._over_at: float | None = None

    @property
    def state(self) -> str:
        """waiting, preparing, running, stopping, finished, stopped or failed."""
        with self._lock:
            return self._shown()[0]

    @property
    def over(self) -> bool:
        """Whether it has ended, well or not."""
        return self._ended.is_set()

    @property
    def run(self) -> Path | None:
        """The run's folder, None before it is made."""
        return self._record.folder

    @property
    def seconds_per_picture(self) -> float | None:
        """Seconds per picture of a step, None when too few steps were done."""
        return self._record.seconds_per_picture

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end. False if it did not come in time."""
        return self._ended.wait(timeout_s)

    def snapshot(self, since: int = 0) -> dict[str, Any]:
        """What there is to show, as plain JSON values; of the curve only the steps above ``since``."""
        content = self._record.snapshot(since)
        with self._lock:
            state, message = self._shown()
            over_at = self._over_at
        if content["seconds"] is None:  # no step was done yet
            content["seconds"] = (time.monotonic() if over_at is None else over_at) - self._begun
        head = {"id": self.id, "kind": self.kind, "title": self.title, "state": state, "message": message}
        return {**head, **self._record.named(self.title), **content}

    @property
    def doing(self) -> str:
        """What is done with the title, such as "trained"."""
        return self._record.doing

    def hear(self, event: Any) -> None:
        """Take an event of the work.

        Raises:
            StoppedError: if the job was asked to stop while it prepares.
        """
        self._record(event)
        told = self._record.told(event)
        if told is None:
            return
        state, message = told
        with self._lock:
            self._state, self._message = state or self._state, message
        if state == "preparing" and self.control.stop_requested:
            raise StoppedError("Stopped before the first step. Nothing was done.")

    def do(self, work: Work) -> None:
        """Do the work in this thread and keep how it ended; raises nothing but what ends the thread itself."""
        state, message = "failed", "The worker ended in the middle. See the console."
        try:
            told = work(self.hear, self.control)
            state, message = self._record.end(told if isinstance(told, str) else "")
        except UserError as error:
            stopped = isinstance(error, StoppedError) or (self.control.stop_requested and self._state == "waiting")
            state, message = ("stopped", "Stopped before it began.") if stopped else ("failed", str(error))
            log.warning("%s %s: %s", self.title, state, error)
        except Exception as error:
            log.exception("%s failed", self.title)
            message = self._record.failure(error)
        finally:
            with self._lock:
                self._state, self._message, self._over_at = state, message, time.monotonic()
                self._ended.set()

    def _shown(self) -> tuple[str, str]:
        if self._state in ("waiting", "preparing", "running") and self.control.stop_requested:
            return "stopping", self._record.stopping
        return self._state, self._message


class Jobs:
    """The jobs of this program. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}

    @property
    def current(self) -> Job | None:
        """The job that has not ended, if there is one."""
        latest = self.latest
        return latest if latest is not None and not latest.over else None

    @property
    def latest(self) -> Job | None:
        """The job begun last, ended or not."""
        with self._lock:
            return next(reversed(self._jobs.values()), None)

    def start(self, kind: str, title: str, work: Work, record: JobRecord | None = None) -> Job:
        """Begin a job in a thread of its own and return at once.

        Args:
            kind: see ``Job``.
            title: see ``Job``.
            work: what is done.
            record: what its events become; a training's when None.

        Raises:
            BusyError: if another one has not ended.
        """
        with self._lock:
            _refuse(next(reversed(self._jobs.values()), None))
            job = Job(kind, title, record)
            self._jobs[job.id] = job
            for old in list(self._jobs)[:-KEPT]:
                del self._jobs[old]
        threading.Thread(target=job.do, args=(work,), name=f"train_gamma {job.id}", daemon=True).start()
        return job

    def refuse_when_busy(self) -> None:
        """Do nothing if a job could start now.

        Raises:
            BusyError: if one has not ended.
        """
        _refuse(self.latest)

    def get(self, job_id: str) -> Job | None:
        """The job of that id, None if there is none."""
        with self._lock:
            return self._jobs.get(job_id)

    def all(self) -> list[Job]:
        """Every job that is remembered, the newest first."""
        with self._lock:
            return list(reversed(self._jobs.values()))


def _refuse(latest: Job | None) -> None:
    if latest is not None and not latest.over:
        doing = f"'{latest.title}' is being {latest.doing}"
        raise BusyError(f"{doing}. One job runs at a time: stop it, or wait for its end.")
