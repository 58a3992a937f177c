"""The loaded UNet: what it predicts, and how it computes while it is lent."""

import functools
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from train_gamma.hosts.webui_model import device, unet


def predict(sd_model: Any, x_t: Tensor, t: Tensor, context: Tensor) -> Tensor:
    """The UNet's output in float32, through the host's own ``apply_model`` and in the host's precision.

    Args:
        sd_model: the loaded model.
        x_t: (B, C, h, w).
        t: (B,) timesteps.
        context: (B, T, D) of the text encoder.
    """
    with _precision():
        output: Tensor = sd_model.apply_model(x_t, t, {"c_crossattn": [context]})
    return output.float()


def alphas_cumprod(sd_model: Any) -> Tensor:
    """The checkpoint's own schedule, (1000,) float32 on the CPU; ``alphas_cumprod`` itself follows the settings."""
    alphas: Tensor = getattr(sd_model, "alphas_cumprod_original", sd_model.alphas_cumprod)
    return alphas.detach().to("cpu", torch.float32)


@contextmanager
def blocks_checkpointed(sd_model: Any, on: bool) -> Iterator[None]:
    """Have the UNet's blocks computed again on the way back, or not at all, whatever their flags say.

    ldm's own checkpointing cannot be used with a frozen UNet: it asks for gradients of its weights ("One of the
    differentiated Tensors does not require grad").
    """
    blocks = [module for module in unet(sd_model).modules() if hasattr(module, "_forward")]
    before = [vars(block).get("forward") for block in blocks]
    try:
        for block in blocks:
            block.forward = functools.partial(_checkpointed, block) if on else functools.partial(_plain, block)
        yield
    finally:
        for block, forward in zip(blocks, before, strict=True):
            if forward is None:
                vars(block).pop("forward", None)
            else:
                block.forward = forward


def _plain(block: Any, *inputs: Any, **named: Any) -> Any:
    return block._forward(*inputs, **named)


def _checkpointed(block: Any, *inputs: Any, **named: Any) -> Any:
    if not torch.is_grad_enabled():
        return block._forward(*inputs, **named)
    compute = functools.partial(_computed_as_predicted, block)
    return checkpoint(compute, *inputs, use_reentrant=False, preserve_rng_state=False, **named)


def _computed_as_predicted(block: Any, *inputs: Any, **named: Any) -> Any:
    """In the host's precision also on the way back, where ``predict`` is over and the host does not cast any more."""
    with _precision():
        return block._forward(*inputs, **named)


def _precision() -> AbstractContextManager[Any]:
    """What the host's sampler computes in. May be nested."""
    from modules import devices

    found: AbstractContextManager[Any] = devices.without_autocast() if devices.unet_needs_upcast else devices.autocast()
    return found


@contextmanager
def on_the_device(sd_model: Any) -> Iterator[None]:
    """With --medvram, keep the text encoder and the UNet on the device together.

    The WebUI moves one away when the other is used. On the way back the gradient goes through both, and weights that
    were moved meanwhile are on the wrong device for it.
    """
    from modules import lowvram

    if not getattr(sd_model, "lowvram", False):
        yield
        return
    parts = [sd_model.model, sd_model.cond_stage_model.wrapped.transformer]
    hooks = [part._forward_pre_hooks for part in parts]
    lowvram.send_everything_to_cpu()
    try:
        for part in parts:
            part._forward_pre_hooks = type(part._forward_pre_hooks)()
            part.to(device())
        yield
    finally:
        lowvram.send_everything_to_cpu()
        for part, of_part in zip(parts, hooks, strict=True):
            part._forward_pre_hooks = of_part
            part.to("cpu")
