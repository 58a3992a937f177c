"""The cost of a training step on the real shape of SD 1.5, counted without computing it."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from tests.tiny import IDENTITY, SCHEDULER, tiny_tokenizer
from train_gamma.hosts.diffusers_backbone import DiffusersBackbone
from train_gamma.hosts.sd1_config import SD1

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def parts() -> tuple[Any, Any, Any]:
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    with torch.device("meta"):
        return (
            UNet2DConditionModel(**SD1.unet),
            AutoencoderKL(**SD1.vae),
            CLIPTextModel(CLIPTextConfig(**SD1.text_encoder)),
        )


def noisy() -> tuple[Tensor, Tensor]:
    return torch.empty(1, 4, 64, 64, device="meta"), torch.empty(1, dtype=torch.int64, device="meta")


def cost_of_the_unet(unet: Any, trains_weights: bool) -> int:
    """Forward and backward of the UNet alone, down to the context."""
    unet.requires_grad_(trains_weights)
    x_t, t = noisy()
    context = torch.empty(1, 77, 768, device="meta", requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        unet(x_t, t, encoder_hidden_states=context).sample.square().mean().backward()
    unet.zero_grad()
    unet.requires_grad_(True)
    return int(counter.get_total_flops())


def cost_of_a_step(parts: tuple[Any, Any, Any]) -> int:
    """The whole training step as the loop makes it."""
    unet, vae, encoder = parts
    backbone = DiffusersBackbone(unet, vae, {"clip_l": encoder}, tiny_tokenizer(), SCHEDULER, IDENTITY)
    vectors = torch.empty(2, 768, device="meta", requires_grad=True)
    x_t, t = noisy()
    with backbone.lend(), FlopCounterMode(display=False) as counter:
        conditioning = backbone.encode_prompts(["a photo of zib, red hair"], {"zib": {"clip_l": vectors}})
        backbone.predict(x_t, t, conditioning).square().mean().backward()
    assert vectors.grad is not None
    return int(counter.get_total_flops())


def test_a_step_costs_hardly_more_than_the_way_through_the_frozen_unet(parts: tuple[Any, Any, Any]) -> None:
    frozen = cost_of_the_unet(parts[0], trains_weights=False)
    step = cost_of_a_step(parts)
    assert frozen < step <= 1.05 * frozen


def test_the_bound_would_catch_gradients_of_the_weights(parts: tuple[Any, Any, Any]) -> None:
    frozen = cost_of_the_unet(parts[0], trains_weights=False)
    assert cost_of_the_unet(parts[0], trains_weights=True) > 1.3 * frozen
