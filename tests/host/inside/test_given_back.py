"""The model comes back from a run as it was lent: after success, a stop, an exception, and others' turns in between."""

import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.host.inside.snapshot import nothing_changes
from tests.host.inside.stage import gradient, lent, pixels, rows, txt2img
from tests.training.runs import Heard, Raiser, embedding_vectors, only_run, state_numbers, train_small
from train_gamma.backbone import Checkpointing, RenderRequest
from train_gamma.training.events import Control, Previewed, Progress, Warned

VECTORS = {"zorb": {"clip_l": rows()}}


@pytest.fixture(autouse=True)
def _same_picture_before_and_after(webui: Any) -> Any:
    """The picture made before is the picture made after. (Making one fills in what the host leaves open until then.)"""
    before = txt2img("a photo, red hair")
    yield
    assert (txt2img("a photo, red hair") == before).all()


@pytest.mark.parametrize("checkpointing", ["off", "on", "auto"])
def test_after_everything_a_run_does(webui: Any, checkpointing: Checkpointing) -> None:
    with nothing_changes(), lent(clip_skip=2) as backbone:
        with backbone.lend("off"):
            backbone.encode_images(pixels())
        with backbone.lend(checkpointing):
            gradient(backbone, "a zorb", rows())
            backbone.give_way()
            backbone.render(RenderRequest("a zorb", width=64, height=64, steps=2), VECTORS)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, GeneratorExit])
def test_after_an_exception(webui: Any, error: type[BaseException]) -> None:
    with nothing_changes(), pytest.raises(error), lent() as backbone, backbone.lend("on"):  # noqa: PT012
        backbone.encode_images(pixels())
        gradient(backbone, "a zorb", rows())
        raise error


