"""The tiny model written to disk in every layout that is read."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.tiny import SCHEDULER, TEXT, TOKENIZER, UNET, tiny_parts
from train_gamma.hosts.ldm_keys import TEXT_PREFIXES, UNET_PREFIX, VAE_PREFIX, unet_key, vae_key

YAML = """
model:
  target: ldm.models.diffusion.ddpm.LatentDiffusion
  params:
    linear_start: 0.00085
    linear_end: 0.0120
    timesteps: 1000
    scale_factor: 0.18215
    unet_config:
      params:
        in_channels: 4
        out_channels: 4
        model_channels: 32
        attention_resolutions: [ 1 ]
        num_res_blocks: 1
        channel_mult: [ 1, 2 ]
        num_heads: 4
        use_spatial_transformer: True
        transformer_depth: 1
        context_dim: 32
    first_stage_config:
      params:
        embed_dim: 4
        ddconfig: { double_z: True, z_channels: 4, in_channels: 3, out_ch: 3, ch: 32, ch_mult: [ 1, 1, 1, 1 ],
                    num_res_blocks: 1, attn_resolutions: [ ], dropout: 0.0, resolution: 64 }
    cond_stage_config:
      target: ldm.modules.encoders.modules.FrozenCLIPEmbedder
      params:
        version: words
"""


def single_file(parts: tuple[Any, Any, Any]) -> dict[str, Tensor]:
    """The weights by the keys of Stable Diffusion 1's own code; ``test_ldm_keys`` checks the keys."""
    unet, vae, encoder = parts
    weights = {UNET_PREFIX + unet_key(n, UNET["layers_per_block"], UNET["up_block_types"]): w for n, w in state(unet)}
    weights.update({VAE_PREFIX + ldm_vae_key(n): as_convolution(n, w) for n, w in state(vae)})
    weights.update({TEXT_PREFIXES[0] + n.removeprefix("text_model."): w for n, w in state(encoder)})
    return {key: weight.contiguous() for key, weight in weights.items()}


def state(model: Any) -> list[tuple[str, Tensor]]:
    return [(name, parameter.detach()) for name, parameter in model.named_parameters()]


def ldm_vae_key(name: str) -> str:
    return vae_key(name, 4)


def as_convolution(name: str, weight: Tensor) -> Tensor:
    return weight[:, :, None, None] if "attentions" in name and weight.ndim == 2 else weight


def write_single_file(folder: Path, ending: str = ".safetensors", **changes: Tensor | None) -> Path:
    """Write a checkpoint with its .yaml; ``changes`` replace tensors or, where None, leave them out."""
    path = folder / f"tiny{ending}"
    weights = {key: weight for key, weight in {**single_file(tiny_parts()), **changes}.items() if weight is not None}
    if ending == ".safetensors":
        save_file(weights, path)
    else:
        torch.save({"state_dict": weights, "global_step": 7}, path)
    write_yaml(folder)
    return path


def write_yaml(folder: Path, text: str = YAML, encoder: Mapping[str, Any] = TEXT) -> None:
    (folder / "tiny.yaml").write_text(text, encoding="utf-8")
    (folder / "words").mkdir(exist_ok=True)
    (folder / "words" / "config.json").write_text(json.dumps(dict(encoder)), encoding="utf-8")


def write_folder(folder: Path) -> Path:
    """Write a diffusers folder by the libraries' own means."""
    unet, vae, encoder = tiny_parts()
    for part, name in ((unet, "unet"), (vae, "vae"), (encoder, "text_encoder")):
        part.save_pretrained(folder / name)
    (folder / "scheduler").mkdir()
    scheduler = {**SCHEDULER, "_class_name": "PNDMScheduler", "skip_prk_steps": True, "steps_offset": 1}
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(scheduler), encoding="utf-8")
    (folder / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}', encoding="utf-8")
    shutil.copytree(TOKENIZER, folder / "tokenizer")
    return folder
