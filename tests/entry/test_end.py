"""The ways of ending the WebUI that leave with ``os._exit``: what runs is saved first."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.entry.fake_host import FakeHost
from train_gamma.hosts import webui
from train_gamma.hosts.webui_end import save_before_ctrl_c


@pytest.fixture
def ended(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is done as the program would end, in this order; Ctrl-C is the host's."""
    done: list[str] = []
    before = signal.signal(signal.SIGINT, lambda *_: done.append("gone by Ctrl-C"))
    monkeypatch.setattr(webui.Installation, "stop_and_save", lambda _: done.append("saved"))
    from modules import restart

    monkeypatch.setattr(restart, "stop_program", lambda: done.append("gone"))
    yield done
    signal.signal(signal.SIGINT, before)


def end_by(how: str) -> None:
    from modules import restart

    if how == "Ctrl-C":
        signal.raise_signal(signal.SIGINT)
    else:
        getattr(restart, how)()


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("Ctrl-C", ["saved", "gone by Ctrl-C"]),
        ("stop_program", ["saved", "gone"]),
        ("restart_program", ["marked for a restart", "saved", "gone"]),
    ],
)
def test_a_job_is_saved_before_the_program_ends(
    host: FakeHost, ended: list[str], monkeypatch: pytest.MonkeyPatch, how: str, expected: list[str]
) -> None:
    from modules import restart

    def restart_program() -> None:
        ended.append("marked for a restart")
        restart.stop_program()

    monkeypatch.setattr(restart, "restart_program", restart_program, raising=False)
    webui.register()
    webui.register()  # Reload UI does not have it saved twice
    end_by(how)
    assert ended == expected


@pytest.mark.parametrize("how", ["Ctrl-C", "stop_program"])
def test_a_save_that_fails_does_not_keep_the_program_alive(
    host: FakeHost, ended: list[str], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    def fail(_: Any) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(webui.Installation, "stop_and_save", fail)
    webui.register()
    with pytest.raises(RuntimeError, match="disk"):
        end_by(how)
    assert ended == ["gone by Ctrl-C" if how == "Ctrl-C" else "gone"]


def test_a_second_ctrl_c_does_not_wait_for_the_save(ended: list[str]) -> None:
    def save() -> None:
        signal.raise_signal(signal.SIGINT)
        ended.append("saved")

    save_before_ctrl_c(save)
    signal.raise_signal(signal.SIGINT)
    assert ended == ["gone by Ctrl-C", "saved", "gone by Ctrl-C"]


def test_a_ctrl_c_that_is_ignored_stays_ignored(ended: list[str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    save_before_ctrl_c(lambda: ended.append("saved"))
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_scripts_that_are_loaded_in_another_thread_leave_ctrl_c_alone(host: FakeHost, ended: list[str]) -> None:
    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=webui.register)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGINT) is before
    end_by("stop_program")
    assert ended == ["saved", "gone"]


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_a_program_that_leaves_at_once_at_ctrl_c_has_saved() -> None:
    """With a real ``os._exit``, and a job in a thread that takes a while to see that it is to end."""
    program = """
import os, signal, threading, time
from train_gamma.hosts.webui_end import save_before_ctrl_c
signal.signal(signal.SIGINT, lambda *_: os._exit(0))
stop, saved = threading.Event(), threading.Event()
def job():
    stop.wait(); time.sleep(0.1); print("saved", flush=True); saved.set()
threading.Thread(target=job, daemon=True).start()
def save():
    stop.set(); saved.wait(10)
save_before_ctrl_c(save)
signal.raise_signal(signal.SIGINT)
"""
    found = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(webui.ROOT / "modules")},
        check=False,
        capture_output=True,
        text=True,
    )
    assert (found.returncode, found.stdout.strip()) == (0, "saved"), found.stderr
