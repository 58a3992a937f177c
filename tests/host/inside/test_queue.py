"""Taking turns with everybody else who waits for the model, on the host's own lock."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.host.inside.stage import gradient, lent, rows
from train_gamma.errors import UserError
from train_gamma.training.events import Control


@pytest.fixture
def lock(webui: Any) -> Any:
    from modules import call_queue

    return call_queue.queue_lock


def waiting(lock: Any, count: int) -> None:
    until = time.monotonic() + 5
    while len(lock._pending_threads) < count:
        assert time.monotonic() < until
        time.sleep(0.002)


def start(work: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_trap_0_7_and_13_5_a_job_holds_the_queue(webui: Any, lock: Any) -> None:
    """Naive, as the host's own training by API: somebody's picture is made at the same time, with the same model."""
    assert lock.acquire(blocking=False)
    lock.release()
    with lent():
        assert not lock.acquire(blocking=False)
    assert lock.acquire(blocking=False)
    lock.release()


def test_a_job_waits_for_its_turn(webui: Any, lock: Any) -> None:
    order: list[str] = []
    lock.acquire()

    def job() -> None:
        with lent():
            order.append("job")

    thread = start(job)
    waiting(lock, 1)
    order.append("picture")
    lock.release()
    thread.join()
    assert order == ["picture", "job"]


def test_a_job_that_is_stopped_while_it_waits_leaves_the_queue(webui: Any, lock: Any) -> None:
    control, problems = Control(), []
    lock.acquire()

    def job() -> None:
        try:
            with lent(control):
                problems.append("it ran")
        except UserError as error:
            problems.append(str(error))

    thread = start(job)
    waiting(lock, 1)
    control.stop()
    thread.join(5)
    assert not thread.is_alive()
    assert problems == ["The run was stopped before it was its turn. Nothing was trained."]
    lock.release()
    until = time.monotonic() + 5
    while lock._lock.locked() or lock._pending_threads:  # its place in the queue is dropped when it comes up
        assert time.monotonic() < until
        time.sleep(0.002)


def test_whoever_waits_is_let_in_at_the_next_step_and_in_order(webui: Any, lock: Any) -> None:
    """Naive: release and acquire again, which gets the lock before the thread that was woken has come to it."""
    order: list[str] = []

    def other(name: str) -> None:
        with lock:
            order.append(name)
            time.sleep(0.02)

    threads = []
    with lent() as backbone, backbone.lend("off"):
        for index in range(3):
            threads.append(start(lambda index=index: other(f"picture {index}")))  # type: ignore[misc]
            waiting(lock, index + 1)
        gradient(backbone, "a zorb", rows())
        order.append("step")
        backbone.give_way()
        order.append("step")
        backbone.give_way()
        order.append("step")
    for thread in threads:
        thread.join()
    assert order == ["step", "picture 0", "picture 1", "picture 2", "step", "step"]


def test_nobody_starves_beside_a_run(webui: Any, lock: Any) -> None:
    """Ten requests come one after the other; each is served within two steps of the run."""
    steps, waits = 0, []

    def others() -> None:
        for _ in range(10):
            began = steps
            with lock:
                waits.append(steps - began)
            time.sleep(0.01)

    with lent() as backbone, backbone.lend("off"):
        thread = start(others)
        while thread.is_alive() and steps < 200:
            gradient(backbone, "a zorb", rows())
            steps += 1
            backbone.give_way()
    thread.join()
    assert len(waits) == 10
    assert max(waits) <= 2


def test_a_thread_that_was_woken_and_came_second_is_served_soon(webui: Any, lock: Any, monkeypatch: Any) -> None:
    """It waits for the inner lock, and is not among those who are seen to wait."""
    from train_gamma.hosts import webui_queue

    monkeypatch.setattr(webui_queue, "LONGEST_TURN_S", 0.2)
    served = threading.Event()

    def woken() -> None:
        lock._lock.acquire()
        served.set()
        lock.release()

    with lent() as backbone, backbone.lend("off"):
        thread = start(woken)
        time.sleep(0.05)
        assert not served.is_set()
        assert not lock._pending_threads
        until = time.monotonic() + 10
        while not served.is_set():
            assert time.monotonic() < until
            gradient(backbone, "a zorb", rows())
            backbone.give_way()
    thread.join()


def test_giving_way_costs_nothing_when_nobody_waits(webui: Any, lock: Any) -> None:
    with lent() as backbone, backbone.lend("off"):
        gradient(backbone, "a zorb", rows())
        began = time.perf_counter()
        for _ in range(50):
            backbone.give_way()
        assert (time.perf_counter() - began) / 50 < 0.01


def test_the_queue_is_free_after_an_exception(webui: Any, lock: Any) -> None:
    with pytest.raises(ZeroDivisionError), lent():
        raise ZeroDivisionError
    assert lock.acquire(blocking=False)
    lock.release()
