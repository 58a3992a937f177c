"""What the last picture leaves on the model does not get into training, and what is set meanwhile neither.

Each test compares the gradient of the rows with that of the clean model; a trainer that takes the model as it finds it
gets another one.
"""

import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.host.inside.snapshot import differences, host_state
from tests.host.inside.stage import (
    PROMPT,
    WIDTH,
    embed,
    forget,
    gradient,
    gradient_of_a_run,
    lent,
    rows,
    txt2img,
    write_lora,
)
from train_gamma.hosts.webui_backbone import describe_loaded


def naive(model: Any) -> Tensor:
    """The same through the model as it is, by the host's own calls."""
    leaf = rows().requires_grad_(True)
    embed("zorb", leaf)
    generator = torch.Generator().manual_seed(11)
    x_t, wanted = (torch.randn(1, 4, 8, 8, generator=generator) for _ in range(2))
    conditioning = model.get_learned_conditioning([PROMPT])
    loss = (model.apply_model(x_t, torch.tensor([400]), conditioning) - wanted).square().mean()
    (found,) = torch.autograd.grad(loss, leaf)
    forget("zorb")
    return found


@pytest.fixture
def clean(webui: Any) -> Iterator[Tensor]:
    """The gradient with nothing left over; the same again at the end."""
    txt2img("a photo")
    before = gradient_of_a_run()
    torch.testing.assert_close(naive(webui.sd_model), before, rtol=1e-5, atol=1e-9)
    yield before
    txt2img("a photo")
    assert torch.equal(gradient_of_a_run(), before)


def test_trap_9_and_13_16_lora(webui: Any, clean: Tensor) -> None:
    """Naive: the LoRA of the last picture is on the weights, and stays as no ``deactivate`` takes it off."""
    write_lora()
    with_lora = txt2img("a photo <lora:stripes:1>")
    layer = webui.sd_model.model.diffusion_model.middle_block[1].transformer_blocks[0].attn2.to_k
    patched = layer.weight.clone()
    assert not torch.allclose(naive(webui.sd_model), clean, rtol=1e-2, atol=1e-9)
    assert describe_loaded().notes == ["LoRA 'stripes' is still active; the run is made without it."]
    assert torch.equal(gradient_of_a_run(), clean)
    assert not torch.equal(layer.weight, patched)
    assert (txt2img("a photo <lora:stripes:1>") == with_lora).all()  # whoever wants it gets it again


def test_trap_9_a_lora_that_the_settings_add_to_every_prompt(webui: Any, clean: Tensor) -> None:
    """Naive: activate nothing. The setting "Add network to prompt" then adds its LoRA to nothing, too."""
    write_lora()
    before = dict(webui.opts.data)
    webui.opts.data["sd_lora"] = "stripes"
    try:
        txt2img("a photo")
        assert [network.name for network in sys.modules["networks"].loaded_networks] == ["stripes"]
        assert torch.equal(gradient_of_a_run(), clean)
        assert webui.opts.data["sd_lora"] == "stripes"
    finally:
        webui.opts.data.clear()
        webui.opts.data.update(before)


def test_a_lora_used_while_we_gave_way(webui: Any, clean: Tensor) -> None:
    write_lora()
    with lent() as backbone, backbone.lend("off"):
        backbone._turn._began -= 60  # type: ignore[attr-defined]
        backbone._turn.pass_on = lambda: _draw_in_between("a photo <lora:stripes:1>")  # type: ignore[attr-defined]
        backbone.give_way()
        assert torch.equal(gradient(backbone, PROMPT, rows()), clean)


def _draw_in_between(prompt: str) -> None:
    from modules import call_queue

    call_queue.queue_lock.release()
    txt2img(prompt)
    call_queue.queue_lock.acquire()


