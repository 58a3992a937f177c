"""Models that cannot be trained on are refused before anything starts, and those that change during a run, at once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.host.inside.snapshot import nothing_changes
from tests.host.inside.stage import gradient, lent, rows, write_checkpoint
from tests.training.runs import Heard, only_run, state_numbers, train_small
from train_gamma.errors import UserError
from train_gamma.hosts.webui_backbone import describe_loaded, look
from train_gamma.training.events import Control, Progress


def refused(message: str) -> None:
    """Looking, describing and borrowing all say the same, and nothing is changed."""
    with nothing_changes():
        (problem,) = describe_loaded().problems
        with pytest.raises(UserError, match=message):
            look()
        with pytest.raises(UserError, match=message), lent():
            pass
    assert problem.endswith(".")


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ("is_sdxl", "an SDXL checkpoint; only SD 1"),
        ("is_sd2", "an SD 2.x checkpoint"),
        ("is_sd3", "an SD 3 checkpoint"),
    ],
)
def test_trap_0_10_and_13_21_other_families(webui: Any, monkeypatch: Any, attribute: str, message: str) -> None:
    """Naive: an SDXL "embedding" is made that no program can use."""
    monkeypatch.setattr(webui.sd_model, attribute, True, raising=False)
    refused(message)


@pytest.mark.parametrize("key", ["hybrid", "concat"])
def test_trap_9_inpainting(webui: Any, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setattr(webui.sd_model.model, "conditioning_key", key)
    refused("an inpainting, depth or editing checkpoint")


def test_trap_9_fp8(webui: Any) -> None:
    layer = webui.sd_model.model.diffusion_model.out[2]
    kept = layer.weight.data
    layer.weight.data = kept.to(torch.float8_e4m3fn)
    try:
        (problem,) = describe_loaded().problems
        assert "float8_e4m3fn" in problem
        assert "FP8 weight" in problem
        with pytest.raises(UserError, match="float8"):
            look()
    finally:
        layer.weight.data = kept


def test_quantised_weights(webui: Any) -> None:
    layer = webui.sd_model.model.diffusion_model.out[2]
    kept = layer.weight
    del layer._parameters["weight"]
    layer._parameters["weight"] = torch.nn.Parameter(torch.zeros(4, 8, dtype=torch.uint8), requires_grad=False)
    try:
        with pytest.raises(UserError, match="kept as uint8, too coarse"):
            look()
    finally:
        layer._parameters["weight"] = kept


def test_trap_9_lowvram(webui: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webui.cmd_opts, "lowvram", True)
    refused("Start it with --medvram instead")


def test_no_checkpoint_loaded(webui: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from modules import sd_models

    monkeypatch.setattr(sd_models.model_data, "sd_model", None)
    monkeypatch.setattr(sd_models.model_data, "was_loaded_at_least_once", True)
    assert describe_loaded().title == ""
    with pytest.raises(UserError, match="no checkpoint loaded"):
        look()
    with pytest.raises(UserError, match="no checkpoint loaded"), lent():
        pass


def test_looking_does_not_load_a_model(webui: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Naive: touch ``shared.sd_model``, which loads one; the page would hang for as long as that takes."""
    from modules import sd_models

    monkeypatch.setattr(sd_models.model_data, "sd_model", None)
    monkeypatch.setattr(sd_models.model_data, "was_loaded_at_least_once", False)
    monkeypatch.setattr(sd_models, "load_model", lambda *_: pytest.fail("a model was loaded"))
    assert describe_loaded().problems
    with pytest.raises(UserError, match="no checkpoint loaded"):
        look()


def test_clip_skip_that_leaves_no_layer(webui: Any, unchanged: None) -> None:
    layers = len(webui.sd_model.cond_stage_model.wrapped.transformer.text_model.encoder.layers)
    with pytest.raises(UserError, match=f"between 1 and {layers}"), lent(clip_skip=layers + 1):
        pass


def test_embeddings_of_another_kind_of_model(webui: Any, unchanged: None) -> None:
    with lent() as backbone, pytest.raises(UserError, match="768 wide for clip_l, those of 'miniature' are 64"):
        backbone.encode_prompts(["zorb"], {"zorb": {"clip_l": torch.zeros(1, 768)}})


@pytest.fixture
def other_checkpoint(webui: Any) -> Iterator[Path]:
    """A second checkpoint that the host knows; the first one is loaded again afterwards."""
    from modules import sd_models

    first = webui.sd_model.sd_checkpoint_info
    yield write_checkpoint()
    sd_models.reload_model_weights(info=first)
    webui.opts.data["sd_model_checkpoint"] = first.title


def load(path: Path) -> None:
    """Load a checkpoint as the dropdown does, into the very same object."""
    from modules import sd_models

    before = sd_models.model_data.sd_model
    before.used_config = str(path.with_suffix(".yaml"))  # as for two checkpoints without a .yaml of their own
    sd_models.reload_model_weights(info=sd_models.get_closet_checkpoint_match(path.name))
    assert sd_models.model_data.sd_model is before
    assert sd_models.model_data.sd_model.sd_checkpoint_info.filename == str(path)


