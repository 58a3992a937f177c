"""The numbers people look at while a run goes on, gathered from its events."""

import math
import threading
from collections import deque
from pathlib import Path
from typing import Any

from train_gamma.jobs.curve import Curve
from train_gamma.jobs.history import past_events
from train_gamma.jobs.memory import begin_peak, gpu_peak, memory_in_use
from train_gamma.training.events import (
    Evaluated,
    Event,
    Finished,
    Preparing,
    Previewed,
    Progress,
    Saved,
    Started,
    Warned,
)
from train_gamma.training.run_folder import RunFolder

SMOOTHING = 0.98
"""Share of the loss so far in the smoothed loss; about the last 50 steps count."""
SPEED_STEPS = 50
"""Seconds per step are the mean over so many steps."""
MOST_WARNINGS = 100


class Record:
    """A listener that keeps the latest numbers, the curve, previews, copies and warnings of one run.

    See ``JobRecord``. Every method may be called from any thread.
    """

    waiting, stopping, doing = "Waiting for the model.", "Stopping; everything is saved.", "trained"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._folder: Path | None = None
        self._start, self._total_steps = 0, 0
        self._progress: Progress | None = None
        self._smooth, self._weight = 0.0, 0.0
        self._times: deque[tuple[int, float]] = deque(maxlen=SPEED_STEPS + 1)
        self._curve = Curve()
        self._evaluations: dict[int, float] = {}
        self._previews: dict[int, int] = {}
        self._copies: dict[str, int] = {}
        self._result, self._reason = "", ""
        self._warnings: list[str] = []
        self._peak: int | None = None

    def __call__(self, event: Event) -> None:
        """Take one event."""
        with self._lock:
            if isinstance(event, Started):
                self._begin(event)
            elif isinstance(event, Progress):
                self._step(event)
            else:
                self._note(event)
            if not isinstance(event, Saved | Evaluated | Warned):
                self._measure()

    def recall(self, folder: RunFolder, total_steps: int) -> None:
        """Take what a run folder tells of a run that is over or was begun by another program."""
        with self._lock:
            self._folder, self._total_steps = folder.path, total_steps
            self._read_past(folder)

    @property
    def folder(self) -> Path | None:
        """The run's folder, None before it has begun."""
        return self._folder

    @property
    def step(self) -> int:
        """Finished steps."""
        progress = self._progress
        return self._start if progress is None else progress.step

    @property
    def total_steps(self) -> int:
        """Steps in all, 0 before the run has begun."""
        return self._total_steps

    @property
    def seconds_per_picture(self) -> float | None:
        """Seconds per step and picture of it, None when fewer than two steps were done."""
        with self._lock:
            per_step, progress = self._seconds_per_step(), self._progress
        return None if per_step is None or progress is None else per_step / max(1, progress.images)

    def snapshot(self, since: int = 0) -> dict[str, Any]:
        """Everything as plain JSON values; of the curve only the steps above ``since``."""
        with self._lock:
            progress, per_step = self._progress, self._seconds_per_step()
            step = self._start if progress is None else progress.step
            left = None if per_step is None else max(0, self._total_steps - step) * per_step
            return {
                "run": "" if self._folder is None else self._folder.name,
                "step": step,
                "total_steps": self._total_steps,
                **_numbers(progress),
                "smoothed_loss": finite(self._smooth / self._weight) if self._weight else None,
                "seconds_per_step": per_step,
                "eta_seconds": left,
                "memory_bytes": memory_in_use(),
                "memory_peak_bytes": self._peak,
                "evaluations": [[at, finite(loss)] for at, loss in sorted(self._evaluations.items())],
                "curve": [[at, finite(loss), rate] for at, loss, rate in self._curve.after(since)],
                "previews": [{"step": at, "count": count} for at, count in sorted(self._previews.items())],
                "copies": [{"step": at, "name": name} for name, at in sorted(self._copies.items(), key=lambda c: c[1])],
                "result": self._result,
                "warnings": list(self._warnings),
            }

    def told(self, event: Event) -> tuple[str, str] | None:
        """See ``JobRecord``."""
        if isinstance(event, Preparing):
            counted = f": {event.done} of {event.total}" if event.total else ""
            return "preparing", f"{event.what}{counted}."
        if isinstance(event, Started):
            return "running", f"Begins at step {event.step} of {event.total_steps}: first evaluation and previews."
        if isinstance(event, Progress):
            return "", f"Step {event.step} of {event.total_steps}."
        return ("", "Saving.") if isinstance(event, Finished) else None

    def end(self, told: str) -> tuple[str, str]:
        """See ``JobRecord``."""
        step, total = self.step, self.total_steps
        if self._reason in ("", "finished"):
            return "finished", f"Done: {step} steps. {told}".strip() if self._reason else told or "Done."
        if self._reason == "stopped":
            return "stopped", f"Stopped after {step} of {total} steps; everything is saved. {told}".strip()
        return "failed", (
            f"Ended after {step} steps, as the loss was not finite several times in a row. The last good vectors are "
            "in the run's folder. Try Precision fp32 or bf16, or a lower learning rate."
        )

    def failure(self, error: Exception) -> str:
        """See ``JobRecord``."""
        if type(error).__name__ == "OutOfMemoryError":
            return (
                "The GPU has no memory left. What was trained is saved. Lower Batch size (raise Gradient accumulation "
                "instead), turn Gradient checkpointing on, or make the pictures smaller."
            )
        return f"{type(error).__name__}: {error}"

    def named(self, title: str) -> dict[str, str]:
        """See ``JobRecord``: the embedding has the job's title."""
        return {"embedding": title}

    def _begin(self, event: Started) -> None:
        self._folder, self._start, self._total_steps = event.folder, event.step, event.total_steps
        self._peak = None
        begin_peak()
        if event.step:
            self._read_past(RunFolder(event.folder))
            self._times.clear()  # the time between the two parts of the run is no work

    def _read_past(self, folder: RunFolder) -> None:
        for event in past_events(folder, self._total_steps):
            if isinstance(event, Progress):
                self._step(event)
            else:
                self._note(event)

    def _step(self, event: Progress) -> None:
        self._progress = event
        self._smooth = SMOOTHING * self._smooth + (1 - SMOOTHING) * event.loss
        self._weight = SMOOTHING * self._weight + (1 - SMOOTHING)
        self._times.append((event.step, event.seconds))
        self._curve.add((event.step, event.loss, event.learning_rate))

    def _note(self, event: Event) -> None:
        if isinstance(event, Evaluated):
            self._evaluations[event.step] = event.loss
        elif isinstance(event, Previewed):
            self._previews[event.step] = len(event.paths)
        elif isinstance(event, Saved):
            if event.path.parent == self._folder:
                self._result = event.path.name
            else:
                self._copies[event.path.name] = event.step
        elif isinstance(event, Finished):
            self._reason = event.reason
        elif isinstance(event, Warned):
            self._warnings = [*self._warnings[-(MOST_WARNINGS - 1) :], event.message]

    def _measure(self) -> None:
        seen = [value for value in (self._peak, gpu_peak() or memory_in_use()) if value is not None]
        self._peak = max(seen, default=None)

    def _seconds_per_step(self) -> float | None:
        if len(self._times) < 2:
            return None
        (first, begun), (last, now) = self._times[0], self._times[-1]
        return (now - begun) / max(1, last - first)


def finite(value: float | None) -> float | None:
    """The value, or None for what JSON has no number for."""
    return value if value is not None and math.isfinite(value) else None


def _numbers(progress: Progress | None) -> dict[str, Any]:
    names = ("epoch", "loss", "learning_rate", "gradient_norm", "vector_norm", "seconds")
    if progress is None:
        return dict.fromkeys(names)
    return {name: finite(getattr(progress, name)) for name in names}
