"""Preview pictures: the host's own, of the rows as they are now, and without a trace anywhere else."""

import threading
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

from tests.host.inside.snapshot import nothing_changes
from tests.host.inside.stage import embed, forget, lent, rows, txt2img, write_checkpoint, write_lora
from train_gamma.backbone import RenderRequest
from train_gamma.errors import UserError
from train_gamma.hosts.webui_render import find_sampler

REQUEST = RenderRequest("a zorb", width=64, height=64, steps=4, guidance_scale=3.0, seed=1)


def drawn(backbone: Any, vectors: torch.Tensor, **changes: Any) -> numpy.ndarray:
    from dataclasses import replace

    picture = backbone.render(replace(REQUEST, **changes), {"zorb": {"clip_l": vectors}})
    return numpy.asarray(picture).astype(int)


def by_the_host(prompt: str, vectors: torch.Tensor, **more: Any) -> numpy.ndarray:
    embed("zorb", vectors)
    try:
        return txt2img(prompt, **more)
    finally:
        forget("zorb")


@pytest.mark.parametrize("sampler", ["DDIM", "Euler a", "DPM++ 2M"])
def test_a_preview_is_the_picture_that_txt2img_makes(webui: Any, sampler: str) -> None:
    with lent() as backbone, backbone.lend("off"):
        ours = drawn(backbone, rows(), sampler=sampler)
    assert (ours == by_the_host("a zorb", rows(), sampler_name=sampler)).all()


def test_the_prompt_is_read_in_the_hosts_syntax(webui: Any) -> None:
    prompt = "(a zorb:1.4) BREAK [red:blue:0.5] hair"
    with lent(clip_skip=2) as backbone, backbone.lend("off"):
        ours = drawn(backbone, rows(), prompt=prompt, negative_prompt="(bad:1.2)")
    before = webui.opts.data.get("CLIP_stop_at_last_layers")
    webui.opts.data["CLIP_stop_at_last_layers"] = 2
    theirs = by_the_host(prompt, rows(), negative_prompt="(bad:1.2)")
    if before is None:
        del webui.opts.data["CLIP_stop_at_last_layers"]
    else:
        webui.opts.data["CLIP_stop_at_last_layers"] = before
    assert (ours == theirs).all()


def test_trap_0_1_and_13_1_previews_are_never_stale(webui: Any) -> None:
    """Naive: ``process_images``, whose cache of encoded prompts does not see that the rows have changed."""
    with lent() as backbone, backbone.lend("off"):
        first, second = drawn(backbone, rows(seed=1)), drawn(backbone, rows(seed=2))
        again = drawn(backbone, rows(seed=1))
    assert (first != second).any()
    assert (first == again).all()
    assert (second == by_the_host("a zorb", rows(seed=2))).all()