def test_trap_9_hypernetwork(webui: Any, clean: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Naive: the last picture's hypernetwork is used by every attention, and trained upon."""
    from modules.hypernetworks import hypernetwork

    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = hypernetwork.Hypernetwork(
            name="hyper", enable_sizes=[WIDTH], layer_structure=[1, 1], weight_init="Normal"
        )
    for weights in net.weights():
        weights.data.normal_(0, 0.3)
        weights.requires_grad_(False)
    webui.loaded_hypernetworks.append(net)
    assert not torch.allclose(naive(webui.sd_model), clean, rtol=1e-2, atol=1e-9)
    assert describe_loaded().notes == ["Hypernetwork 'hyper' is still active; the run is made without it."]
    assert torch.equal(gradient_of_a_run(), clean)


def test_trap_9_and_13_16_tiling(webui: Any, clean: Tensor) -> None:
    """Naive: every convolution stays circular after one tiled picture."""
    tiled = txt2img("a photo", tiling=True)
    assert not torch.allclose(naive(webui.sd_model), clean, rtol=1e-3, atol=1e-9)
    assert describe_loaded().notes == ["Tiling is still on from the last picture; the run is made without it."]
    assert torch.equal(gradient_of_a_run(), clean)
    assert (txt2img("a photo", tiling=True) == tiled).all()


def test_trap_9_alternative_unet(webui: Any, clean: Tensor) -> None:
    """Naive: another UNet answers, without a gradient to anything."""
    from modules import sd_unet

    class Other(sd_unet.SdUnet):
        option: Any = None

        def forward(self, x: Tensor, timesteps: Tensor, context: Tensor, *_: Any, **__: Any) -> Tensor:
            return torch.zeros_like(x)

    class Option(sd_unet.SdUnetOption):
        label, model_name = "other unet", "other"

        def create_unet(self) -> Other:
            return Other()

    option = Option()
    sd_unet.unet_options.append(option)
    try:
        sd_unet.apply_unet("other unet")
        assert len(describe_loaded().notes) == 1
        assert torch.equal(gradient_of_a_run(), clean)
    finally:
        sd_unet.apply_unet("None")
        sd_unet.unet_options.remove(option)


def test_trap_9_token_merging(webui: Any, clean: Tensor) -> None:
    """Naive: tokens of the picture are merged before attention."""
    from modules import sd_models

    sd_models.apply_token_merging(webui.sd_model, 0.75)
    assert describe_loaded().notes == ["Token merging is still on; the run is made without it."]
    assert torch.equal(gradient_of_a_run(), clean)
    sd_models.apply_token_merging(webui.sd_model, 0)


def test_trap_9_hypertile(webui: Any, clean: Tensor) -> None:
    """Naive: the layers of the last picture stay cut into its tiles."""
    hypertile = sys.modules["hypertile"]
    layer = webui.sd_model.model.diffusion_model.middle_block[1].transformer_blocks[0].attn1
    params = hypertile.HypertileParams()
    params.forward, params.enabled, params.tile_size, params.aspect_ratio = layer.forward, True, 8, 1.0
    vars(layer)["__webui_hypertile_params"] = params
    layer.forward = hypertile.self_attn_forward(params)
    try:
        assert describe_loaded().notes == ["Hypertile is still on from the last picture; the run is made without it."]
        assert torch.equal(gradient_of_a_run(), clean)
        assert not params.enabled
    finally:
        del vars(layer)["__webui_hypertile_params"], vars(layer)["forward"]


def test_trap_9_schedule_of_the_settings(webui: Any, clean: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Naive: read ``alphas_cumprod``, which the settings rescale or round for pictures."""
    with lent() as backbone:
        expected = backbone.alphas_cumprod
    monkeypatch.setitem(webui.opts.data, "sd_noise_schedule", "Zero Terminal SNR")
    monkeypatch.setitem(webui.opts.data, "use_downcasted_alpha_bar", True)
    txt2img("a photo")
    assert not torch.allclose(webui.sd_model.alphas_cumprod.float(), expected, rtol=1e-3)
    with lent() as backbone:
        assert torch.equal(backbone.alphas_cumprod, expected)
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64).square()
    torch.testing.assert_close(expected.double(), (1 - betas).cumprod(0), rtol=1e-6, atol=0)


def test_trap_9_clip_skip_changed_in_the_middle(webui: Any, clean: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Naive: the setting is read at every step, and takes effect at the next one."""
    with lent() as backbone, backbone.lend("off"):
        monkeypatch.setitem(webui.opts.data, "CLIP_stop_at_last_layers", 2)
        assert not torch.allclose(naive(webui.sd_model), clean, rtol=1e-2, atol=1e-9)
        assert torch.equal(gradient(backbone, PROMPT, rows()), clean)
    assert webui.opts.data["CLIP_stop_at_last_layers"] == 2
    with lent(clip_skip=2) as backbone:
        assert backbone.identity.clip_skip == 2


def test_trap_9_how_prompts_are_read_changed_in_the_middle(
    webui: Any, clean: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Naive: captions of one run are read in two ways."""
    caption = f"(zorb:1.5), {'word, ' * 40}end"
    with lent() as backbone, backbone.lend("off"):
        before = [gradient(backbone, caption, rows(), emphasis=emphasis) for emphasis in (False, True)]
        monkeypatch.setitem(webui.opts.data, "emphasis", "No norm")
        monkeypatch.setitem(webui.opts.data, "comma_padding_backtrack", 0)
        monkeypatch.setitem(webui.opts.data, "use_old_emphasis_implementation", True)
        after = [gradient(backbone, caption, rows(), emphasis=emphasis) for emphasis in (False, True)]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert not torch.equal(before[0], before[1])


def test_trap_9_and_13_17_captions_are_no_prompts(webui: Any, clean: Tensor) -> None:
    """Naive: "artist (style)" is emphasis, and the brackets are gone."""
    with lent() as backbone:
        literal = backbone.encode_prompts(["zorb (style) [x]"], {"zorb": {"clip_l": rows()}}).context
        parsed = backbone.encode_prompts(["zorb (style) [x]"], {"zorb": {"clip_l": rows()}}, emphasis=True).context
        tokens = [token.text for token in backbone.tokenize("(style) [x]")]
    assert not torch.allclose(literal, parsed, atol=1e-2)
    assert "".join(tokens) == "(style)[x]"


def test_the_old_emphasis_does_not_cut_literal_captions(webui: Any, clean: Tensor, monkeypatch: Any) -> None:
    """Naive: with that setting everything after 75 tokens is thrown away, the name with it."""
    caption = "word " * 80 + "zorb"
    with lent() as backbone:
        expected = backbone.encode_prompts([caption], {"zorb": {"clip_l": rows()}}).context
    monkeypatch.setitem(webui.opts.data, "use_old_emphasis_implementation", True)
    with lent() as backbone:
        assert torch.equal(backbone.encode_prompts([caption], {"zorb": {"clip_l": rows()}}).context, expected)


def test_trap_0_5_and_13_3_embeddings_read_anew_in_the_middle(webui: Any, clean: Tensor) -> None:
    """Naive: register the rows once. After a refresh the host knows other objects, and the rows stand still."""
    from modules import sd_hijack

    with lent() as backbone, backbone.lend("off"):
        sd_hijack.model_hijack.embedding_db.load_textual_inversion_embeddings(force_reload=True)
        assert torch.equal(gradient(backbone, PROMPT, rows()), clean)


def test_trap_0_5_embeddings_read_anew_during_the_encoding_itself(
    webui: Any, clean: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Naive: register the rows around the call and put back what was there, over what was read in the meantime."""
    from modules import sd_hijack

    database = sd_hijack.model_hijack.embedding_db
    encoder = type(webui.sd_model.cond_stage_model)
    original = encoder.tokenize_line

    def tokenize_line(self: Any, line: str) -> Any:
        database.load_textual_inversion_embeddings(force_reload=True)
        return original(self, line)

    with lent() as backbone, backbone.lend("off"), monkeypatch.context() as patch:
        patch.setattr(encoder, "tokenize_line", tokenize_line)
        before = host_state()
        assert torch.equal(gradient(backbone, PROMPT, rows()), clean)
        assert "lookup" not in differences(before, host_state())
