"""The GPU shared with the WebUI: a batch at a time in its queue, or without its checkpoint for a whole job."""

import sys
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.entry.fake_host import FakeHost
from tests.entry.test_path_lending import MainThread, put
from train_gamma.errors import UserError
from train_gamma.hosts import webui_room
from train_gamma.hosts.webui_host import WebuiHost
from train_gamma.hosts.webui_room import Gpu
from train_gamma.training.events import Control, Finished, Preparing


class Checkpoint:
    """A model that is on one device as a whole."""

    def __init__(self, name: str, device: str = "cuda", lowvram: bool = False) -> None:
        self.name, self.device, self.lowvram = name, device, lowvram

    def parameters(self) -> Any:
        return iter([SimpleNamespace(device=SimpleNamespace(type=self.device))])


@pytest.fixture
def card(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A host on CUDA with a loaded checkpoint; ``moves`` is what was moved where."""
    from modules import devices, lowvram, sd_models

    made = SimpleNamespace(checkpoint=Checkpoint("miniature"), moves=[], full=False, lowvram=0)

    def to_cpu(model: Checkpoint) -> None:
        made.moves.append((model.name, "cpu"))
        if not model.lowvram:
            model.device = "cpu"

    def to_device(model: Checkpoint) -> None:
        if made.full:
            raise MemoryError("CUDA out of memory")
        made.moves.append((model.name, "cuda"))
        model.device = "cuda"

    def send_parts() -> None:
        made.lowvram += 1

    monkeypatch.setattr(devices, "device", SimpleNamespace(type="cuda"))
    monkeypatch.setattr(sd_models, "send_model_to_cpu", to_cpu, raising=False)
    monkeypatch.setattr(sd_models, "send_model_to_device", to_device, raising=False)
    monkeypatch.setattr(lowvram, "send_everything_to_cpu", send_parts)
    monkeypatch.setattr(sd_models, "model_data", SimpleNamespace(sd_model=made.checkpoint))
    return made


def start(work: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_the_checkpoint_is_away_inside_and_back_afterwards(host: FakeHost, card: Any) -> None:
    with WebuiHost().room(Control()):
        assert card.checkpoint.device == "cpu"
        assert host.lock.locked()
        assert host.state.job == "train_gamma"
    assert card.checkpoint.device == "cuda"
    assert not host.lock.locked()
    assert host.state.job == ""
    assert not host.tasks.pending_tasks


def test_it_is_put_back_before_the_queue_goes_on(host: FakeHost, card: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    release = host.lock.release
    monkeypatch.setattr(host.lock, "release", lambda: (order.append(card.checkpoint.device), release()))
    with WebuiHost().room(Control()):
        pass
    assert order == ["cuda"]


def test_it_comes_back_after_an_exception(host: FakeHost, card: Any) -> None:
    with pytest.raises(ZeroDivisionError), WebuiHost().room(Control()):
        raise ZeroDivisionError
    assert card.checkpoint.device == "cuda"
    assert not host.lock.locked()
    assert host.state.job == ""


def test_a_checkpoint_that_was_unloaded_before_stays_unloaded(card: Any) -> None:
    card.checkpoint.device = "cpu"
    with WebuiHost().room(Control()):
        pass
    assert card.moves == []


def test_no_checkpoint_at_all_is_fine(card: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from modules import sd_models

    monkeypatch.setattr(sd_models, "model_data", SimpleNamespace(sd_model=None))
    with WebuiHost().room(Control()):
        pass
    assert card.moves == []


def test_every_checkpoint_that_the_webui_keeps_on_the_gpu_is_moved(card: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from modules import sd_models

    kept = [Checkpoint("other"), card.checkpoint, Checkpoint("in memory", "cpu"), Checkpoint("trash", "meta")]
    monkeypatch.setattr(sd_models, "model_data", SimpleNamespace(sd_model=card.checkpoint, loaded_sd_models=kept))
    with WebuiHost().room(Control()):
        assert [model.device for model in kept] == ["cpu", "cpu", "cpu", "meta"]
    assert [model.device for model in kept] == ["cuda", "cuda", "cpu", "meta"]


def test_with_lowvram_its_parts_are_sent_away_and_come_by_themselves(card: Any) -> None:
    card.checkpoint.lowvram = True
    with WebuiHost().room(Control()):
        assert card.moves == [("miniature", "cpu")]  # which sends the part that is on the GPU
    assert card.moves == [("miniature", "cpu")]


def test_on_the_cpu_there_is_nothing_to_move_but_the_queue_is_held(host: FakeHost, card: Any) -> None:
    from modules import devices

    devices.device = SimpleNamespace(type="cpu")
    with WebuiHost().room(Control()):
        assert host.lock.locked()
    assert card.moves == []


def test_a_checkpoint_that_does_not_fit_any_more_is_left_whole_and_said_so(card: Any, capsys: Any, caplog: Any) -> None:
    with WebuiHost().room(Control()):
        card.full = True
    assert card.moves == [("miniature", "cpu"), ("miniature", "cpu")]
    assert "Load SD checkpoint to VRAM" in caplog.text + capsys.readouterr().err


def test_a_job_that_is_stopped_while_it_waits_moves_nothing(host: FakeHost, card: Any) -> None:
    control, told = Control(), []

    def job() -> None:
        with pytest.raises(UserError) as refused, WebuiHost().room(control):
            pass
        told.append(str(refused.value))

    with host.lock:
        thread = start(job)
        until(lambda: host.lock._pending_threads)
        control.stop()
        thread.join(5)
    assert "trained" not in told[0]
    assert card.moves == []
    assert not host.tasks.pending_tasks


def test_whoever_waits_gets_the_checkpoint_between_two_events(host: FakeHost, card: Any) -> None:
    webui, control, seen = WebuiHost(), Control(), []
    reporter = webui.reporter("foxes", control)

    def picture() -> None:
        with host.lock:
            host.state.begin("task(txt2img)")
            seen.append((card.checkpoint.device, host.state.job))
            host.state.end()

    with webui.room(control):
        thread = start(picture)
        until(lambda: host.lock._pending_threads)
        assert seen == []
        reporter(Preparing("Looked at", 3, 10))
        assert seen == [("cuda", "task(txt2img)")]
        assert card.checkpoint.device == "cpu"
        assert host.state.job == "train_gamma"
        reporter(Preparing("Looked at", 4, 10))
        assert (host.state.job_no, host.state.job_count) == (4, 10)
    thread.join(5)
    reporter(Finished(0, "finished", None))
    assert card.moves == [("miniature", "cpu"), ("miniature", "cuda")] * 2
    assert host.state.job == ""


def test_nothing_is_moved_while_nobody_waits(card: Any) -> None:
    webui, control = WebuiHost(), Control()
    reporter = webui.reporter("foxes", control)
    with webui.room(control):
        for number in range(20):
            reporter(Preparing("Looked at", number, 20))
        assert len(card.moves) == 1


def test_forge_unloads_by_itself_and_loads_again_when_it_needs_to(
    host: FakeHost, card: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    unloaded: list[bool] = []
    put(monkeypatch, "backend")
    put(monkeypatch, "backend.memory_management", unload_all_models=lambda: unloaded.append(True))
    main_thread = MainThread()
    put(monkeypatch, "modules_forge", main_thread=main_thread)
    webui, control, drawn = WebuiHost(), Control(), []
    reporter = webui.reporter("foxes", control)
    with webui.room(control):
        assert unloaded == [True]
        thread = start(lambda: main_thread.run_and_wait_result(lambda: drawn.append(True)))
        until(lambda: main_thread.waiting_list)
        assert drawn == []
        reporter(Preparing("Looked at", 1, 10))
        assert drawn == [True]
        assert unloaded == [True, True]
    thread.join(5)
    assert card.moves == []
    main_thread.ended = True


def test_reforge_has_its_manager_elsewhere(host: FakeHost, card: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    unloaded: list[bool] = []
    put(monkeypatch, "ldm_patched.modules.model_management", unload_all_models=lambda: unloaded.append(True))
    assert "modules_forge" not in sys.modules
    with WebuiHost().room(Control()):
        assert unloaded == [True]
        assert host.lock.locked()


def test_a_moment_waits_for_the_queue_and_sends_lowvrams_part_away(host: FakeHost, card: Any) -> None:
    gpu, order = Gpu(), []

    def batch() -> None:
        with gpu.moment():
            order.append("batch")

    with host.lock:
        thread = start(batch)
        until(lambda: host.lock._pending_threads)
        order.append("picture")
    thread.join(5)
    assert order == ["picture", "batch"]
    assert card.lowvram == 1
    until(lambda: not host.lock.locked())


def test_a_moment_on_the_cpu_waits_for_nobody(host: FakeHost, card: Any) -> None:
    from modules import devices

    with host.lock, Gpu().moment(SimpleNamespace(type="cpu")):
        pass
    devices.device = SimpleNamespace(type="cpu")
    with host.lock, Gpu().moment():
        pass


def test_a_moment_inside_of_a_room_does_not_wait_for_it(card: Any) -> None:
    gpu = Gpu()
    with gpu.room(Control()), gpu.moment():
        pass
    with gpu.moment():
        pass


def test_a_moment_that_waits_while_a_room_is_made_gets_into_the_room(host: FakeHost, card: Any) -> None:
    """The room's own batch may wait for the one that waits for the queue, which the room holds."""
    gpu, done = Gpu(), threading.Event()

    def other() -> None:
        with gpu.moment():
            done.set()

    host.lock.acquire()
    control, entered = Control(), threading.Event()
    leave = threading.Event()

    def job() -> None:
        with gpu.room(control):
            entered.set()
            leave.wait(5)

    room = start(job)
    until(lambda: len(host.lock._pending_threads) == 1)
    batch = start(other)
    until(lambda: len(host.lock._pending_threads) == 2)
    host.lock.release()
    assert entered.wait(5)
    assert done.wait(5)  # with the room still open
    leave.set()
    room.join(5)
    batch.join(5)
    until(lambda: not host.lock.locked() and not host.lock._pending_threads)


def test_the_checkpoint_does_not_come_back_into_a_batch(card: Any) -> None:
    gpu, order = Gpu(), []
    inside, go_on = threading.Event(), threading.Event()

    def batch() -> None:
        with gpu.moment():
            inside.set()
            go_on.wait(5)
            order.append("batch")

    with gpu.room(Control()):
        thread = start(batch)
        assert inside.wait(5)
        threading.Timer(0.05, go_on.set).start()
    order.append(card.checkpoint.device)
    thread.join(5)
    assert order == ["batch", "cuda"]


def test_a_long_turn_ends_even_if_nobody_is_seen_to_wait(card: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webui_room, "LONGEST_TURN_S", 0.01)
    with Gpu().room(Control()) as give_way:
        time.sleep(0.02)
        give_way()
        assert card.moves == [("miniature", "cpu"), ("miniature", "cuda"), ("miniature", "cpu")]