def test_a_preview_leaves_no_trace(webui: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random states, progress, caches of encoded prompts, settings: all as before, though all of them are used."""
    from modules import paths

    history = Path(paths.data_path) / "params.txt"
    history.write_text("somebody's last prompt", "utf-8")
    for name, value in {"job_count": 100, "job_no": 40, "sampling_step": 3, "textinfo": "training"}.items():
        monkeypatch.setattr(webui.state, name, value)
    with nothing_changes(), lent() as backbone, backbone.lend("off"):
        drawn(backbone, rows())
    assert history.read_text("utf-8") == "somebody's last prompt"  # naive: the arrow button brings our prompt


def test_trap_13_6_and_0_8_an_interrupt_before_a_preview_is_not_lost(webui: Any) -> None:
    """Naive: take ``images[0]`` of nothing, and the final save never happens."""
    webui.state.interrupted = True
    try:
        with lent() as backbone, backbone.lend("off"), pytest.raises(UserError, match="interrupted"):
            drawn(backbone, rows())
        assert webui.state.interrupted
    finally:
        webui.state.interrupted = False


@pytest.mark.parametrize("flag", ["interrupted", "stopping_generation", "skipped"])
def test_trap_0_8_an_interrupt_during_a_preview_is_not_lost(
    webui: Any, monkeypatch: pytest.MonkeyPatch, flag: str
) -> None:
    """Naive: put the whole state back, the wish of the person at the button with it."""
    from modules import sd_samplers_common

    original = sd_samplers_common.decode_first_stage

    def decode(*arguments: Any) -> Any:
        setattr(webui.state, flag, True)
        return original(*arguments)

    monkeypatch.setattr("modules.processing.decode_first_stage", decode)
    try:
        with lent() as backbone, backbone.lend("off"), pytest.raises(UserError, match="interrupted"):
            drawn(backbone, rows())
        assert getattr(webui.state, flag)
        monkeypatch.undo()
        webui.state.interrupted = webui.state.stopping_generation = False
        with lent() as backbone, backbone.lend("off"):
            drawn(backbone, rows())  # the next one is made
    finally:
        webui.state.interrupted = webui.state.skipped = webui.state.stopping_generation = False


def test_trap_0_6_and_13_4_the_dropdown_does_not_change_the_checkpoint_in_a_preview(webui: Any) -> None:
    """Naive: the preview loads the checkpoint that the dropdown names by now, and training goes on with it."""
    other = write_checkpoint()
    chosen = webui.opts.data["sd_model_checkpoint"]
    with lent() as backbone, backbone.lend("off"):
        before = drawn(backbone, rows())
        webui.opts.data["sd_model_checkpoint"] = other.name
        try:
            with nothing_changes():
                after = drawn(backbone, rows())
        finally:
            webui.opts.data["sd_model_checkpoint"] = chosen
    assert "miniature" in webui.sd_model.sd_checkpoint_info.filename
    assert (after == before).all()


def test_a_change_of_the_fp8_setting_does_not_reach_the_model_in_a_preview(
    webui: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Naive: the preview loads the checkpoint again in fp8, in the middle of the run."""
    monkeypatch.setitem(webui.opts.data, "fp8_storage", "Enable")
    with nothing_changes(), lent() as backbone, backbone.lend("off"):
        drawn(backbone, rows())
    assert {parameter.dtype for parameter in webui.sd_model.parameters()} == {torch.float32}


def test_a_lora_in_a_previews_prompt_ends_with_the_preview(webui: Any) -> None:
    """Naive: it stays on the weights, and the steps after the preview are trained on top of it."""
    write_lora()
    with lent() as backbone, backbone.lend("off"):
        plain = drawn(backbone, rows())
        with nothing_changes():
            assert (drawn(backbone, rows(), prompt="a zorb <lora:stripes:1>") != plain).any()
        assert (drawn(backbone, rows()) == plain).all()


def test_scripts_of_other_extensions_are_left_out(webui: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An always-on script that breaks does not break previews."""
    from modules import scripts

    class Broken(scripts.Script):
        def process(self, *_: Any) -> None:
            raise AssertionError

    monkeypatch.setattr("modules.scripts.ScriptRunner.process", Broken.process)
    with lent() as backbone, backbone.lend("off"):
        drawn(backbone, rows())


def test_samplers_are_found_by_their_names_in_any_case(webui: Any) -> None:
    assert find_sampler("") == ("DDIM", None)
    assert find_sampler("ddim") == ("DDIM", None)
    assert find_sampler("EULER A") == ("Euler a", None)
    assert find_sampler("euler_a") == ("Euler a", None)
    assert find_sampler("dpmpp_2m") == ("DPM++ 2M", None)
    assert find_sampler("DPM++ 2M Karras") == ("DPM++ 2M", "Karras")
    with pytest.raises(UserError, match=r"no sampler 'magic'.*Use one of .*DDIM"):
        find_sampler("magic")


@pytest.mark.parametrize(("changes", "message"), [({"width": 60}, "Width.*multiple of 8"), ({"steps": 0}, "Steps")])
def test_impossible_requests_are_refused(webui: Any, changes: dict[str, int], message: str, unchanged: None) -> None:
    with lent() as backbone, backbone.lend("off"), pytest.raises(UserError, match=message):
        drawn(backbone, rows(), **changes)


@pytest.mark.parametrize("setting", ["auto_vae_precision", "auto_vae_precision_bfloat16"])
def test_trap_9_a_vae_moved_to_another_precision_by_a_preview_moves_back(
    webui: Any, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    """Naive: the host's own repair of a decoded NaN stays, for the run and for every picture after it."""
    from modules import devices, processing

    monkeypatch.setitem(webui.opts.data, setting, True)
    vae = webui.sd_model.first_stage_model
    kept = {name: value.detach().clone() for name, value in vae.state_dict().items()}
    vae.half()
    with torch.no_grad():
        vae.post_quant_conv.weight.mul_(4e4 / vae.post_quant_conv.weight.abs().max())
    monkeypatch.setattr(devices, "dtype_vae", torch.float16)
    seen: list[torch.dtype] = []
    decode = processing.decode_first_stage
    monkeypatch.setattr(processing, "decode_first_stage", lambda *a: (seen.append(devices.dtype_vae), decode(*a))[1])
    try:
        with nothing_changes(), lent() as backbone, backbone.lend("off"):
            drawn(backbone, rows())
    finally:
        vae.float()
        vae.load_state_dict(kept)
    assert seen == [torch.float16, torch.bfloat16 if setting.endswith("bfloat16") else torch.float32]


def test_the_unet_of_the_settings_stays_out_of_a_preview(webui: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Naive: the preview shows another UNet than the one that is trained on, and takes that one off the device."""
    from modules import sd_unet

    class Other(sd_unet.SdUnet):
        def forward(self, x: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
            return x * 0.5

    class Option(sd_unet.SdUnetOption):
        model_name = webui.sd_model.sd_checkpoint_info.model_name
        label = "other"

        def create_unet(self) -> Other:
            return Other()

    with lent() as backbone, backbone.lend("off"):
        before = drawn(backbone, rows())
    monkeypatch.setattr(sd_unet, "unet_options", [Option()])
    monkeypatch.setitem(webui.opts.data, "sd_unet", "Automatic")
    try:
        assert (by_the_host("a zorb", rows()) != before).any()  # it does make another picture
        with lent() as backbone, backbone.lend("off"):
            assert (drawn(backbone, rows()) == before).all()
            assert sd_unet.current_unet is None
    finally:
        sd_unet.apply_unet("None")


def test_two_threads_do_not_see_each_others_rows(webui: Any) -> None:
    """A picture of somebody with our name in its prompt, made while we hold the lock, waits and has no rows of ours."""
    plain = txt2img("a zorb")
    made: list[Any] = []
    with lent() as backbone, backbone.lend("off"):
        other = threading.Thread(target=lambda: made.append(txt2img("a zorb")))
        other.start()
        drawn(backbone, rows())
    other.join()
    assert (made[0] == plain).all()
