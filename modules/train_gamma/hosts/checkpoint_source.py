"""A checkpoint on disk, file or folder, seen as shapes and named weights."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from train_gamma.errors import UserError
from train_gamma.hosts.build_model import FindWeight, by_names
from train_gamma.hosts.checkpoint_kinds import check_checkpoint, check_folder, schedule_marks
from train_gamma.hosts.ldm_keys import UNET_PREFIX, VAE_PREFIX, old_diffusers_vae_key, text_keys, unet_key, vae_key
from train_gamma.hosts.sd1_config import SD1, ModelShape, read_shape
from train_gamma.hosts.weight_files import read_weights

SHIPPED_TOKENIZER = Path(__file__).parents[1] / "demo" / "miniature" / "tokenizer"
"""CLIP's vocabulary: that of every Stable Diffusion 1 model."""


@dataclass(frozen=True, slots=True)
class Source:
    """All that a backbone is made of, before it is made.

    path: what the user chose. files: the weight files in name order. shape: of all parts. The three functions find a
    weight by the name it has in the library's model.
    """

    path: Path
    files: tuple[Path, ...]
    shape: ModelShape
    unet: FindWeight
    vae: FindWeight
    text_encoder: FindWeight
    tokenizer: Path = SHIPPED_TOKENIZER


def open_source(path: Path) -> Source:
    """Read a single file or a diffusers folder.

    Raises:
        UserError: if it is not a whole Stable Diffusion 1 model.
    """
    return _open_folder(path) if path.is_dir() else _open_file(path)


def open_vae(path: Path, levels: int) -> tuple[FindWeight, tuple[Path, ...]]:
    """Read a VAE of its own: a file in either layout, a checkpoint that has one in it, or a diffusers folder.

    Args:
        path: file or folder.
        levels: resolutions of the VAE.

    Returns:
        Where to find its weights, and its files.

    Raises:
        UserError: if there is no VAE there.
    """
    if path.is_dir():
        folder = path / "vae" if (path / "vae").is_dir() else path
        files = _weight_files(folder, "diffusion_pytorch_model")
    else:
        files = (path,)
    weights = _read_all(files)
    find = _find_vae(weights, levels)
    if find("encoder.conv_in.weight") is None:
        raise UserError(f"'{path}' is not a VAE: it has no encoder. Choose another, or leave VAE empty.")
    return find, files


def _open_file(path: Path) -> Source:
    weights = read_weights(path)
    check_checkpoint(path, weights)
    shape = read_shape(path)
    shape = replace(shape, scheduler={**shape.scheduler, **schedule_marks(weights)})
    unet = shape.unet

    def unet_keys(name: str) -> tuple[str, ...]:
        return (UNET_PREFIX + unet_key(name, unet["layers_per_block"], unet["up_block_types"]),)

    return Source(
        path=path,
        files=(path,),
        shape=shape,
        unet=by_names(weights, unet_keys),
        vae=_find_vae(weights, len(shape.vae["block_out_channels"])),
        text_encoder=by_names(weights, text_keys),
    )


def _open_folder(path: Path) -> Source:
    unet = _read_config(path, "unet")
    check_folder(path, unet)
    shape = ModelShape(
        unet=unet,
        vae=_read_config(path, "vae"),
        text_encoder=_read_config(path, "text_encoder"),
        scheduler=_read_config(path, "scheduler"),
    )
    files = {
        "unet": _weight_files(path / "unet", "diffusion_pytorch_model"),
        "vae": _weight_files(path / "vae", "diffusion_pytorch_model"),
        "text_encoder": _weight_files(path / "text_encoder", "model", "pytorch_model"),
    }
    text = _read_all(files["text_encoder"])
    return Source(
        path=path,
        files=tuple(sorted(file for of_part in files.values() for file in of_part)),
        shape=shape,
        unet=by_names(_read_all(files["unet"]), lambda name: (name,)),
        vae=_find_vae(_read_all(files["vae"]), len(SD1.vae["block_out_channels"])),
        text_encoder=by_names(text, lambda name: (name, f"text_model.{name}", name.removeprefix("text_model."))),
        tokenizer=path / "tokenizer" if (path / "tokenizer").is_dir() else SHIPPED_TOKENIZER,
    )


def _find_vae(weights: Mapping[str, Tensor], levels: int) -> FindWeight:
    def keys(name: str) -> tuple[str, ...]:
        single = vae_key(name, levels)
        return (VAE_PREFIX + single, name, old_diffusers_vae_key(name), single)

    return by_names(weights, keys)


def _weight_files(folder: Path, *stems: str) -> tuple[Path, ...]:
    """The weights of one part: whole, in shards, or in half precision; safetensors before pickles."""
    for ending in (".safetensors", ".bin"):
        for stem in stems:
            for pattern in (f"{stem}{ending}", f"{stem}-*-of-*{ending}", f"{stem}.fp16{ending}"):
                found = sorted(folder.glob(pattern))
                if found:
                    return tuple(found)
    raise UserError(
        f"The folder '{folder}' has no weights (looked for {stems[0]}.safetensors and .bin). Download it again."
    )


def _read_all(files: tuple[Path, ...]) -> dict[str, Tensor]:
    return {key: tensor for file in files for key, tensor in read_weights(file).items()}


def _read_config(folder: Path, part: str) -> dict[str, Any]:
    path = folder / part / ("scheduler_config.json" if part == "scheduler" else "config.json")
    if not path.is_file():
        raise UserError(
            f"'{folder}' is not a diffusers folder: '{path.relative_to(folder)}' is missing. "
            "Choose a .safetensors file, or the folder that has model_index.json in it."
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"'{path}' cannot be read as JSON: {error}. Download it again.") from error
    if not isinstance(content, dict):
        raise UserError(f"'{path}' is not a configuration. Download it again.")
    return content
