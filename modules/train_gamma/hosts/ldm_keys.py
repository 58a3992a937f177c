"""Where a weight of diffusers and transformers stands in the single-file layout of Stable Diffusion 1.

The layout is that of CompVis/stable-diffusion (21f890f): ldm/modules/diffusionmodules/{openaimodel,model}.py.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

UNET_PREFIX = "model.diffusion_model."
VAE_PREFIX = "first_stage_model."
TEXT_PREFIXES = ("cond_stage_model.transformer.text_model.", "cond_stage_model.transformer.")

_UNET_ENDS: Mapping[str, str] = MappingProxyType(
    {
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "conv_in": "input_blocks.0.0",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
        "mid_block.resnets.0": "middle_block.0",
        "mid_block.attentions.0": "middle_block.1",
        "mid_block.resnets.1": "middle_block.2",
    }
)

_UNET_RESNET: Mapping[str, str] = MappingProxyType(
    {
        "norm1": "in_layers.0",
        "conv1": "in_layers.2",
        "time_emb_proj": "emb_layers.1",
        "norm2": "out_layers.0",
        "conv2": "out_layers.3",
        "conv_shortcut": "skip_connection",
    }
)

_VAE_PARTS: Mapping[str, str] = MappingProxyType(
    {
        "mid_block.resnets.0": "mid.block_1",
        "mid_block.resnets.1": "mid.block_2",
        "mid_block.attentions.0": "mid.attn_1",
        "group_norm": "norm",
        "to_q": "q",
        "to_k": "k",
        "to_v": "v",
        "to_out.0": "proj_out",
        "conv_shortcut": "nin_shortcut",
        "downsamplers.0": "downsample",
        "upsamplers.0": "upsample",
        "resnets": "block",
        "conv_norm_out": "norm_out",
    }
)


def unet_key(name: str, layers_per_block: int, up_block_types: tuple[str, ...]) -> str:
    """The key of a weight of ``UNet2DConditionModel``, without the prefix."""
    block = re.match(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)", name)
    if block is None:
        for ours, theirs in _UNET_ENDS.items():
            if name.startswith(f"{ours}."):
                return f"{theirs}.{_resnet_end(name[len(ours) + 1 :])}"
        return name
    side, level, kind, index, rest = block[1], int(block[2]), block[3], int(block[4]), block[5]
    if kind in ("downsamplers", "upsamplers"):
        index = layers_per_block
    if side == "down":
        # block 0 is conv_in; then each level has its layers and its downsampler
        number = 1 + level * (layers_per_block + 1) + index
        place, end = {
            "resnets": ("0", _resnet_end(rest)),
            "attentions": ("1", rest),
            "downsamplers": ("0", rest.replace("conv", "op")),
        }[kind]
        return f"input_blocks.{number}.{place}.{end}"
    # each level has one layer more than on the way down; its upsampler stands behind the last layer, in the same block
    number = level * (layers_per_block + 1) + index
    last_place = "2" if "CrossAttn" in up_block_types[level] else "1"
    place, end = {
        "resnets": ("0", _resnet_end(rest)),
        "attentions": ("1", rest),
        "upsamplers": (last_place, rest),
    }[kind]
    return f"output_blocks.{number}.{place}.{end}"


def vae_key(name: str, levels: int) -> str:
    """The key of a weight of ``AutoencoderKL``, without the prefix."""
    name = re.sub(r"down_blocks\.(\d+)", r"down.\1", name)
    # ldm counts the levels of the decoder from the finest
    name = re.sub(r"up_blocks\.(\d+)", lambda match: f"up.{levels - 1 - int(match[1])}", name)
    for ours, theirs in _VAE_PARTS.items():
        name = re.sub(rf"(?<![^.]){re.escape(ours)}(?![^.])", theirs, name)
    return name


def old_diffusers_vae_key(name: str) -> str:
    """The key of a weight of ``AutoencoderKL`` in files from before diffusers 0.13."""
    for ours, theirs in {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}.items():
        name = name.replace(f".{ours}.", f".{theirs}.")
    return name


def text_keys(name: str) -> tuple[str, ...]:
    """The keys that a weight of ``CLIPTextModel`` may have, with prefix."""
    bare = name.removeprefix("text_model.")
    return tuple(prefix + bare for prefix in TEXT_PREFIXES)


def _resnet_end(rest: str) -> str:
    first, _, last = rest.partition(".")
    return f"{_UNET_RESNET[first]}.{last}" if first in _UNET_RESNET else rest
