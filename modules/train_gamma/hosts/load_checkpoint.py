"""Load a checkpoint by its path, without asking any server for anything."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from train_gamma.backbone import Backbone, ModelIdentity
from train_gamma.errors import UserError
from train_gamma.hosts.build_model import build
from train_gamma.hosts.checkpoint_source import Source, open_source, open_vae
from train_gamma.hosts.weight_files import sha256_of
from train_gamma.training.config import ModelConfig

if TYPE_CHECKING:
    from train_gamma.hosts.diffusers_backbone import DiffusersBackbone

MINIATURE = Path(__file__).parents[1] / "demo" / "miniature" / "miniature.safetensors"
"""The checkpoint that ships with the project."""

_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def load_backbone(config: ModelConfig) -> Backbone:
    """Load the model that a run is made with.

    Precision "auto" is fp32 on the CPU and fp16 on CUDA and MPS: fp16 is what pictures are usually made with, and
    its ten bits of mantissa keep more of a small gradient, once that is scaled, than the seven of bf16. The VAE is in
    fp16 with fp16 and in fp32 otherwise.

    Raises:
        UserError: if the libraries, the device or the files are not what they should be.
    """
    backbone_class = _import_backbone()
    device = choose_device(config.device)
    dtype = choose_dtype(config.precision, device)
    source = open_source(_model_path(config.path))
    source, vae_files = _with_other_vae(source, config.vae)
    parts = _build_parts(source, dtype, device)
    identity = _identity(source, vae_files, config)
    return backbone_class(**parts, scheduler_config=source.shape.scheduler, identity=identity)


def choose_device(choice: str) -> torch.device:
    """Turn "auto", "cpu", "cuda" or "mps" into a device that is there.

    Raises:
        UserError: if the one asked for is not.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if choice == "auto":
        choice = next(name for name, there in available.items() if there)
    if not available[choice]:
        raise UserError(f"Device '{choice}' is not available on this machine. Set Device to auto or cpu.")
    # with its index, so that it equals the device of the tensors on it
    return torch.device(choice, torch.cuda.current_device()) if choice == "cuda" else torch.device(choice)


def choose_dtype(precision: str, device: torch.device) -> torch.dtype:
    """Turn "auto", "fp32", "fp16" or "bf16" into a dtype."""
    if precision == "auto":
        return torch.float32 if device.type == "cpu" else torch.float16
    return _DTYPES[precision]


def _import_backbone() -> "type[DiffusersBackbone]":
    try:
        from train_gamma.hosts.diffusers_backbone import DiffusersBackbone
    except ImportError as error:
        raise UserError(_MISSING.format(error)) from error
    return DiffusersBackbone


_MISSING = "Loading a model needs diffusers and transformers ({}). Run: pip install 'sd-webui-train-gamma[standalone]'"


def _model_path(path: str) -> Path:
    if path not in ("", "miniature"):
        return Path(path).expanduser()
    if not MINIATURE.is_file():
        raise UserError(f"The built-in model is missing ('{MINIATURE}'). Install Train Gamma again, or set Checkpoint.")
    return MINIATURE


def _with_other_vae(source: Source, vae: str) -> tuple[Source, tuple[Path, ...]]:
    if not vae:
        return source, ()
    find, files = open_vae(Path(vae).expanduser(), len(source.shape.vae["block_out_channels"]))
    return replace(source, vae=find), files


def _build_parts(source: Source, dtype: torch.dtype, device: torch.device) -> dict[str, Any]:
    try:
        from diffusers import AutoencoderKL, UNet2DConditionModel
        from transformers import CLIPTextConfig, CLIPTextModel

        from train_gamma.hosts.clip_tokenizer import load_tokenizer
    except ImportError as error:
        raise UserError(_MISSING.format(error)) from error
    shape, name = source.shape, f"'{source.path}'"
    vae_dtype = torch.float16 if dtype == torch.float16 else torch.float32
    unet: Any = UNet2DConditionModel
    vae: Any = AutoencoderKL
    return {
        "unet": build(lambda: unet.from_config(shape.unet), source.unet, f"The UNet of {name}", dtype, device),
        "vae": build(lambda: vae.from_config(shape.vae), source.vae, f"The VAE of {name}", vae_dtype, device),
        "text_encoders": {
            "clip_l": build(
                lambda: CLIPTextModel(CLIPTextConfig.from_dict(dict(shape.text_encoder))),
                source.text_encoder,
                f"The text encoder of {name}",
                dtype,
                device,
            )
        },
        "tokenizer": load_tokenizer(source.tokenizer),
    }


def _identity(source: Source, vae_files: tuple[Path, ...], config: ModelConfig) -> ModelIdentity:
    model_hash = sha256_of(source.files)
    return ModelIdentity(
        family="sd1",
        model_name=source.path.name if source.path.is_dir() else source.path.stem,
        model_hash=model_hash,
        vae_name=Path(config.vae).stem if vae_files else "",
        vae_hash=sha256_of(vae_files) if vae_files else model_hash,
        clip_skip=config.clip_skip,
    )
