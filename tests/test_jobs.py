"""One job at a time, from waiting to its end, and the numbers that are shown of it."""

import itertools
import json
import logging
import math
import threading
from pathlib import Path
from typing import Any

import pytest

from train_gamma.errors import UserError
from train_gamma.jobs import BusyError, Job, Jobs, Record, TagRecord
from train_gamma.jobs.curve import Curve
from train_gamma.jobs.jobs import KEPT
from train_gamma.jobs.memory import memory_in_use
from train_gamma.jobs.record import MOST_WARNINGS, SMOOTHING, SPEED_STEPS
from train_gamma.jobs.tag_record import Failed, Loading, Looked, Tagged, Writing
from train_gamma.training.events import (
    Evaluated,
    Finished,
    Preparing,
    Previewed,
    Progress,
    Saved,
    Started,
    Warned,
)

PATIENCE_S = 20.0
KEYS = {
    *("id", "kind", "title", "state", "message", "run", "embedding", "step", "total_steps", "epoch", "loss"),
    *("smoothed_loss", "learning_rate", "gradient_norm", "vector_norm", "seconds", "seconds_per_step", "eta_seconds"),
    *("memory_bytes", "memory_peak_bytes", "evaluations", "curve", "previews", "copies", "result", "warnings"),
}


def progress(step: int, loss: float = 0.5, seconds: float = 0.0, total: int = 10) -> Progress:
    return Progress(step, total, 0, loss, 0.005, 0.1, 0.4, 4, seconds)


def ended(job: Job) -> dict[str, Any]:
    assert job.wait(PATIENCE_S)
    return job.snapshot()


def test_a_job_goes_through_its_states(tmp_path: Path) -> None:
    jobs, gates = Jobs(), [threading.Event() for _ in range(4)]
    seen: list[str] = []
    reached = threading.Semaphore(0)

    def work(hear: Any, control: Any) -> str:
        for gate, event in zip(
            gates,
            (
                Preparing("Encoding pictures", 3, 24),
                Started(0, 10, tmp_path / "run"),
                progress(1),
                Finished(10, "finished", None),
            ),
            strict=True,
        ):
            reached.release()
            gate.wait(PATIENCE_S)
            hear(event)
        return "The embedding is 'x.pt'."

    job = jobs.start("train", "zzgamma", work)
    for gate in gates:
        assert reached.acquire(timeout=PATIENCE_S)
        shown = job.snapshot()
        seen.append(shown["state"])
        assert set(shown) == KEYS
        gate.set()
    shown = ended(job)
    assert seen == ["waiting", "preparing", "running", "running"]
    assert shown["state"] == "finished"
    assert shown["message"] == "Done: 1 steps. The embedding is 'x.pt'."
    assert (shown["kind"], shown["title"], shown["embedding"], shown["run"]) == ("train", "zzgamma", "zzgamma", "run")
    assert jobs.current is None
    assert jobs.latest is job
    assert jobs.get(job.id) is job
    assert jobs.get("nothing") is None


def test_preparing_says_how_far_it_is() -> None:
    job = Job("train", "x")
    job.hear(Preparing("Encoding pictures", 3, 24))
    assert job.snapshot()["message"] == "Encoding pictures: 3 of 24."


def test_one_job_runs_at_a_time() -> None:
    jobs, go = Jobs(), threading.Event()
    first = jobs.start("train", "one", lambda hear, control: go.wait(PATIENCE_S))
    with pytest.raises(BusyError, match="'one' is being trained"):
        jobs.start("train", "two", lambda hear, control: None)
    with pytest.raises(BusyError):
        jobs.refuse_when_busy()
    assert jobs.current is first
    go.set()
    ended(first)
    assert ended(jobs.start("train", "two", lambda hear, control: None))["state"] == "finished"


def test_of_many_that_start_at_once_one_wins() -> None:
    jobs, go, barrier = Jobs(), threading.Event(), threading.Barrier(8)
    outcomes: list[Any] = []

    def press() -> None:
        barrier.wait()
        try:
            outcomes.append(jobs.start("train", "x", lambda hear, control: go.wait(PATIENCE_S)))
        except BusyError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=press) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    go.set()
    assert sum(isinstance(outcome, Job) for outcome in outcomes) == 1
    assert len(outcomes) == 8


