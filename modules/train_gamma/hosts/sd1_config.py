"""The shape of Stable Diffusion 1.5, and of checkpoints that say what they change of it in a .yaml beside them.

The numbers are facts of CompVis/stable-diffusion (21f890f), configs/stable-diffusion/v1-inference.yaml, put into the
words of diffusers and transformers.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from train_gamma.errors import UserError


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Arguments of ``UNet2DConditionModel``, ``AutoencoderKL``, ``CLIPTextConfig`` and of a scheduler."""

    unet: Mapping[str, Any]
    vae: Mapping[str, Any]
    text_encoder: Mapping[str, Any]
    scheduler: Mapping[str, Any]


SD1 = ModelShape(
    unet={
        "in_channels": 4,
        "out_channels": 4,
        "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        "block_out_channels": (320, 640, 1280, 1280),
        "layers_per_block": 2,
        "cross_attention_dim": 768,
        "attention_head_dim": 8,  # diffusers' name for the number of heads
    },
    vae={
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "block_out_channels": (128, 256, 512, 512),
        "layers_per_block": 2,
        "latent_channels": 4,
        "scaling_factor": 0.18215,
    },
    text_encoder={
        "vocab_size": 49408,
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "max_position_embeddings": 77,
        "projection_dim": 768,
        "hidden_act": "quick_gelu",
        "bos_token_id": 49406,
        "eos_token_id": 49407,
        "pad_token_id": 49407,
    },
    scheduler={
        "num_train_timesteps": 1000,
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "prediction_type": "epsilon",
    },
)


def read_shape(checkpoint: Path) -> ModelShape:
    """The shape of a single-file checkpoint: SD 1.5, changed by the .yaml of the same name where there is one.

    Raises:
        UserError: if the .yaml is not one of a Stable Diffusion 1 model.
    """
    path = checkpoint.with_suffix(".yaml")
    if not path.is_file():
        return SD1
    try:
        return _from_yaml(_parse(path)["model"]["params"], path)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        found = f"{type(error).__name__}: {error}"
        raise UserError(f"'{path}' does not describe a Stable Diffusion 1 model ({found}). {_REMEDY}") from error


_REMEDY = "Put the model's own .yaml there, or remove it if the model has the shape of SD 1.5."


def _parse(path: Path) -> Any:
    import yaml  # type: ignore[import-untyped, unused-ignore]

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"'{path}' cannot be read as YAML ({error}). {_REMEDY}") from error


def _from_yaml(params: Mapping[str, Any], path: Path) -> ModelShape:
    return ModelShape(
        unet=_unet(params["unet_config"]["params"]),
        vae=_vae(params),
        text_encoder=_text_encoder(params.get("cond_stage_config") or {}, path),
        scheduler=_scheduler(params),
    )


def _unet(params: Mapping[str, Any]) -> dict[str, Any]:
    channels = tuple(int(params["model_channels"] * factor) for factor in params["channel_mult"])
    # ldm names the factors of downscaling at which a level attends: 1, 2, 4, 8
    attends = [2**level in params["attention_resolutions"] for level in range(len(channels))]
    per_head = params.get("num_head_channels", -1)
    heads = params["num_heads"] if per_head in (-1, None) else tuple(c // per_head for c in channels)
    return {
        "in_channels": params["in_channels"],
        "out_channels": params["out_channels"],
        "down_block_types": tuple("CrossAttnDownBlock2D" if attend else "DownBlock2D" for attend in attends),
        "up_block_types": tuple("CrossAttnUpBlock2D" if attend else "UpBlock2D" for attend in reversed(attends)),
        "block_out_channels": channels,
        "layers_per_block": params["num_res_blocks"],
        "transformer_layers_per_block": params.get("transformer_depth", 1),
        "cross_attention_dim": params["context_dim"],
        "attention_head_dim": heads,
        "use_linear_projection": params.get("use_linear_in_transformer", False),
    }


def _vae(params: Mapping[str, Any]) -> dict[str, Any]:
    shape = params["first_stage_config"]["params"]["ddconfig"]
    levels = len(shape["ch_mult"])
    return {
        "down_block_types": ("DownEncoderBlock2D",) * levels,
        "up_block_types": ("UpDecoderBlock2D",) * levels,
        "block_out_channels": tuple(shape["ch"] * factor for factor in shape["ch_mult"]),
        "layers_per_block": shape["num_res_blocks"],
        "latent_channels": shape["z_channels"],
        "scaling_factor": params.get("scale_factor", SD1.vae["scaling_factor"]),
    }


def _text_encoder(stage: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """CLIP-L, or what a ``config.json`` beside the checkpoint says: ldm's .yaml knows only the name of a folder."""
    named = str((stage.get("params") or {}).get("version") or ".")
    for folder in (path.parent / named, path.parent / "diffusers" / "text_encoder", path.parent / "text_encoder"):
        if (folder / "config.json").is_file():
            found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            return dict(found.get("text_config", found))
    return dict(SD1.text_encoder)


def _scheduler(params: Mapping[str, Any]) -> dict[str, Any]:
    kind = params.get("parameterization", "eps")
    return {
        "num_train_timesteps": int(params.get("timesteps", 1000)),
        "beta_start": float(params["linear_start"]),
        "beta_end": float(params["linear_end"]),
        "beta_schedule": "scaled_linear",  # what ldm calls "linear", its default, is linear in the square root
        "prediction_type": {"eps": "epsilon", "v": "v_prediction"}.get(kind, kind),
    }
