"""What Forge and reForge have in place of AUTOMATIC1111's model on the GPU: a memory manager and a main thread.

Read in lllyasviel/stable-diffusion-webui-forge, backend/memory_management.py (0abb6c4) and
modules_forge/main_thread.py, and in Panchovix/stable-diffusion-webui-reForge, whose manager is still
ldm_patched.modules.model_management.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from train_gamma.errors import UserError
from train_gamma.hosts.webui_queue import NOTHING_TRAINED, Turn, our_turn
from train_gamma.training.events import Control

_MANAGERS = ("backend.memory_management", "ldm_patched.modules.model_management")


def memory_manager() -> ModuleType | None:
    """The host's memory manager, which it has imported at its start; None in AUTOMATIC1111."""
    return next((sys.modules[name] for name in _MANAGERS if name in sys.modules), None)


def unload() -> None:
    """Ask the host to make room on the GPU; it loads its own model again when it needs it."""
    manager = memory_manager()
    if manager is not None:
        manager.unload_all_models()


def forget(patcher: Any) -> None:
    """Have the host drop one model that it was asked to load, if it keeps a list of them."""
    drop = getattr(memory_manager(), "unload_model_clones", None)
    if patcher is not None and drop is not None:
        drop(patcher)


class MainThreadTurn:
    """The time in which the WebUI's main thread, where it does its GPU work, is kept busy with waiting for us."""

    def __init__(self, main_thread: Any, control: Control) -> None:
        self._main_thread = main_thread
        self._control = control
        self._over = threading.Event()

    def take(self, told: str) -> None:
        """Wait for the first turn.

        Raises:
            UserError: with ``told``, if the job is stopped while it waits.
        """
        ours = self._ask()
        while not ours.wait(0.1):
            if self._control.stop_requested:
                self.leave()  # when its turn comes after all, it is over at once
                raise UserError(told)

    def leave(self) -> None:
        """Let the main thread go on."""
        self._over.set()

    def is_over(self) -> bool:
        """Whether somebody else has work for the main thread."""
        return bool(getattr(self._main_thread, "waiting_list", ()))

    def pass_on(self) -> None:
        """Let everybody go first who waits now, and come back when it is our turn again."""
        self.leave()
        self._ask().wait()

    def _ask(self) -> threading.Event:
        """Ask for a turn; the event is set when it has come."""
        over, ours = threading.Event(), threading.Event()
        self._over = over

        def hold() -> None:
            ours.set()
            over.wait()

        threading.Thread(target=self._main_thread.run_and_wait_result, args=(hold,), daemon=True).start()
        return ours


@contextmanager
def turn_of(
    control: Control, told: str = NOTHING_TRAINED, longest_s: float | None = None
) -> Iterator[MainThreadTurn | Turn]:
    """Wait for the host's main thread, or for its queue where it has no such thread, and hold it.

    Args:
        control: of the job, which may be stopped while it waits.
        told: what a job that is stopped meanwhile is told.
        longest_s: see ``our_turn``.

    Raises:
        UserError: with ``told``, if the job is stopped before it is its turn.
    """
    try:
        from modules_forge import main_thread
    except ImportError:
        with our_turn(control, told, longest_s) as queued:
            yield queued
        return
    turn = MainThreadTurn(main_thread, control)
    try:
        turn.take(told)
        yield turn
    finally:
        turn.leave()
