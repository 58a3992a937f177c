"""A model on loan is frozen, and comes back as it was."""

import hashlib
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.tiny import tiny_backbone, tiny_parts
from train_gamma.backbone import Checkpointing, RenderRequest
from train_gamma.hosts.diffusers_backbone import DiffusersBackbone
from train_gamma.hosts.loan import is_short

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


@pytest.fixture
def parts() -> tuple[Any, Any, Any]:
    """Parts with flags of all sorts: some frozen, some training, checkpointing on in one block."""
    unet, vae, encoder = tiny_parts()
    unet.train()
    vae.eval()
    encoder.eval().requires_grad_(False)
    unet.conv_in.requires_grad_(False)
    unet.mid_block.eval()
    unet.mid_block.gradient_checkpointing = True
    return unet, vae, encoder


def lender(parts: tuple[Any, Any, Any]) -> DiffusersBackbone:
    return tiny_backbone(unet=parts[0], vae=parts[1], text_encoders={"clip_l": parts[2]})


def everything(parts: tuple[Any, Any, Any]) -> list[Any]:
    """All that could be changed: weights, buffers, flags, hooks, attributes, gradients."""
    found: list[Any] = []
    for part in parts:
        for name, module in part.named_modules():
            plain = {key: value for key, value in vars(module).items() if isinstance(value, (bool, int, float, str))}
            flags = [module.training, getattr(module, "gradient_checkpointing", None)]
            hooks = [len(getattr(module, kind)) for kind in HOOKS]
            found.append((name, type(module), sorted(vars(module)), plain, flags, hooks, "forward" in vars(module)))
        for name, tensor in [*part.named_parameters(), *part.named_buffers()]:
            content = hashlib.sha256(tensor.detach().numpy().tobytes()).hexdigest()
            found.append((name, content, tensor.requires_grad, tensor.dtype, tensor.device, tensor.grad is None))
    return found


def one_step(backbone: DiffusersBackbone) -> tuple[Tensor, Tensor]:
    """The loss and the gradient of the vectors after all kinds of calls."""
    generator = torch.Generator().manual_seed(3)
    vectors = torch.randn(2, 32, generator=generator).mul(0.2).requires_grad_()
    latents = backbone.encode_images(torch.rand(1, 3, 64, 64, generator=generator) * 2 - 1).mean
    conditioning = backbone.encode_prompts(["a zib"], {"zib": {"clip_l": vectors}})
    loss = backbone.predict(latents, torch.tensor([500]), conditioning).square().mean()
    loss.backward()
    backbone.render(RenderRequest("zib", width=64, height=64, steps=1), {"zib": {"clip_l": vectors}})
    assert vectors.grad is not None
    return loss.detach(), vectors.grad


@pytest.mark.parametrize("checkpointing", ["off", "on", "auto"])
def test_everything_is_given_back_after_a_run(parts: tuple[Any, Any, Any], checkpointing: Checkpointing) -> None:
    backbone = lender(parts)
    before = everything(parts)
    with backbone.lend(checkpointing):
        one_step(backbone)
    assert everything(parts) == before


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_everything_is_given_back_after_an_exception(parts: tuple[Any, Any, Any], error: type[BaseException]) -> None:
    backbone = lender(parts)
    before = everything(parts)

    def interrupted() -> None:
        with backbone.lend("on"):
            one_step(backbone)
            raise error

    with pytest.raises(error):
        interrupted()
    assert everything(parts) == before


def test_loans_may_be_nested(parts: tuple[Any, Any, Any]) -> None:
    backbone = lender(parts)
    before = everything(parts)
    with backbone.lend("on"):
        outer = everything(parts)
        with backbone.lend("off"):
            one_step(backbone)
        assert everything(parts) == outer
    assert everything(parts) == before


def test_a_loan_that_was_not_begun_changes_nothing(parts: tuple[Any, Any, Any]) -> None:
    before = everything(parts)
    lender(parts).lend("on")
    assert everything(parts) == before


@pytest.mark.parametrize(("checkpointing", "on"), [("off", False), ("on", True), ("auto", False)])
def test_inside_all_is_frozen_and_checkpointing_is_as_asked(
    parts: tuple[Any, Any, Any], checkpointing: Checkpointing, on: bool
) -> None:
    with lender(parts).lend(checkpointing):
        modules = [module for part in parts for module in part.modules()]
        assert not any(module.training for module in modules)
        assert not any(parameter.requires_grad for part in parts for parameter in part.parameters())
        flags = {
            module.gradient_checkpointing for module in parts[0].modules() if hasattr(module, "gradient_checkpointing")
        }
        assert flags == {on}


def test_no_parameter_has_a_gradient_inside(parts: tuple[Any, Any, Any]) -> None:
    backbone = lender(parts)
    with backbone.lend():
        one_step(backbone)
        assert all(parameter.grad is None for part in parts for parameter in part.parameters())


def test_checkpointing_changes_neither_loss_nor_gradient(
    parts: tuple[Any, Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = lender(parts)
    runs: list[int] = []
    layer = parts[0].up_blocks[0].resnets[0]
    forward = type(layer).forward

    def counted(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        runs.append(self is layer and torch.is_grad_enabled())
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(type(layer), "forward", counted)
    with backbone.lend("off"):
        plain = one_step(backbone)
    plain_runs = sum(runs)
    with backbone.lend("on"):
        checkpointed = one_step(backbone)
    assert (plain_runs, sum(runs) - plain_runs) == (1, 2)  # the forward pass was run again on the way back
    assert torch.equal(plain[0], checkpointed[0])
    torch.testing.assert_close(plain[1], checkpointed[1], rtol=1e-5, atol=1e-8)


def test_prediction_is_differentiable_in_the_context_alone() -> None:
    backbone = tiny_backbone()
    generator = torch.Generator().manual_seed(3)
    x_t = torch.randn(2, 4, 8, 8, generator=generator)
    with backbone.lend():
        empty = backbone.encode_prompts(["a cat", "a dog"], {})
        assert not empty.context.requires_grad
        assert not backbone.predict(x_t, torch.tensor([1, 999]), empty).requires_grad
        context = empty.context.clone().requires_grad_()
        output = backbone.predict(x_t, torch.tensor([1, 999]), type(empty)(context))
        output.sum().backward()
    assert context.grad is not None
    assert context.grad.abs().amax(dim=(1, 2)).min() > 1e-4
    assert (output.shape, output.dtype) == (x_t.shape, torch.float32)


def test_auto_weighs_free_memory_by_precision() -> None:
    gib = 2**30
    assert [is_short(free * gib, torch.float16) for free in (2, 3, 5, 12)] == [True, True, False, False]
    assert [is_short(free * gib, torch.float32) for free in (2, 5, 9, 12)] == [True, True, False, False]
