"""Saving a running job first, on the ways of ending the WebUI that go past Python's own end of a program.

They all call ``os._exit``: Ctrl-C (``sigint_handler`` of modules/initialize_util.py), and ``stop_program`` of
modules/restart.py for "Apply and restart UI" or "Apply and quit" of the Extensions tab and for server-kill and
server-restart of the API (``restart_program`` calls it). AUTOMATIC1111/stable-diffusion-webui v1.9.4.
"""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any


def save_before_stop_program(restart: Any, save: Callable[[], None]) -> None:
    """Have ``save`` done before the host stops or restarts the program. Calling it again replaces the ``save``.

    Args:
        restart: the host's module of that name.
        save: ends and saves what runs, in bounded time.
    """
    original = getattr(restart.stop_program, "__wrapped__", restart.stop_program)

    def stop_program() -> None:
        try:
            save()
        finally:
            original()

    stop_program.__wrapped__ = original  # type: ignore[attr-defined]
    restart.stop_program = stop_program


def save_before_ctrl_c(save: Callable[[], None]) -> None:
    """Have ``save`` done at Ctrl-C, before what is done at it so far; a second Ctrl-C meanwhile does not wait.

    Calling it again replaces the ``save``. Does nothing outside of the main thread, where signals cannot be handled,
    and where Ctrl-C is ignored or left to the system.

    Args:
        save: ends and saves what runs, in bounded time.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    now = signal.getsignal(signal.SIGINT)
    original = getattr(now, "__wrapped__", now)
    if not callable(original):
        return
    saving = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal saving
        if saving:
            original(number, frame)
            return
        saving = True
        try:
            save()
        finally:
            saving = False
            original(number, frame)

    handle.__wrapped__ = original  # type: ignore[attr-defined]
    signal.signal(signal.SIGINT, handle)