def test_after_an_exception_inside_of_the_hosts_model(webui: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    block = webui.sd_model.model.diffusion_model.middle_block[1]
    monkeypatch.setattr(type(block), "forward", Raiser(ZeroDivisionError()))
    with nothing_changes():  # noqa: SIM117 - what is refused is refused inside
        with pytest.raises(ZeroDivisionError), lent() as backbone, backbone.lend("on"):
            gradient(backbone, "a zorb", rows())
    monkeypatch.undo()


def test_flags_that_are_odd_come_back_odd(webui: Any) -> None:
    """Training mode, frozen weights and gradients to be taken, mixed."""
    model = webui.sd_model
    unet = model.model.diffusion_model
    unet.middle_block.train()
    unet.out.requires_grad_(False)
    model.first_stage_model.encoder.requires_grad_(True)
    try:
        with nothing_changes(), lent() as backbone, backbone.lend("on"):
            assert not any(module.training for module in model.modules())
            assert not any(parameter.requires_grad for parameter in model.parameters())
            gradient(backbone, "a zorb", rows())
    finally:
        model.eval()
        unet.requires_grad_(True)
        model.first_stage_model.requires_grad_(False)


def test_loans_may_be_nested_and_interrupted(webui: Any) -> None:
    with nothing_changes(), lent() as backbone, backbone.lend("off"):
        plain = gradient(backbone, "a zorb", rows())
        with backbone.lend("on"):
            end_turn(backbone)
            again = gradient(backbone, "a zorb", rows())
        torch.testing.assert_close(gradient(backbone, "a zorb", rows()), plain, rtol=0, atol=0)
        torch.testing.assert_close(again, plain, rtol=1e-5, atol=1e-8)


def end_turn(backbone: Any) -> None:
    """Have the next ``give_way`` let others in, though nobody is seen to wait."""
    backbone._turn._began -= 60
    backbone.give_way()


@pytest.mark.parametrize("when", ["at the end", "between two steps"])
def test_a_vae_that_cannot_be_put_back_keeps_nothing_else(
    webui: Any, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Naive: the error leaves the model frozen and its blocks patched."""
    from train_gamma.hosts.webui_vae import RunVae

    with nothing_changes(), pytest.raises(MemoryError, match="no room"), lent() as backbone:  # noqa: PT012
        monkeypatch.setattr(RunVae, "put_back", Raiser(MemoryError("no room")))
        with backbone.lend("on"):
            if when == "between two steps":
                end_turn(backbone)


def test_a_whole_run_from_pictures_to_an_embedding(webui: Any, tmp_path: Path) -> None:
    heard = Heard()
    with nothing_changes(), lent() as backbone:
        _folder, finished = train_small(
            tmp_path, backbone, heard, embedding={"name": "zorb"}, preview={"every_n_steps": 3}
        )
    assert finished.reason == "finished"
    assert [event.message for event in heard.of(Warned) if "preview" in event.message] == []
    assert len(heard.of(Previewed)) == 3  # before the first step, after three and after six
    losses = [event.loss for event in heard.of(Progress)]
    assert len(losses) == 6
    assert finished.path is not None
    assert embedding_vectors(finished.path).isfinite().all()


def test_a_run_that_is_stopped(webui: Any, tmp_path: Path) -> None:
    control = Control()
    heard = Heard(Progress, 2, control.stop)
    with nothing_changes(), lent(control) as backbone:
        _folder, finished = train_small(tmp_path, backbone, heard, control, embedding={"name": "zorb"})
    assert (finished.reason, finished.step) == ("stopped", 2)
    assert finished.path is not None


def test_a_run_that_fails_saves_what_was_trained(webui: Any, tmp_path: Path) -> None:
    heard = Heard(Progress, 2, Raiser(RuntimeError("the disk is on fire")))
    with nothing_changes(), pytest.raises(RuntimeError, match="on fire"), lent() as backbone:
        train_small(tmp_path, backbone, heard, embedding={"name": "zorb"})
    heard_of = state_numbers(only_run(tmp_path))
    assert heard_of["step"] == 2


def test_pictures_of_others_during_a_run_are_as_ever_and_do_it_no_harm(webui: Any, tmp_path: Path) -> None:
    """Every step of the run is interrupted by somebody's picture; the vectors are those of a run that had peace."""
    with lent() as backbone:
        _folder, alone = train_small(tmp_path, backbone, embedding={"name": "zorb"})
    before = txt2img("a photo")
    pictures: list[Any] = []
    done = threading.Event()

    def draw() -> None:
        while not done.is_set():
            pictures.append(txt2img("a photo"))

    others = threading.Thread(target=draw)
    with nothing_changes(but=("state", "cached", "random")):  # which others do change
        with lent() as backbone:
            others.start()
            try:
                _folder, disturbed = train_small(tmp_path, backbone, embedding={"name": "zorb"})
            finally:
                done.set()
        others.join()
    assert len(pictures) >= 5
    assert all((picture == before).all() for picture in pictures)
    assert alone.path is not None
    assert disturbed.path is not None
    assert torch.equal(embedding_vectors(alone.path), embedding_vectors(disturbed.path))


def test_the_hosts_own_training_works_as_before(webui: Any, tmp_path: Path) -> None:
    """Its loss and gradient on a fixed batch, by its own code, are the same before and after."""

    def native() -> tuple[float, torch.Tensor]:
        model = webui.sd_model
        vectors = rows().requires_grad_(True)
        with torch.random.fork_rng():
            torch.manual_seed(9)
            from tests.host.inside.stage import embed, forget

            embed("zorb", vectors)
            conditioning = model.cond_stage_model(["a zorb"])
            loss = model.forward(torch.randn(1, 4, 8, 8), conditioning)[0]
            loss.backward()
            forget("zorb")
        for parameter in model.parameters():
            parameter.grad = None
        assert vectors.grad is not None
        return float(loss), vectors.grad

    before = native()
    with lent() as backbone:
        train_small(tmp_path, backbone, embedding={"name": "zorb"})
    after = native()
    assert before[0] == after[0]
    assert torch.equal(before[1], after[1])
