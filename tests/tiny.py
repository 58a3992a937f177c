"""A tiny Stable Diffusion 1 with seeded random weights, behind the real backbone: made in well under a second."""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from train_gamma.backbone import ModelIdentity
from train_gamma.hosts.clip_tokenizer import ClipTokenizer, load_tokenizer
from train_gamma.hosts.diffusers_backbone import DiffusersBackbone

TOKENIZER = Path(__file__).parents[1] / "modules" / "train_gamma" / "demo" / "miniature" / "tokenizer"

UNET: Mapping[str, Any] = {
    "sample_size": 8,
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "block_out_channels": (32, 64),
    "layers_per_block": 1,
    "cross_attention_dim": 32,
    "attention_head_dim": 4,
}

VAE: Mapping[str, Any] = {
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "block_out_channels": (32, 32, 32, 32),
    "layers_per_block": 1,
    "sample_size": 64,
}

TEXT: Mapping[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "projection_dim": 32,
    "bos_token_id": 49406,
    "eos_token_id": 49407,
    "pad_token_id": 49407,
}

SCHEDULER: Mapping[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "epsilon",
}

IDENTITY = ModelIdentity("sd1", "tiny", "0" * 64, "", "0" * 64, clip_skip=1)


@lru_cache(maxsize=1)
def tiny_tokenizer() -> ClipTokenizer:
    """CLIP's real vocabulary."""
    return load_tokenizer(TOKENIZER)


def tiny_parts(seed: int = 0, text: Mapping[str, Any] = TEXT) -> tuple[Any, Any, Any]:
    """A UNet, a VAE and a text encoder, on the CPU in float32, whose every weight does something."""
    return copy.deepcopy(_parts(seed, tuple(text.items())))


@lru_cache(maxsize=4)
def _parts(seed: int, text: tuple[tuple[str, Any], ...]) -> tuple[Any, Any, Any]:
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        parts = UNet2DConditionModel(**UNET), AutoencoderKL(**VAE), CLIPTextModel(CLIPTextConfig(**dict(text)))
        for part in parts:
            _liven(part)
    return parts


def tiny_backbone(seed: int = 0, **overrides: Any) -> DiffusersBackbone:
    """A backbone over ``tiny_parts``; ``overrides`` are arguments of ``DiffusersBackbone``."""
    unet, vae, text_encoder = tiny_parts(seed)
    arguments = {
        "unet": unet,
        "vae": vae,
        "text_encoders": {"clip_l": text_encoder},
        "tokenizer": tiny_tokenizer(),
        "scheduler_config": SCHEDULER,
        "identity": IDENTITY,
    }
    return DiffusersBackbone(**{**arguments, **overrides})


def _liven(model: nn.Module) -> None:
    """Fill what starts at zero, and make prompts and pictures matter as much as they do in a trained model."""
    for name, parameter in model.named_parameters():
        if parameter.ndim == 1:
            centre = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            nn.init.normal_(parameter, centre, 0.1)
        elif name.endswith("token_embedding.weight"):
            nn.init.normal_(parameter, 0.0, 0.2)
        elif ".attn2." in name:
            parameter.data.mul_(3.0)
        elif name == "quant_conv.weight":  # latents as wide as a trained VAE's: mean far above the deviation
            parameter.data[: len(parameter) // 2].mul_(12.0)
        if name == "quant_conv.bias":
            parameter.data[len(parameter) // 2 :].sub_(4.0)


@contextmanager
def float64_by_default() -> Iterator[None]:
    """What transformers 4 needs to run a text encoder in float64: it makes its mask in the default type."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