def test_a_user_error_is_shown_in_its_own_words() -> None:
    def work(hear: Any, control: Any) -> None:
        raise UserError("The disk is full. Free space.")

    shown = ended(Jobs().start("train", "x", work))
    assert (shown["state"], shown["message"]) == ("failed", "The disk is full. Free space.")


def test_a_bug_fails_the_job_and_leaves_its_traceback_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def work(hear: Any, control: Any) -> None:
        raise ZeroDivisionError("division by zero")

    shown = ended(Jobs().start("train", "x", work))
    assert (shown["state"], shown["message"]) == ("failed", "ZeroDivisionError: division by zero")
    assert "Traceback" in caplog.text
    assert "in work" in caplog.text


def test_a_worker_that_is_made_to_leave_has_failed() -> None:
    def work(hear: Any, control: Any) -> None:
        raise SystemExit(0)

    job = Job("train", "x")
    with pytest.raises(SystemExit):
        job.do(work)
    assert job.over
    assert job.state == "failed"


def test_a_full_gpu_says_what_to_do() -> None:
    class OutOfMemoryError(RuntimeError):
        """Named as torch's."""

    def work(hear: Any, control: Any) -> None:
        raise OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    assert "Lower Batch size" in ended(Jobs().start("train", "x", work))["message"]


def test_losses_that_were_not_finite_are_a_failure(tmp_path: Path) -> None:
    def work(hear: Any, control: Any) -> str:
        hear(Started(0, 10, tmp_path))
        hear(Finished(3, "not finite", tmp_path / "x.pt"))
        return "Never told."

    shown = ended(Jobs().start("train", "x", work))
    assert shown["state"] == "failed"
    assert "not finite" in shown["message"]


def test_a_stop_while_it_waits_ends_it_as_stopped() -> None:
    jobs, waiting = Jobs(), threading.Event()

    def work(hear: Any, control: Any) -> None:
        waiting.set()
        while not control.stop_requested:
            pass
        raise UserError("Stopped while waiting for the model.")

    job = jobs.start("train", "x", work)
    assert waiting.wait(PATIENCE_S)
    job.control.stop()
    assert ended(job)["state"] == "stopped"


def test_a_stop_while_it_prepares_ends_it_there() -> None:
    encoded: list[int] = []

    def work(hear: Any, control: Any) -> None:
        for k in range(100):
            if k == 3:
                control.stop()
            hear(Preparing("Encoding pictures", k, 100))
            encoded.append(k)

    assert ended(Jobs().start("train", "x", work))["state"] == "stopped"
    assert encoded == [0, 1, 2]


def test_an_error_after_the_first_step_is_a_failure_even_when_a_stop_was_asked_for(tmp_path: Path) -> None:
    def work(hear: Any, control: Any) -> None:
        hear(Started(0, 10, tmp_path))
        hear(progress(1))
        control.stop()
        assert job.state == "stopping"
        raise UserError("The embedding of step 1 could not be written.")

    job = Job("train", "x")
    job.do(work)
    shown = ended(job)
    assert (shown["state"], shown["message"]) == ("failed", "The embedding of step 1 could not be written.")


def test_stopped_says_how_far_it_came(tmp_path: Path) -> None:
    def work(hear: Any, control: Any) -> None:
        hear(Started(0, 10, tmp_path))
        hear(progress(4))
        hear(Finished(4, "stopped", None))

    shown = ended(Jobs().start("train", "x", work))
    assert shown["state"] == "stopped"
    assert shown["message"].startswith("Stopped after 4 of 10 steps")


def test_old_jobs_are_forgotten() -> None:
    jobs = Jobs()
    started = [jobs.start("train", str(k), lambda hear, control: None) for k in range(2) if jobs.latest is None]
    for k in range(KEPT + 3):
        ended(jobs.latest)  # type: ignore[arg-type]
        started.append(jobs.start("train", str(k), lambda hear, control: None))
    assert jobs.all() == list(reversed(started))[:KEPT]
    assert jobs.get(started[0].id) is None


