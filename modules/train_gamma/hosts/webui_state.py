"""A job as the WebUI sees it: its shared state, progress bar and Interrupt button.

The host has one state for everything. Whoever begins a job overwrites it and clears the Interrupt that was pressed
for the one before; a training that lets others generate between its steps therefore has to know whose state it looks
at. ``State.begin`` sets ``time_start``, so a start time of our own is the mark by which we know that it is ours. (The
name of the job would not do: the host empties it after a generation, when ours has begun again already.)
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from train_gamma.training.events import (
    Control,
    Event,
    Finished,
    Preparing,
    Previewed,
    Progress,
    Saved,
    Started,
)

JOB = "train_gamma"
"""What the state calls our job."""

_log = logging.getLogger("train_gamma")


class StateMirror:
    """Shows one job in the WebUI's state and turns the Interrupt pressed meanwhile into ``control.stop``.

    Hears the job's events as a ``Listener``. ``begin`` and ``end`` belong around the time in which the model is ours,
    ``give_way`` around the turns of others. A job that needs no model begins with ``alone=False``: it is shown while
    nobody has work in the queue, and leaves the state to whoever has.

    Attributes:
        title: of the job, as people call it.
        task: what a progress bar of the page asks for.
        alone: whether the queue is ours as long as the job is shown.
    """

    def __init__(self, title: str, control: Control) -> None:
        self.title = title
        self.task = f"task({JOB}-{secrets.token_hex(4)})"
        self._control = control
        self._mark: float | None = None  # our state.time_start
        self.alone = True
        self._step, self._total, self._text = 0, 0, ""
        self._lock = threading.RLock()  # an Interrupt is looked at and taken back by different threads

    def queue(self) -> None:
        """Wait for the model, in the host's list of waiting tasks."""
        from modules import progress

        progress.add_task_to_queue(self.task)

    @property
    def begun(self) -> bool:
        """Whether the job is shown."""
        return self._mark is not None

    def begin(self, alone: bool = True) -> None:
        """Take the state.

        Args:
            alone: whether the model is ours, and with it the queue. Otherwise others have their turn at any time.
        """
        with self._lock:
            self.alone, self._mark = alone, time.time()
            if alone:
                self._claim()
            else:
                self._show()

    def end(self) -> None:
        """Give the state back. An Interrupt that was meant for us is not left to the next one."""
        from modules.shared import state

        with self._lock:
            if self._is_ours():
                state.interrupted = state.stopping_generation = state.skipped = False
                state.end()
            self._mark = None

    def leave(self) -> None:
        """The job does not wait any more, or is over: the page's progress bar may go."""
        from modules import progress

        progress.pending_tasks.pop(self.task, None)
        progress.finish_task(self.task)

    def give_way(self, turn: Callable[[], None]) -> None:
        """Let others use the model in ``turn``; afterwards the state is ours again."""
        from modules.shared import state

        self.note()
        began = state.time_start
        self.queue()
        turn()
        with self._lock:
            if self._mark is not None and state.time_start != began:  # somebody had a turn, and it is over
                self._claim()
            else:
                self._start_task()

    def note(self) -> None:
        """Look whether the job is to stop, while that can be seen: others clear the Interrupt when they begin."""
        from modules.shared import state

        with self._lock:
            interrupted = self._is_ours() and (state.interrupted or getattr(state, "stopping_generation", False))
            if self._mark is not None and (interrupted or getattr(state, "server_command", None) == "stop"):
                self._control.stop()

    @contextmanager
    def spared(self) -> Iterator[None]:
        """Inside, the host may interrupt whatever runs: it is not meant for us (Reload UI does so)."""
        from modules.shared import state

        with self._lock:
            self.note()
            try:
                yield
            finally:
                if self._is_ours():
                    state.interrupted = False

    def __call__(self, event: Event) -> None:
        """Show an event. What goes wrong in showing is logged and does the job no harm."""
        try:
            self.note()
            self._take(event)
            self._show()
        except Exception:  # the host's side: its forks differ, and a run is worth more than its progress bar
            _log.exception("The WebUI could not show the progress of '%s'.", self.title)

    def _take(self, event: Event) -> None:
        if isinstance(event, Preparing):
            counted = f" {event.done} of {event.total}" if event.total else ""
            self._step, self._total, self._text = event.done, event.total, event.what + counted
        elif isinstance(event, Started):
            self._step, self._total, self._text = event.step, event.total_steps, "starting"
        elif isinstance(event, Progress):
            self._step, self._total = event.step, event.total_steps
            self._text = f"step {event.step} of {event.total_steps}, loss {event.loss:.4f}"
            self._date_back(event.seconds)
        elif isinstance(event, Saved):
            self._text = f"saved after step {event.step}"
        elif isinstance(event, Finished):
            self._text = f"{event.reason} after step {event.step}"
        elif isinstance(event, Previewed):
            self._show_picture(event)

    def _date_back(self, seconds: float) -> None:
        """The bar's remaining time is made of step and start; a resumed run has steps from before."""
        from modules.shared import state

        began = time.time() - seconds
        with self._lock:
            if self._is_ours() and self._mark is not None and began < self._mark - 1:
                self._mark = state.time_start = began

    def _show(self) -> None:
        from modules.shared import state

        with self._lock, self._nobody_begins() as safe:
            if self._mark is None or not safe:
                return
            if not self._is_ours():
                if state.job:  # somebody who did not wait for the queue
                    return
                self._claim()
            state.job = JOB
            state.job_count, state.job_no, state.sampling_step = self._total, self._step, 0
            state.textinfo = f"{self.title}: {self._text}".replace("\n", " ")  # the bar shows one line only

    def _show_picture(self, event: Previewed) -> None:
        from modules.shared import state
        from PIL import Image

        if event.paths and self._is_ours():
            with Image.open(event.paths[0]) as picture:
                state.assign_current_image(picture.convert("RGB"))

    def _claim(self) -> None:
        from modules.shared import state

        state.begin(job=JOB)
        state.time_start = self._mark
        self._start_task()

    def _start_task(self) -> None:
        from modules import progress

        progress.start_task(self.task)

    @contextmanager
    def _nobody_begins(self) -> Iterator[bool]:
        """Inside, nobody of the queue takes the state: it is held, if only for this moment. False if it cannot be."""
        from modules import call_queue

        if self.alone:
            yield True
            return
        held = call_queue.queue_lock.acquire(blocking=False)
        try:
            yield held
        finally:
            if held:
                call_queue.queue_lock.release()

    def _is_ours(self) -> bool:
        from modules.shared import state

        return self._mark is not None and state.time_start == self._mark


def spare_from_restarts(state: Any, current: Callable[[], StateMirror | None]) -> None:
    """Let Reload UI go on without ending a run: it interrupts what runs, waits for nothing and needs nothing stopped.

    Calling it again, after the scripts were loaded anew, replaces what it did before.

    Args:
        state: the host's ``shared.state``.
        current: tells the mirror of the job that runs now.
    """
    if not hasattr(state, "request_restart"):
        return
    original = getattr(state.request_restart, "__wrapped__", state.request_restart)

    def request_restart() -> None:
        mirror = current()
        if mirror is None:
            original()
            return
        with mirror.spared():
            original()

    request_restart.__wrapped__ = original  # type: ignore[attr-defined]
    state.request_restart = request_restart
