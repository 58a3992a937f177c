"""A job in the WebUI's state: what is shown of it, and which Interrupt is meant for it."""

import logging
import time
from pathlib import Path

import pytest
from PIL import Image

from tests.entry.fake_host import FakeHost
from train_gamma.hosts.webui_state import StateMirror, spare_from_restarts
from train_gamma.training.events import Control, Finished, Previewed, Progress, Started


def begun(host: FakeHost) -> tuple[StateMirror, Control]:
    control = Control()
    mirror = StateMirror("a fox", control)
    mirror.queue()
    mirror.begin()
    return mirror, control


def step(number: int, total: int = 100, seconds: float = 1.0) -> Progress:
    return Progress(number, total, 0, 0.25, 0.005, 1.0, 0.4, 4, seconds)


def generate(host: FakeHost, interrupted: bool = False) -> None:
    """A picture of somebody else, from the queue."""
    host.state.begin("task(txt2img)")
    host.tasks.start_task("task(txt2img)")
    if interrupted:
        host.state.interrupt()
    host.tasks.finish_task("task(txt2img)")
    host.state.end()


def test_the_job_is_seen_in_the_state_and_in_the_bar(host: FakeHost) -> None:
    control = Control()
    mirror = StateMirror("a fox", control)
    mirror.queue()
    assert host.tasks.seen(mirror.task) == "queued"
    mirror.begin()
    mirror(Started(0, 100, Path()))
    mirror(step(25))
    assert host.tasks.seen(mirror.task) == "active"
    assert host.state.job_no / host.state.job_count == 0.25
    assert host.state.textinfo is not None
    assert "a fox" in host.state.textinfo
    assert "25 of 100" in host.state.textinfo
    mirror.end()
    mirror.leave()
    assert host.tasks.seen(mirror.task) == "completed"
    assert host.state.job == ""


def test_a_title_with_a_line_break_still_fits_the_bar(host: FakeHost) -> None:
    mirror, _ = begun(host)
    mirror.title = "two\nlines"
    mirror(step(1))
    assert "\n" not in str(host.state.textinfo)  # the host hides a text with a line break


def test_interrupt_stops_the_job(host: FakeHost) -> None:
    mirror, control = begun(host)
    mirror(step(1))
    assert not control.stop_requested
    host.state.interrupt()
    mirror(step(2))
    assert control.stop_requested


def test_the_first_press_that_only_asks_to_end_after_the_current_picture_stops_the_job(host: FakeHost) -> None:
    mirror, control = begun(host)
    host.state.stopping_generation = True  # what the button does while job_count is above 1
    mirror(step(1))
    assert control.stop_requested


def test_an_interrupt_is_not_left_to_the_next_job(host: FakeHost) -> None:
    mirror, _ = begun(host)
    host.state.interrupt()
    mirror(step(1))
    mirror.end()
    assert not host.state.interrupted


def test_an_interrupt_just_before_the_turn_of_others_is_not_lost(host: FakeHost) -> None:
    mirror, control = begun(host)
    mirror(step(1))
    host.state.interrupt()
    mirror.give_way(lambda: generate(host))  # whose begin clears the flag
    assert control.stop_requested


def test_an_interrupt_of_somebody_elses_picture_does_not_stop_the_job(host: FakeHost) -> None:
    mirror, control = begun(host)
    mirror.give_way(lambda: generate(host, interrupted=True))  # over the API nobody clears the flag afterwards
    mirror(step(2))
    assert not control.stop_requested


def test_the_state_is_ours_again_after_the_turn_of_others(host: FakeHost) -> None:
    mirror, _ = begun(host)
    mirror(step(7))
    queued = []
    mirror.give_way(lambda: (generate(host), queued.append(host.tasks.seen(mirror.task))))  # type: ignore[func-returns-value]
    assert queued == ["queued"]
    assert host.tasks.seen(mirror.task) == "active"
    mirror(step(8))
    assert (host.state.job_no, host.state.job_count) == (8, 100)


def test_an_interrupt_after_the_turn_of_others_stops_the_job_though_the_host_tidies_up_late(host: FakeHost) -> None:
    mirror, control = begun(host)
    mirror.give_way(lambda: generate(host))
    host.state.job, host.state.job_count = "", 0  # 1.10 does so after it has let go of the queue
    host.state.interrupt()
    mirror(step(2))
    assert control.stop_requested
    assert host.state.job_count == 100