def test_trap_9_and_13_4_another_checkpoint_in_the_same_object(webui: Any, other_checkpoint: Path) -> None:
    """Naive: compare objects. Training goes on with the other checkpoint's weights, and nobody is told."""
    with lent() as backbone, backbone.lend("off"):
        gradient(backbone, "a zorb", rows())
        backbone._turn._began -= 60  # type: ignore[attr-defined]
        backbone._turn.pass_on = lambda: load(other_checkpoint)  # type: ignore[attr-defined]
        with pytest.raises(UserError, match=r"begun with 'miniature\.safetensors', now 'other\.safetensors'.*resume"):
            backbone.give_way()
    unet = webui.sd_model.model.diffusion_model
    assert all(parameter.requires_grad for parameter in unet.parameters())  # it is given back all the same
    assert not any("forward" in vars(module) for module in unet.modules())


def test_a_run_whose_checkpoint_is_changed_ends_with_everything_saved(
    webui: Any, other_checkpoint: Path, tmp_path: Path
) -> None:
    control = Control()

    def change() -> None:
        backbone._turn._began -= 60  # type: ignore[attr-defined]
        backbone._turn.pass_on = lambda: load(other_checkpoint)  # type: ignore[attr-defined]

    with pytest.raises(UserError, match="checkpoint was changed"), lent(control) as backbone:
        train_small(tmp_path, backbone, Heard(Progress, 3, change), control, embedding={"name": "zorb"})
    assert state_numbers(only_run(tmp_path))["step"] == 3


def test_trap_9_the_text_encoders_wrapper_is_replaced_in_the_middle(webui: Any, tmp_path: Path) -> None:
    """Naive: keep ``cond_stage_model``. After a change of the VAE it is not the one whose settings and rows count."""
    from modules import sd_vae

    from tests.host.inside.stage import write_vae

    path = write_vae(tmp_path)
    with lent() as backbone, backbone.lend("off"):
        before = gradient(backbone, "a zorb", rows())
        wrapper = webui.sd_model.cond_stage_model

        def somebodys_turn() -> None:
            sd_vae.reload_vae_weights(webui.sd_model, vae_file=str(path))

        backbone._turn._began -= 60  # type: ignore[attr-defined]
        backbone._turn.pass_on = somebodys_turn  # type: ignore[attr-defined]
        backbone.give_way()
        assert webui.sd_model.cond_stage_model is not wrapper
        assert torch.equal(gradient(backbone, "a zorb", rows()), before)
    sd_vae.reload_vae_weights(webui.sd_model, vae_file=None)
    sd_vae.vae_dict.pop(path.name, None)


@pytest.fixture
def medvram(webui: Any) -> Iterator[Any]:
    """The model as --medvram has it: hooks that keep one part on the device at a time."""
    from modules import lowvram, sd_hijack

    model = webui.sd_model
    sd_hijack.model_hijack.undo_hijack(model)  # as at start, where this comes before the hijack
    lowvram.setup_for_low_vram(model, use_medvram=True)
    sd_hijack.model_hijack.hijack(model)
    yield lowvram
    for module in model.modules():
        module._forward_pre_hooks.clear()
    for name in ("encode", "decode"):
        vars(model.first_stage_model).pop(name)
    lowvram.module_in_gpu = None
    model.lowvram = False


def test_trap_9_medvram(webui: Any, medvram: Any) -> None:
    """Naive: leave the hooks. They take the text encoder off the device before the gradient comes back through it."""
    model = webui.sd_model
    moved: list[Any] = []
    model.model.register_forward_pre_hook(lambda *_: moved.append("unet"))
    model.cond_stage_model.wrapped.transformer.register_forward_pre_hook(lambda *_: moved.append("text encoder"))
    medvram.send_everything_to_cpu()
    with nothing_changes():
        with lent() as backbone, backbone.lend("off"):
            found = gradient(backbone, "a zorb", rows())
            assert moved == []
            assert medvram.module_in_gpu is None
            backbone.encode_images(torch.zeros(1, 3, 64, 64))
            assert medvram.module_in_gpu is model.first_stage_model  # which comes and goes as ever
        assert medvram.module_in_gpu is None
    for module in model.modules():
        module._forward_pre_hooks.clear()
    with lent() as backbone, backbone.lend("off"):
        assert torch.equal(found, gradient(backbone, "a zorb", rows()))


def test_a_model_that_was_unloaded_to_memory_comes_back(webui: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """'Unload SD checkpoint' waits for nobody. (Here the device is a pretended one: everything is on the CPU.)"""
    from modules import devices, sd_models

    back: list[Any] = []
    monkeypatch.setattr(devices, "device", torch.device("meta"))
    monkeypatch.setattr(sd_models, "send_model_to_device", back.append)
    from train_gamma.hosts.webui_model import come_back

    come_back(webui.sd_model)
    assert back == [webui.sd_model]