def test_the_numbers_are_those_of_the_events(tmp_path: Path) -> None:
    record = Record()
    record(Started(0, 10, tmp_path / "zz-run"))
    losses = [0.9, 0.3, 0.6]
    for k, loss in enumerate(losses, 1):
        record(progress(k, loss, seconds=2.0 + 0.5 * k))
    record(Evaluated(0, 0.8))
    record(Evaluated(3, 0.7))
    record(Saved(2, tmp_path / "zz-run" / "copies" / "zz-2.pt"))
    record(Saved(3, tmp_path / "zz-run" / "zz.pt"))
    record(Previewed(3, (Path("a"), Path("b"))))
    record(Warned(3, "Something is odd."))
    shown = record.snapshot()
    weights = [SMOOTHING ** (len(losses) - 1 - k) for k in range(len(losses))]
    smoothed = math.fsum(w * loss for w, loss in zip(weights, losses, strict=True)) / math.fsum(weights)
    assert shown["smoothed_loss"] == pytest.approx(smoothed, rel=1e-12)
    assert shown["seconds_per_step"] == pytest.approx(0.5)
    assert shown["eta_seconds"] == pytest.approx(7 * 0.5)
    assert record.seconds_per_picture == pytest.approx(0.5 / 4)
    assert shown["curve"] == [[1, 0.9, 0.005], [2, 0.3, 0.005], [3, 0.6, 0.005]]
    assert shown["evaluations"] == [[0, 0.8], [3, 0.7]]
    assert shown["copies"] == [{"step": 2, "name": "zz-2.pt"}]
    assert shown["result"] == "zz.pt"
    assert shown["previews"] == [{"step": 3, "count": 2}]
    assert shown["warnings"] == ["Something is odd."]
    assert (shown["step"], shown["total_steps"], shown["loss"], shown["run"]) == (3, 10, 0.6, "zz-run")


def test_the_speed_is_that_of_the_last_steps(tmp_path: Path) -> None:
    record = Record()
    record(Started(0, 1000, tmp_path))
    clock = 0.0
    for step in range(1, 201):
        clock += 9.0 if step <= 200 - SPEED_STEPS else 0.25
        record(progress(step, seconds=clock, total=1000))
    assert record.snapshot()["eta_seconds"] == pytest.approx(800 * 0.25)


def test_what_json_cannot_say_becomes_null(tmp_path: Path) -> None:
    record = Record()
    record(Started(0, 10, tmp_path))
    record(Progress(1, 10, 0, math.nan, 0.005, math.inf, 0.4, 4, 1.0))
    record(Evaluated(1, math.nan))
    text = json.dumps(record.snapshot(), allow_nan=False)
    assert json.loads(text)["loss"] is None
    assert json.loads(text)["evaluations"] == [[1, None]]


def test_warnings_do_not_pile_up() -> None:
    record = Record()
    for k in range(MOST_WARNINGS + 50):
        record(Warned(k, str(k)))
    assert record.snapshot()["warnings"] == [str(k) for k in range(50, MOST_WARNINGS + 50)]


@pytest.mark.parametrize("steps", [1, 7, 999, 1000, 1001, 5000])
def test_a_curve_stays_small_and_evenly_spread(steps: int) -> None:
    curve = Curve(limit=100)
    for step in range(1, steps + 1):
        curve.add((step, step / 10, 0.1))
    points = curve.after(0)
    assert len(points) <= 100
    assert len(points) >= min(steps, 49)
    assert points[-1] == (steps, steps / 10, 0.1)
    gaps = {b[0] - a[0] for a, b in itertools.pairwise(points[:-1])}
    assert len(gaps) <= 1
    assert all(loss == step / 10 for step, loss, _ in points)


def test_a_page_that_asks_for_what_is_new_gets_all_of_it() -> None:
    curve, collected = Curve(limit=1000), []
    for step in range(1, 301):
        curve.add((step, 0.5, 0.1))
        if step % 7 == 0 or step == 300:
            collected += curve.after(collected[-1][0] if collected else 0)
    assert [point[0] for point in collected] == list(range(1, 301))


def test_snapshots_from_many_threads_hold_together(tmp_path: Path) -> None:
    record, over, problems = Record(), threading.Event(), []

    def watch() -> None:
        while not over.is_set():
            shown = record.snapshot()
            json.dumps(shown, allow_nan=False)
            last = shown["curve"][-1] if shown["curve"] else [0, None]
            if last[0] != shown["step"] or last[1] != shown["loss"]:
                problems.append(shown)

    threads = [threading.Thread(target=watch) for _ in range(4)]
    record(Started(0, 3000, tmp_path))
    for thread in threads:
        thread.start()
    for step in range(1, 3001):
        record(progress(step, loss=step / 7, total=3000))
    over.set()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert not problems


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells the memory of a process")
def test_memory_without_a_gpu_is_that_of_the_process() -> None:
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    expected = int(lines["VmRSS"].split()[0]) * 1024
    assert memory_in_use() == pytest.approx(expected, rel=0.1)


