"""A job that holds no queue, as the WebUI shows it: seen while nobody else works, and Interrupt ends it."""

import logging
import threading
from typing import Any

import pytest

from tests.entry.fake_host import FakeHost
from train_gamma.hosts.webui_host import WebuiHost
from train_gamma.hosts.webui_state import spare_from_restarts
from train_gamma.training.events import Control, Finished, Listener, Preparing


def begun(title: str = "foxes") -> tuple[WebuiHost, Listener, Control]:
    webui, control = WebuiHost(), Control()
    return webui, webui.reporter(title, control), control


def looked(done: int, total: int = 300) -> Preparing:
    return Preparing("Looked at", done, total)


def test_it_is_seen_in_the_state_from_its_first_event_to_its_last(host: FakeHost) -> None:
    webui, reporter, _ = begun()
    assert webui.mirror is None
    reporter(looked(12))
    assert (host.state.job, host.state.job_no, host.state.job_count) == ("train_gamma", 12, 300)
    assert host.state.textinfo == "foxes: Looked at 12 of 300"
    assert not host.lock.locked()
    assert webui.mirror is not None
    task = webui.mirror.task
    assert host.tasks.seen(task) == "active"
    reporter(Finished(0, "finished", None))
    assert host.state.job == ""
    assert host.tasks.seen(task) == "completed"
    assert webui.mirror is None


def test_interrupt_stops_it_and_is_not_left_to_the_next(host: FakeHost) -> None:
    _, reporter, control = begun()
    reporter(looked(1))
    assert not control.stop_requested
    host.state.interrupt()
    reporter(looked(2))
    assert control.stop_requested
    reporter(Finished(0, "stopped", None))
    assert not host.state.interrupted


def test_a_picture_of_others_has_the_state_meanwhile(host: FakeHost) -> None:
    _, reporter, control = begun()
    reporter(looked(1))
    with host.lock:
        host.state.begin("task(txt2img)")
        host.state.job_count = 2
        reporter(looked(2))
        assert (host.state.job, host.state.job_count) == ("task(txt2img)", 2)
        host.state.interrupt()  # meant for the picture
        reporter(looked(3))
        assert host.state.interrupted
        host.state.end()
    assert not control.stop_requested
    reporter(looked(4))
    assert (host.state.job, host.state.job_no) == ("train_gamma", 4)
    assert not control.stop_requested
    host.state.interrupt()
    reporter(looked(5))
    assert control.stop_requested


def test_the_state_is_not_taken_in_the_moment_in_which_others_begin(host: FakeHost) -> None:
    """Somebody has the queue and is about to begin: a job of ours that began now would be shown in their place."""
    _, reporter, _ = begun()
    with host.lock:
        reporter(looked(1))
        assert host.state.job == ""
    reporter(looked(2))
    assert host.state.job == "train_gamma"


def test_it_ends_while_others_work_without_touching_their_state(host: FakeHost) -> None:
    _, reporter, _ = begun()
    reporter(looked(1))
    with host.lock:
        host.state.begin("task(txt2img)")
        reporter(Finished(0, "finished", None))
        assert host.state.job == "task(txt2img)"


def test_a_job_that_waits_for_no_queue_keeps_its_state(host: FakeHost) -> None:
    _, reporter, control = begun()
    host.state.begin("train_embedding")
    reporter(looked(1))
    assert host.state.job == "train_embedding"
    host.state.interrupt()
    reporter(looked(2))
    assert not control.stop_requested


def test_reload_ui_does_not_end_it(host: FakeHost) -> None:
    webui, reporter, control = begun()
    spare_from_restarts(host.state, lambda: webui.mirror)
    reporter(looked(1))
    host.state.request_restart()
    reporter(looked(2))
    assert not control.stop_requested


def test_the_end_of_the_program_stops_it(host: FakeHost) -> None:
    _, reporter, control = begun()
    reporter(looked(1))
    host.state.server_command = "stop"
    reporter(looked(2))
    assert control.stop_requested


def test_it_is_shown_before_in_and_after_a_room(host: FakeHost) -> None:
    webui, reporter, control = begun()
    reporter(looked(1))
    with webui.room(control):
        assert host.lock.locked()
        reporter(looked(2))
        assert host.state.job_no == 2
    assert host.state.job == ""
    reporter(Preparing("Writing the captions of 300 pictures", 0, 0))
    assert host.state.job == "train_gamma"
    assert not host.lock.locked()
    reporter(Finished(0, "finished", None))
    assert host.state.job == ""
    assert not host.tasks.pending_tasks


def test_nobody_waits_for_it(host: FakeHost) -> None:
    """Ten pictures come from a queue while the job tells of its progress as fast as it can."""
    _, reporter, control = begun()
    over, drawn = threading.Event(), []

    def others() -> None:
        for number in range(10):
            with host.lock:
                host.state.begin(f"picture {number}")
                drawn.append(host.state.job == f"picture {number}")
                host.state.end()
        over.set()

    thread = threading.Thread(target=others)
    thread.start()
    done = 0
    while not over.is_set():
        reporter(looked(done))
        done += 1
    thread.join()
    assert drawn == [True] * 10
    assert not control.stop_requested
    reporter(Finished(0, "finished", None))
    assert host.state.job == ""


def test_a_host_that_fails_to_show_it_does_it_no_harm(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logging.getLogger("train_gamma"), "propagate", True)

    def fail(*_: Any) -> None:
        raise RuntimeError("another fork")

    monkeypatch.setattr(host.state, "begin", fail)
    _, reporter, _ = begun()
    reporter(looked(1))
    reporter(Finished(0, "finished", None))
    assert "could not show" in caplog.text
