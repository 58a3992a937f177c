"""Tell what a file of weights is, and refuse all that is not a Stable Diffusion 1 text-to-image model."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from train_gamma.errors import UserError
from train_gamma.hosts.ldm_keys import UNET_PREFIX, VAE_PREFIX

_TEXT_PREFIX = "cond_stage_model.transformer."

_OTHER_FILES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("control_model.", "controlnet_"), "a ControlNet"),
    (("emb_params", "clip_l", "clip_g"), "an embedding"),
    (
        ("down_blocks.", "time_embedding."),
        "the UNet of a diffusers folder; choose the folder that has model_index.json",
    ),
    (("encoder.", VAE_PREFIX, "decoder."), "a VAE"),
    (("text_model.", _TEXT_PREFIX), "a text encoder"),
)

_OTHER_MODELS: tuple[tuple[str, str], ...] = (
    ("conditioner.embedders.", "SDXL"),
    ("cond_stage_model.model.", "SD 2.x"),
    (f"{UNET_PREFIX}joint_blocks.", "SD 3"),
    (f"{UNET_PREFIX}double_blocks.", "Flux"),
)

_TEXT_TO_IMAGE_CHANNELS = 4
_INPAINTING_CHANNELS = 9
_SD2_CONTEXT_WIDTH = 1024


def check_checkpoint(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Refuse what is not a whole SD 1.x checkpoint.

    Raises:
        UserError: with what it is instead, or what is missing.
    """
    for prefix, model in _OTHER_MODELS:
        if _has(weights, prefix):
            raise _not_supported(path, model)
    if not _has(weights, UNET_PREFIX):
        raise UserError(f"'{path}' is not a checkpoint: {_describe(weights)}. Choose a full Stable Diffusion 1 model.")
    first = weights.get(f"{UNET_PREFIX}input_blocks.0.0.weight")
    if first is not None:
        check_in_channels(path, first.shape[1])
    for prefix, part in ((_TEXT_PREFIX, "text encoder"), (VAE_PREFIX, "VAE")):
        if not _has(weights, prefix):
            raise UserError(f"'{path}' has no {part} in it. Choose a full checkpoint.")


def check_in_channels(path: Path, channels: int) -> None:
    """Refuse UNets that see more than the noisy picture.

    Raises:
        UserError: if ``channels`` is not 4.
    """
    if channels == _INPAINTING_CHANNELS:
        raise UserError(
            f"'{path}' is an inpainting model: its UNet also takes a mask and a masked picture (9 channels), which "
            "training does not have. Train on the plain model; the embedding works in the inpainting model too."
        )
    if channels != _TEXT_TO_IMAGE_CHANNELS:
        raise UserError(f"The UNet of '{path}' takes {channels} channels; a text-to-image model takes 4.")


def check_folder(path: Path, unet: Mapping[str, Any]) -> None:
    """Refuse a diffusers folder that is not SD 1.x.

    Args:
        path: the folder.
        unet: its unet/config.json.

    Raises:
        UserError: with what it is instead.
    """
    if (path / "text_encoder_2").exists() or unet.get("addition_embed_type"):
        raise _not_supported(path, "SDXL")
    if unet.get("_class_name", "UNet2DConditionModel") != "UNet2DConditionModel":
        raise _not_supported(path, f"A model with a {unet['_class_name']}")
    if unet.get("cross_attention_dim") == _SD2_CONTEXT_WIDTH:
        raise _not_supported(path, "SD 2.x")
    check_in_channels(path, unet.get("in_channels", 4))


def schedule_marks(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """What a checkpoint says of its noise schedule by empty tensors of certain names, in diffusers' words."""
    marks: dict[str, Any] = {}
    if "v_pred" in weights:
        marks["prediction_type"] = "v_prediction"
    if "ztsnr" in weights:
        marks["rescale_betas_zero_snr"] = True
    return marks


def _not_supported(path: Path, model: str) -> UserError:
    return UserError(f"'{path}': {model} is not supported yet. Choose a Stable Diffusion 1 model.")


def _describe(weights: Mapping[str, Tensor]) -> str:
    if not weights:
        return "it holds no weights of a model, perhaps an embedding"
    if any(".lora_" in key or key.startswith("lora_") for key in weights):
        return "it looks like a LoRA"
    for prefixes, kind in _OTHER_FILES:
        if any(_has(weights, prefix) for prefix in prefixes):
            return f"it looks like {kind}"
    return f"it has no UNet (first of {len(weights)} keys: '{next(iter(weights))}')"


def _has(keys: Iterable[str], prefix: str) -> bool:
    return any(key.startswith(prefix) for key in keys)