def test_a_bug_is_logged_under_the_projects_name(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="train_gamma"):
        ended(Jobs().start("train", "x", lambda hear, control: 1 / 0))
    assert {entry.name for entry in caplog.records} == {"train_gamma"}


# -- tagging ----------------------------------------------------------------------------------------------------------

TAG_KEYS = {
    *("id", "kind", "title", "state", "message", "what", "done", "total", "seconds", "eta_seconds", "per_second"),
    *("device", "result", "warnings"),
}
RESULT_KEYS = {"written", "new", "replaced", "merged", "filled", "skipped", "unchanged", "backup", "failed"}


def test_a_tagging_goes_through_its_states() -> None:
    jobs, gates = Jobs(), [threading.Event() for _ in range(5)]
    reached = threading.Semaphore(0)
    events = (
        Loading("Downloading a model", 12_400_000, 379_000_000),
        Looked("Tags", 8, 24, 8, "CPU"),
        Failed(Path("bad.png"), "'bad.png' is damaged."),
        Writing(23),
        Tagged(written=23, new=20, merged=3, skipped=2, backup="before.zip"),
    )

    def work(hear: Any, control: Any) -> str:
        for gate, event in zip(gates, events, strict=True):
            reached.release()
            gate.wait(PATIENCE_S)
            hear(event)
        return "See before.zip."

    job = jobs.start("tag", "cats", work, TagRecord())
    seen = []
    for gate in gates:
        assert reached.acquire(timeout=PATIENCE_S)
        shown = job.snapshot()
        seen.append((shown["state"], shown["message"]))
        assert (set(shown), set(shown["result"])) == (TAG_KEYS, RESULT_KEYS)
        with pytest.raises(BusyError, match="'cats' is being tagged"):
            jobs.refuse_when_busy()
        gate.set()
    shown = ended(job)
    assert seen == [
        ("waiting", "Waiting."),
        ("preparing", "Downloading a model: 12 of 379 MB."),
        ("running", "Tags: 8 of 24 pictures."),
        ("running", "Tags: 8 of 24 pictures."),
        ("running", "Writing the captions of 23 pictures."),
    ]
    assert shown["state"] == "finished"
    assert shown["message"] == (
        "Done: 8 pictures; 23 captions written; 3 of them merged, 2 skipped. 1 could not be tagged. See before.zip."
    )
    assert shown["result"]["failed"] == [{"path": "bad.png", "reason": "'bad.png' is damaged."}]
    assert (job.run, job.seconds_per_picture) == (None, None)  # no training takes them for its own
    json.dumps(shown, allow_nan=False)


def test_a_tagging_that_was_stopped_says_what_is_written() -> None:
    def work(hear: Any, control: Any) -> None:
        control.stop()
        hear(Looked("Tags", 8, 24, 8, "CPU"))
        assert job.state == "stopping"
        hear(Tagged(written=1, stopped=True))

    job = Job("tag", "cats", TagRecord())
    job.do(work)
    shown = ended(job)
    assert shown["state"] == "stopped"
    assert shown["message"] == "Stopped after 8 of 24 pictures; 1 caption written."


def test_the_time_left_is_that_of_the_model_and_not_of_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.0, 2.0, 4.0, 100.0])
    monkeypatch.setattr("train_gamma.jobs.tag_record.time.monotonic", lambda: next(clock))
    record = TagRecord()
    record(Looked("Tags", 900, 1000))  # known already
    record(Looked("Tags", 900, 1000, 0, "CPU"))
    assert (record.snapshot()["per_second"], record.snapshot()["eta_seconds"]) == (None, None)
    record(Looked("Tags", 910, 1000, 10, "CPU"))
    record(Looked("Tags", 920, 1000, 20, "CPU"))
    shown = record.snapshot()
    assert (shown["per_second"], shown["eta_seconds"]) == (5.0, 16.0)
    record(Looked("Sentences", 1, 1000, 0, "CPU"))
    assert record.snapshot()["per_second"] is None  # another model, which may be slower


def test_warnings_of_a_tagging_do_not_pile_up() -> None:
    record = TagRecord()
    for k in range(MOST_WARNINGS + 50):
        record(Warned(k, str(k)))
    assert record.snapshot()["warnings"] == [str(k) for k in range(50, MOST_WARNINGS + 50)]