def test_a_turn_that_nobody_took_keeps_an_interrupt(host: FakeHost) -> None:
    mirror, control = begun(host)
    mirror.give_way(host.state.interrupt)
    mirror(step(1))
    assert control.stop_requested


def test_a_job_that_does_not_wait_for_the_queue_keeps_its_state_and_its_interrupt(host: FakeHost) -> None:
    mirror, control = begun(host)
    host.state.begin("train_embedding")  # the host's own training over the API
    mirror(step(2))
    assert host.state.job == "train_embedding"
    assert host.state.job_count == -1
    host.state.interrupt()
    mirror(step(3))
    assert host.state.interrupted
    assert not control.stop_requested
    host.state.end()
    mirror(step(4))
    assert host.state.job_no == 4
    host.state.interrupt()
    mirror(step(5))
    assert control.stop_requested


def test_reload_ui_does_not_stop_the_job(host: FakeHost) -> None:
    mirror, control = begun(host)
    spare_from_restarts(host.state, lambda: mirror)
    host.state.request_restart()
    assert host.state.server_command == "restart"
    mirror(step(1))
    assert not control.stop_requested
    assert not host.state.interrupted


def test_reload_ui_after_an_interrupt_does_not_take_the_interrupt_back(host: FakeHost) -> None:
    mirror, control = begun(host)
    spare_from_restarts(host.state, lambda: mirror)
    host.state.interrupt()
    host.state.request_restart()
    assert control.stop_requested


def test_reload_ui_interrupts_the_pictures_of_others_as_ever(host: FakeHost) -> None:
    mirror, _ = begun(host)
    spare_from_restarts(host.state, lambda: mirror)
    seen = []

    def turn() -> None:
        host.state.begin("task(txt2img)")
        host.state.request_restart()
        seen.append(host.state.interrupted)
        host.state.end()

    mirror.give_way(turn)
    assert seen == [True]


def test_reload_ui_without_a_job_is_the_hosts_own_and_wrapping_twice_is_wrapping_once(host: FakeHost) -> None:
    for _ in range(3):
        spare_from_restarts(host.state, lambda: None)
    host.state.request_restart()
    assert host.state.interrupted
    assert host.state.request_restart.__wrapped__.__func__ is type(host.state).request_restart  # type: ignore[attr-defined]


def test_the_end_of_the_program_stops_the_job(host: FakeHost) -> None:
    mirror, control = begun(host)
    host.state.server_command = "stop"
    mirror(step(1))
    assert control.stop_requested


def test_the_remaining_time_of_a_resumed_run_counts_the_time_before(host: FakeHost) -> None:
    mirror, control = begun(host)
    mirror(Started(50, 100, Path()))
    mirror(step(51, seconds=510.0))
    assert host.state.time_start is not None
    elapsed, progress = time.time() - host.state.time_start, 0.51
    assert elapsed / progress - elapsed == pytest.approx(490, abs=5)
    host.state.interrupt()  # and the state is still known to be ours
    mirror(step(52, seconds=520.0))
    assert control.stop_requested


def test_a_preview_becomes_the_live_preview(host: FakeHost, tmp_path: Path) -> None:
    picture = tmp_path / "000010-00.png"
    Image.new("RGBA", (8, 8), (200, 10, 10, 255)).save(picture)
    mirror, _ = begun(host)
    mirror(Previewed(10, (picture,)))
    assert host.state.current_image.getpixel((3, 3)) == (200, 10, 10)


def test_a_host_that_cannot_show_something_does_the_job_no_harm(
    host: FakeHost, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("train_gamma"), "propagate", True)
    mirror, _ = begun(host)
    mirror(Previewed(10, (tmp_path / "missing.png",)))
    assert "could not show" in caplog.text
    mirror(Finished(10, "finished", None))
    assert host.state.textinfo is not None
    assert "finished" in host.state.textinfo


def test_events_before_and_after_the_loan_leave_the_state_alone(host: FakeHost) -> None:
    mirror = StateMirror("a fox", Control())
    host.state.begin("task(txt2img)")
    before = dict(vars(host.state))
    mirror(Started(0, 10, Path()))
    mirror.leave()
    mirror(Finished(10, "finished", None))
    assert vars(host.state) == before
