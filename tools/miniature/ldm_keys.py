"""Renames the weights of diffusers' modules to the names of the single-file format of Stable Diffusion 1."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch

State = dict[str, torch.Tensor]

_UNET_PARTS = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_UNET_ENDS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_ATTENTION_PARTS = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def unet_key(key: str, layers: int) -> str:
    """Return the single-file name of a UNet weight; every level has cross-attention."""
    stem, end = key.rsplit(".", 1)
    if stem in _UNET_ENDS:
        return f"{_UNET_ENDS[stem]}.{end}"
    parts = stem.split(".")
    if parts[0] == "mid_block":
        kind, index, rest = parts[1], int(parts[2]), ".".join(parts[3:])
        return (
            f"middle_block.{2 * index}.{_UNET_PARTS[rest]}.{end}"
            if kind == "resnets"
            else f"middle_block.1.{rest}.{end}"
        )
    level, kind, index, rest = int(parts[1]), parts[2], int(parts[3]), ".".join(parts[4:])
    # A level is its layers and what changes the size; going down, the first block is the first convolution.
    block = level * (layers + 1) + index
    if kind == "downsamplers":
        return f"input_blocks.{block + layers + 1}.0.op.{end}"
    if kind == "upsamplers":
        return f"output_blocks.{block + layers}.2.conv.{end}"
    side = f"input_blocks.{block + 1}" if parts[0] == "down_blocks" else f"output_blocks.{block}"
    return f"{side}.0.{_UNET_PARTS[rest]}.{end}" if kind == "resnets" else f"{side}.1.{rest}.{end}"


def vae_key(key: str, levels: int) -> str:
    """Return the single-file name of an autoencoder weight."""
    key = key.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    key = re.sub(r"down_blocks\.(\d+)\.resnets\.", r"down.\1.block.", key)
    key = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0\.", r"down.\1.downsample.", key)
    key = re.sub(r"up_blocks\.(\d+)\.resnets\.", lambda m: f"up.{levels - 1 - int(m[1])}.block.", key)
    key = re.sub(r"up_blocks\.(\d+)\.upsamplers\.0\.", lambda m: f"up.{levels - 1 - int(m[1])}.upsample.", key)
    key = re.sub(r"mid_block\.resnets\.(\d)\.", lambda m: f"mid.block_{int(m[1]) + 1}.", key)
    found = re.fullmatch(r"(.+)\.mid_block\.attentions\.0\.(.+)\.(weight|bias)", key)
    if found:
        return f"{found[1]}.mid.attn_1.{_ATTENTION_PARTS[found[2]]}.{found[3]}"
    return key


def single_file(
    unet: Mapping[str, torch.Tensor], vae: Mapping[str, torch.Tensor], text: Mapping[str, torch.Tensor]
) -> State:
    """Put the weights of the three parts together under their single-file names."""
    layers = sum(re.fullmatch(r"down_blocks\.0\.resnets\.\d+\.conv1\.weight", key) is not None for key in unet)
    levels = len({key.split(".")[2] for key in vae if key.startswith("decoder.up_blocks.")})
    found: State = {f"model.diffusion_model.{unet_key(key, layers)}": value for key, value in unet.items()}
    for key, value in vae.items():
        name = vae_key(key, levels)
        # The single-file format has 1 x 1 convolutions in the attention.
        convolution = ".attn_1." in name and value.ndim == 2
        found[f"first_stage_model.{name}"] = value[:, :, None, None] if convolution else value
    for key, value in text.items():
        if not key.endswith("position_ids"):
            found[f"cond_stage_model.transformer.text_model.{key.removeprefix('text_model.')}"] = value
    return found
