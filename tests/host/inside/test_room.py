"""The GPU without the checkpoint, by the host's own ways of moving it; here they are called on the CPU too."""

import threading
import time
from typing import Any

import numpy as np
import pytest

from tests.host.inside.snapshot import nothing_changes
from tests.host.inside.stage import txt2img
from train_gamma.hosts import webui_room
from train_gamma.hosts.webui_host import WebuiHost
from train_gamma.training.events import Control, Finished, Preparing

PROMPT = "1girl, green hair, night"


@pytest.fixture
def moves(webui: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the host is asked to move, as if it computed on a GPU."""
    from modules import sd_models

    made: list[str] = []
    for name in ("send_model_to_cpu", "send_model_to_device"):
        own = getattr(sd_models, name)

        def spied(model: Any, own: Any = own, name: str = name) -> None:
            made.append(name.removeprefix("send_model_to_"))
            own(model)

        monkeypatch.setattr(sd_models, name, spied)
    monkeypatch.setattr(webui_room, "computes_on_cpu", lambda: False)
    monkeypatch.setattr(webui_room, "_is_on_the_gpu", lambda _model: True)
    return made


def test_the_checkpoint_goes_and_comes_and_nothing_else_changes(moves: list[str]) -> None:
    before = txt2img(PROMPT)
    with nothing_changes(but=("state",)), WebuiHost().room(Control()):
        assert moves == ["cpu"]
    assert moves == ["cpu", "device"]
    np.testing.assert_array_equal(txt2img(PROMPT), before)


def test_somebodys_picture_in_between_is_made_with_the_checkpoint_in_its_place(webui: Any, moves: list[str]) -> None:
    from modules import call_queue

    before, host, control = txt2img(PROMPT), WebuiHost(), Control()
    reporter, made = host.reporter("foxes", control), []
    with host.room(control):
        thread = threading.Thread(target=lambda: made.append(txt2img(PROMPT)))
        thread.start()
        until = time.monotonic() + 10
        while not call_queue.queue_lock._pending_threads:
            assert time.monotonic() < until
            time.sleep(0.005)
        reporter(Preparing("Tags", 1, 2))
        thread.join()
        assert moves == ["cpu", "device", "cpu"]
        assert webui.state.job == "train_gamma"
    (picture,) = made
    np.testing.assert_array_equal(picture, before)
    reporter(Finished(2, "finished", None))
    assert webui.state.job == ""


def test_with_medvram_the_part_on_the_gpu_is_sent_away(
    webui: Any, moves: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host's hooks stay out of it: they would have to be taken off the model again."""
    from modules import lowvram, sd_models

    part = sd_models.model_data.sd_model.first_stage_model
    monkeypatch.setattr(sd_models.model_data.sd_model, "lowvram", True)
    monkeypatch.setattr(lowvram, "module_in_gpu", part)
    with WebuiHost().room(Control()):
        assert lowvram.module_in_gpu is None
    assert moves == ["cpu"]


def test_a_batch_waits_for_the_queue_and_takes_the_place_of_lowvrams_part(webui: Any, moves: list[str]) -> None:
    from modules import call_queue, lowvram, sd_models

    lowvram.module_in_gpu = sd_models.model_data.sd_model.first_stage_model
    order: list[str] = []
    gpu = webui_room.Gpu()

    def batch() -> None:
        with gpu.moment():
            order.append(f"batch, with {lowvram.module_in_gpu} on the GPU")

    with call_queue.queue_lock:
        thread = threading.Thread(target=batch)
        thread.start()
        time.sleep(0.1)
        order.append("picture")
    thread.join()
    assert order == ["picture", "batch, with None on the GPU"]
    assert call_queue.queue_lock.acquire(blocking=False)
    call_queue.queue_lock.release()
