"""The gradient comes back right and costs what it must: through a frozen UNet, recomputed or not, in any attention."""

import logging
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.host.inside.snapshot import nothing_changes
from tests.host.inside.stage import PROMPT, WIDTH, gradient, gradient_of_a_run, lent, rows
from train_gamma.backbone import Conditioning
from train_gamma.training.loss import squared_error
from train_gamma.training.noise import add_noise, target


@pytest.fixture(autouse=True)
def _heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is logged reaches ``caplog``."""
    monkeypatch.setattr(logging.getLogger("train_gamma"), "propagate", True)


@pytest.fixture
def clean(webui: Any) -> Tensor:
    """The gradient of the model as it is."""
    return gradient_of_a_run()


def test_trap_0_4_and_13_2_no_gradient_of_the_unet(webui: Any, clean: Tensor) -> None:
    """Naive: the UNet's weights ask for gradients, which are computed at each step and never freed."""
    assert all(parameter.grad is None for parameter in webui.sd_model.parameters())
    assert any(parameter.requires_grad for parameter in webui.sd_model.model.diffusion_model.parameters())


@pytest.mark.parametrize("checkpointing", ["off", "on"])
def test_trap_0_4_checkpointing_flags(
    webui: Any, clean: Tensor, checkpointing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Naive: freeze the UNet. ldm's own checkpointing then raises that a tensor does not require grad."""
    unet = webui.sd_model.model.diffusion_model
    flags = [(module, name) for module in unet.modules() for name in ("checkpoint", "use_checkpoint")]
    for module, name in flags:
        if isinstance(vars(module).get(name), bool):
            monkeypatch.setattr(module, name, True)
    with nothing_changes(), lent() as backbone, backbone.lend(checkpointing):
        torch.testing.assert_close(gradient(backbone, PROMPT, rows()), clean, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("parameterization", ["eps", "v"])
def test_the_loss_is_the_hosts_own(webui: Any, monkeypatch: pytest.MonkeyPatch, parameterization: str) -> None:
    """ldm's ``p_losses`` on the same latents, noise and timesteps, for both kinds of checkpoints."""
    model = webui.sd_model
    monkeypatch.setattr(model, "parameterization", parameterization)
    generator = torch.Generator().manual_seed(2)
    x_0, noise = (torch.randn(3, 4, 8, 8, generator=generator) for _ in range(2))
    t = torch.tensor([0, 400, 999])
    with lent() as backbone, backbone.lend("off"):
        assert backbone.prediction == {"eps": "epsilon", "v": "v"}[parameterization]
        conditioning = backbone.encode_prompts([PROMPT] * 3, {"zorb": {"clip_l": rows()}})
        alpha_bar = backbone.alphas_cumprod[t]
        predicted = backbone.predict(add_noise(x_0, noise, alpha_bar), t, conditioning)
        ours = squared_error(predicted, target(x_0, noise, alpha_bar, backbone.prediction)).mean()
        theirs, _ = model.p_losses(x_0, conditioning.context, t, noise=noise)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=0)


def test_checkpointing_saves_memory(webui: Any, clean: Tensor) -> None:
    """So many bytes are kept for the way back."""

    def kept(checkpointing: Any) -> int:
        sizes: list[int] = []

        def pack(tensor: Tensor) -> Tensor:
            sizes.append(tensor.numel())
            return tensor

        with lent() as backbone, backbone.lend(checkpointing):
            conditioning = backbone.encode_prompts([PROMPT], {"zorb": {"clip_l": rows().requires_grad_(True)}})
            with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
                backbone.predict(torch.zeros(1, 4, 16, 16), torch.tensor([400]), conditioning)
        return sum(sizes)

    assert kept("on") < 0.5 * kept("off")


def test_trap_9_the_hosts_own_checkpointing_patch(webui: Any, clean: Tensor) -> None:
    """Native training that was killed leaves its patch of the classes behind; ours does not go through it."""
    from modules import sd_hijack_checkpoint

    sd_hijack_checkpoint.add()
    try:
        with nothing_changes():
            torch.testing.assert_close(gradient_of_a_run(), clean, rtol=1e-5, atol=1e-9)
    finally:
        sd_hijack_checkpoint.remove()


def test_checkpointing_where_the_host_casts_by_hand(webui: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """On GTX 16xx, MPS and XPU. Naive: the blocks are computed again where the host does not cast any more."""
    from modules import devices

    model = webui.sd_model.model
    kept = {name: value.detach().clone() for name, value in model.state_dict().items()}
    model.bfloat16()
    monkeypatch.setattr(devices, "autocast", lambda disable=False: devices.manual_cast(torch.bfloat16))
    monkeypatch.setattr(devices, "dtype_inference", torch.bfloat16)
    gradients = []
    try:
        for checkpointing in ("off", "on"):
            with lent() as backbone, backbone.lend(checkpointing):  # type: ignore[arg-type]
                told = torch.randn(1, 77, WIDTH, generator=torch.Generator().manual_seed(1)).requires_grad_(True)
                predicted = backbone.predict(torch.ones(1, 4, 8, 8), torch.tensor([400]), Conditioning(told))
                gradients += torch.autograd.grad(predicted.square().mean(), told)
    finally:
        model.float()
        model.load_state_dict(kept)
    assert gradients[0].abs().max() > 0
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-5, atol=0)


def _no_gradient(self: Any, x: Tensor, context: Tensor | None = None, mask: Any = None, **_: Any) -> Tensor:
    """An attention with the right values and no gradient, as some optimised ones on some cards."""
    from modules.hypernetworks import hypernetwork

    with torch.no_grad():
        attended: Tensor = hypernetwork.attention_CrossAttention_forward(self, x, context, mask)
    return attended


def _small_gradient(self: Any, x: Tensor, context: Tensor | None = None, mask: Any = None, **_: Any) -> Tensor:
    """One whose gradient is a thousandth of the right one."""
    from modules.hypernetworks import hypernetwork

    attended: Tensor = hypernetwork.attention_CrossAttention_forward(self, x, context, mask)
    return attended.detach() + 0.001 * (attended - attended.detach())


@pytest.mark.parametrize("forward", [_no_gradient, _small_gradient])
def test_trap_9_attention_without_the_right_gradient(
    webui: Any, clean: Tensor, forward: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Naive: hours of training that move nothing. Ours sees it at the start, and uses plain attention."""
    import ldm.modules.attention

    plain = gradient_of_a_run()
    monkeypatch.setattr(ldm.modules.attention.CrossAttention, "forward", forward)
    with nothing_changes():
        found = gradient_of_a_run()
    torch.testing.assert_close(found, plain, rtol=1e-4, atol=1e-8)
    assert ldm.modules.attention.CrossAttention.forward is forward
    assert "plain attention" in caplog.text
    assert "gradient" in caplog.text


def test_attention_that_cannot_go_back_is_told(
    webui: Any, clean: Tensor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _attention_raises(monkeypatch, NotImplementedError("no backward for this card"))
    torch.testing.assert_close(gradient_of_a_run(), clean, rtol=1e-3, atol=1e-7)
    assert "no backward for this card" in caplog.text


@pytest.mark.parametrize("error", [torch.cuda.OutOfMemoryError("no room"), RuntimeError("MPS backend out of memory")])
def test_no_memory_is_not_taken_for_a_wrong_attention(
    webui: Any, monkeypatch: pytest.MonkeyPatch, error: RuntimeError
) -> None:
    """Naive: the run goes on with plain attention, which needs more."""
    _attention_raises(monkeypatch, error)
    with nothing_changes(), pytest.raises(type(error), match=str(error)):
        gradient_of_a_run()


def test_what_goes_wrong_in_plain_attention_is_not_hidden(webui: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Naive: "No gradient comes back", whatever it was."""
    from modules import sd_hijack

    _attention_raises(monkeypatch, RuntimeError("mat1 and mat2 must have the same dtype"))
    monkeypatch.setattr(sd_hijack, "undo_optimizations", lambda: None)
    with nothing_changes(), pytest.raises(RuntimeError, match="same dtype"):
        gradient_of_a_run()


def _attention_raises(monkeypatch: pytest.MonkeyPatch, error: RuntimeError) -> None:
    """On the way back only."""
    import ldm.modules.attention

    def forward(self: Any, x: Tensor, context: Tensor | None = None, mask: Any = None, **_: Any) -> Tensor:
        from modules.hypernetworks import hypernetwork

        attended: Tensor = hypernetwork.attention_CrossAttention_forward(self, x, context, mask)
        if attended.requires_grad:
            attended.register_hook(_Raise(error))
        return attended

    monkeypatch.setattr(ldm.modules.attention.CrossAttention, "forward", forward)


class _Raise:
    def __init__(self, error: Exception) -> None:
        self._error = error

    def __call__(self, _gradient: Tensor) -> Tensor:
        raise self._error


def test_attention_optimisations_give_the_gradient_of_plain_attention(webui: Any, clean: Tensor) -> None:
    from modules import sd_hijack

    for optimisation in sd_hijack.optimizers:
        sd_hijack.model_hijack.apply_optimizations(optimisation.title())
        torch.testing.assert_close(gradient_of_a_run(), clean, rtol=1e-3, atol=1e-7)
    sd_hijack.model_hijack.apply_optimizations()
