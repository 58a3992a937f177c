"""A job in the real host's state, beside the host's own wrappers and progress bar."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from train_gamma.hosts.webui_host import WebuiHost
from train_gamma.hosts.webui_state import StateMirror, spare_from_restarts
from train_gamma.training.config import ModelConfig
from train_gamma.training.events import Control, Progress, Started


@pytest.fixture
def job(webui: Any) -> Iterator[tuple[StateMirror, Control]]:
    """A job that has the state."""
    control = Control()
    mirror = StateMirror("fox", control)
    mirror.queue()
    mirror.begin()
    mirror(Started(0, 100, Path()))
    yield mirror, control
    mirror.end()
    mirror.leave()
    assert webui.state.job == ""
    assert not webui.state.interrupted


def step(number: int) -> Progress:
    return Progress(number, 100, 0, 0.1, 0.005, 1.0, 0.4, 4, float(number))


def bar(task: str) -> Any:
    """What the page's progress bar is told."""
    from modules import progress

    return progress.progressapi(progress.ProgressRequest(id_task=task, live_preview=False))


def test_trap_4_the_progress_bar_of_the_host_shows_the_job(webui: Any, job: tuple[StateMirror, Control]) -> None:
    mirror, _ = job
    webui.state.sampling_steps = 20  # left over from a picture
    mirror(step(25))
    told = bar(mirror.task)
    assert told.active
    assert told.progress == pytest.approx(0.25)
    assert "fox" in told.textinfo
    assert "25 of 100" in told.textinfo


def test_trap_4_another_job_clears_the_interrupt(webui: Any, job: tuple[StateMirror, Control]) -> None:
    """The host's own wrapper for pictures begins a job of its own, which forgets what was pressed before."""
    from modules.call_queue import wrap_gradio_gpu_call

    mirror, control = job
    draw = wrap_gradio_gpu_call(lambda task: ["picture", ""])
    webui.state.interrupt()
    mirror.give_way(lambda: draw("task(other)"))
    assert not webui.state.interrupted  # the trap
    assert control.stop_requested


def test_trap_4_the_interrupt_of_another_job_is_not_ours(webui: Any, job: tuple[StateMirror, Control]) -> None:
    from modules.call_queue import wrap_gradio_gpu_call

    mirror, control = job

    def picture(task: str) -> list[str]:
        webui.state.interrupt()
        return ["picture", ""]

    mirror.give_way(lambda: wrap_gradio_gpu_call(picture)("task(other)"))
    mirror(step(2))
    assert not control.stop_requested
    assert bar(mirror.task).active
    assert webui.state.job_count == 100
    webui.state.interrupt()  # and this one is
    mirror(step(3))
    assert control.stop_requested


def test_trap_4_a_light_button_in_the_middle_of_the_job(webui: Any, job: tuple[StateMirror, Control]) -> None:
    """1.9 resets the flags and the count of whatever runs after any small button that is wrapped."""
    from modules.call_queue import wrap_gradio_call

    mirror, control = job
    wrap_gradio_call(lambda: ["done", ""])()
    mirror(step(7))
    assert bar(mirror.task).progress == pytest.approx(0.07)
    webui.state.interrupt()
    mirror(step(8))
    assert control.stop_requested


def test_trap_3_reload_ui_interrupts_what_runs_but_not_the_job(webui: Any, job: tuple[StateMirror, Control]) -> None:
    mirror, control = job
    try:
        spare_from_restarts(webui.state, lambda: mirror)
        webui.state.request_restart()
        assert webui.state.wait_for_server_command(timeout=1) == "restart"  # the host does go on with it
        mirror(step(1))
        assert not control.stop_requested
    finally:
        webui.state.request_restart = webui.state.request_restart.__wrapped__


def test_trap_4_the_first_press_of_interrupt_only_asks_to_end_after_the_picture(
    webui: Any, job: tuple[StateMirror, Control]
) -> None:
    mirror, control = job
    mirror(step(1))
    assert webui.state.job_count > 1  # for which modules/ui_toprow.py calls this, and not interrupt
    webui.state.stop_generating()
    mirror(step(2))
    assert control.stop_requested


def test_a_whole_loan_leaves_the_hosts_state_and_lists_as_they_were(webui: Any) -> None:
    from modules import progress

    def seen() -> tuple[Any, ...]:
        state = webui.state
        return state.job, state.job_count, state.interrupted, progress.current_task, dict(progress.pending_tasks)

    before, host, control = seen(), WebuiHost(), Control()
    reporter = host.reporter("fox", control)
    with host.borrow(ModelConfig(), control) as backbone:
        reporter(Started(0, 10, Path()))
        backbone.give_way()
        assert webui.state.job == "train_gamma"
        assert backbone.identity.model_name == "miniature"
    assert seen() == before
    with pytest.raises(ZeroDivisionError), host.borrow(ModelConfig(), Control()):
        raise ZeroDivisionError
    assert seen() == before


def test_a_picture_during_a_loan_is_made_between_the_steps(webui: Any) -> None:
    from modules.call_queue import queue_lock

    host, control, made = WebuiHost(), Control(), threading.Event()

    def picture() -> None:
        with queue_lock:
            webui.state.begin("picture")
            webui.state.end()
            made.set()

    with host.borrow(ModelConfig(), control) as backbone:
        waiting = threading.Thread(target=picture)
        waiting.start()
        time.sleep(0.1)
        assert not made.is_set()
        backbone.give_way()
        assert made.wait(5)
        assert webui.state.job == "train_gamma"
    waiting.join(5)
