"""The WebUI's queue: one job at a time has the model, in the order of asking.

AUTOMATIC1111/stable-diffusion-webui v1.9.4, modules/call_queue.py and modules/fifo_lock.py: pictures, token counters
and changes of the checkpoint wait for ``queue_lock``. A run that held it from its first to its last step would stop
the whole program, so it takes turns: between two steps it lets those go first who are waiting.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from train_gamma.errors import UserError
from train_gamma.training.events import Control

LONGEST_TURN_S = 5.0
"""A turn ends after this long even if nobody is seen to wait: a thread that was woken and came second is not seen."""

NOTHING_TRAINED = "The run was stopped before it was its turn. Nothing was trained."
"""What a training is told that is stopped while it waits."""

_UNSEEN_WAITING_S = 0.002
"""How long such a thread is given to take the lock."""


class Turn:
    """The time in which a run has the model."""

    def __init__(self, lock: Any, longest_s: float | None = None) -> None:
        """Begin the first turn.

        Args:
            lock: the WebUI's ``FIFOLock``, held.
            longest_s: after so many seconds the turn is over in any case; ``LONGEST_TURN_S`` if not given.
        """
        self._lock, self._longest_s = lock, longest_s
        self._began = time.monotonic()

    def is_over(self) -> bool:
        """Whether it is time to let others go first."""
        longest = LONGEST_TURN_S if self._longest_s is None else self._longest_s
        return self._somebody_waits() or time.monotonic() - self._began > longest

    def pass_on(self) -> None:
        """Let everybody go first who waits now, and come back when it is our turn again."""
        if self._somebody_waits():
            _go_behind_the_others(self._lock)
        else:
            _let_somebody_unseen_in(self._lock)
        self._began = time.monotonic()

    def _somebody_waits(self) -> bool:
        return bool(getattr(self._lock, "_pending_threads", ()))


@contextmanager
def our_turn(control: Control, told: str = NOTHING_TRAINED, longest_s: float | None = None) -> Iterator[Turn]:
    """Wait for the WebUI's queue and hold it.

    Args:
        control: of the job, which may be stopped while it waits.
        told: what a job that is stopped meanwhile is told.
        longest_s: see ``Turn``.

    Raises:
        UserError: with ``told``, if ``control`` was asked to stop before it was our turn.
    """
    from modules import call_queue

    lock = call_queue.queue_lock
    _wait_for(lock, control, told)
    try:
        yield Turn(lock, longest_s)
    finally:
        lock.release()


@contextmanager
def queue_unless(given_up: Callable[[], bool]) -> Iterator[bool]:
    """Wait for the WebUI's queue and hold it; False if it is not held, because ``given_up`` was true before."""
    from modules import call_queue

    lock = call_queue.queue_lock
    held = _waited_for(lock, given_up)
    try:
        yield held
    finally:
        if held:
            lock.release()


def _go_behind_the_others(lock: Any) -> None:
    """Release the lock and take it when all have had it who wait now.

    It is the lock's own ``acquire``, but with the place in the queue taken before the release: a thread that asks
    after it may get the lock before the one that was woken has come to it.
    """
    called = threading.Event()
    with lock._inner_lock:
        lock._pending_threads.append(called)
    lock.release()
    called.wait()
    lock._lock.acquire()


def _let_somebody_unseen_in(lock: Any) -> None:
    inner = getattr(lock, "_lock", None)
    until = time.monotonic() + _UNSEEN_WAITING_S
    lock.release()
    try:
        while time.monotonic() < until and not (inner is not None and inner.locked()):
            time.sleep(0.0005)
    finally:
        lock.acquire()


def _wait_for(lock: Any, control: Control, told: str = NOTHING_TRAINED) -> None:
    if not _waited_for(lock, lambda: control.stop_requested):
        raise UserError(told)


def _waited_for(lock: Any, given_up: Callable[[], bool]) -> bool:
    place = _Place(lock)
    threading.Thread(target=place.wait, name="train-gamma-queue", daemon=True).start()
    while not place.reached.wait(0.05):
        if given_up() and place.leave():
            return False
    return True


class _Place:
    """A place in the queue that can be given up, which the lock itself has no way for."""

    def __init__(self, lock: Any) -> None:
        self.reached = threading.Event()
        self._lock = lock
        self._guard = threading.Lock()
        self._left = False

    def wait(self) -> None:
        """Wait for the lock, however long, and hand it over or drop it if nobody wants it any more."""
        self._lock.acquire()
        with self._guard:
            if self._left:
                self._lock.release()
            else:
                self.reached.set()

    def leave(self) -> bool:
        """Give the place up. False if it was reached just now."""
        with self._guard:
            self._left = not self.reached.is_set()
            return self._left
