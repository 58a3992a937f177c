"""Pictures to latents with the VAE of the run, whichever one the WebUI has loaded.

The checkpoint's own VAE is put in for the encoding only, by its weights. The WebUI's own way of changing it would
build the text encoder's wrapper anew and tell every extension that a model was loaded
(AUTOMATIC1111/stable-diffusion-webui v1.9.4, modules/sd_vae.py).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from train_gamma.backbone import LatentDistribution
from train_gamma.errors import UserError
from train_gamma.hosts.webui_model import device, file_hash, model_hash, model_name

_PREFIX = "first_stage_model."
LOADED = "loaded"
"""The choice of whichever VAE the WebUI has loaded."""


class RunVae:
    """The VAE of a run: the checkpoint's own (""), the loaded one ("loaded"), or a file's."""

    def __init__(self, choice: str) -> None:
        """Look at what is loaded now; nothing is changed.

        Args:
            choice: "", "loaded", or the path of a file.

        Raises:
            UserError: if the file does not exist.
        """
        self._file = _file_of(choice)
        self._replaced: tuple[Any, dict[str, Tensor]] | None = None

    def identity(self, sd_model: Any) -> tuple[str, str]:
        """Its name, "" for the checkpoint's own, and its full sha256."""
        if self._file is None:
            return "", model_hash(sd_model)
        return self._file.stem, file_hash(self._file)

    @torch.no_grad()
    def encode(self, sd_model: Any, pixels: Tensor) -> LatentDistribution:
        """Encode ``pixels`` (B, 3, H, W) in [-1, 1]; mean and standard deviation come scaled and in float32.

        Raises:
            UserError: if the latents are not finite even in float32.
        """
        from modules import devices

        self._put_in(sd_model)
        vae = sd_model.first_stage_model
        posterior = _posterior(sd_model, pixels, devices.dtype_vae)
        if not _is_finite(posterior) and devices.dtype_vae != torch.float32:
            try:
                posterior = _posterior(sd_model, pixels, torch.float32)
            finally:
                vae.to(devices.dtype_vae)
        if not _is_finite(posterior):
            raise UserError(
                "The VAE makes latents that are not finite, even in fp32: its weights or a picture are damaged. "
                "Choose another VAE."
            )
        scale = float(sd_model.scale_factor)
        return LatentDistribution(posterior.mean.float() * scale, posterior.std.float() * scale)

    def put_back(self) -> None:
        """Give the WebUI its own VAE's weights back. May be called again."""
        if self._replaced is not None:
            vae, weights = self._replaced
            vae.load_state_dict(weights)
            self._replaced = None

    def _put_in(self, sd_model: Any) -> None:
        if self._replaced is not None or self._file == loaded_vae():
            return
        vae = sd_model.first_stage_model
        weights = _own_weights(sd_model) if self._file is None else _file_weights(self._file)
        self._replaced = vae, {name: value.detach().to("cpu", copy=True) for name, value in vae.state_dict().items()}
        try:
            vae.load_state_dict(weights)
        except RuntimeError as error:  # torch's for keys or shapes that differ; some weights are copied by then
            self.put_back()
            raise UserError(
                f"The VAE '{self._file or model_name(sd_model)}' does not fit this model ({_reason(error)}). "
                "Choose a VAE made for SD 1.x."
            ) from error


def loaded_vae() -> Path | None:
    """The VAE file that the WebUI has loaded in place of the checkpoint's own, if any."""
    from modules import sd_vae

    return Path(sd_vae.loaded_vae_file).resolve() if sd_vae.loaded_vae_file else None


def _file_of(choice: str) -> Path | None:
    if choice == "":
        return None
    if choice == LOADED:
        return loaded_vae()
    path = Path(choice).expanduser().resolve()
    if not path.is_file():
        raise UserError(
            f"The VAE file '{path}' does not exist. Check the path, or leave VAE empty for the checkpoint's."
        )
    return path


def _own_weights(sd_model: Any) -> Mapping[str, Tensor]:
    """The checkpoint's own VAE: as the WebUI has put it aside, or from the file."""
    from modules import sd_models, sd_vae

    put_aside: Mapping[str, Tensor] | None = sd_vae.get_base_vae(sd_model)
    if put_aside is not None:
        return put_aside
    wanted = sd_model.first_stage_model.state_dict().keys()
    weights = sd_models.read_state_dict(sd_model.sd_checkpoint_info.filename, map_location="cpu")
    return {name: weights[_PREFIX + name] for name in wanted if _PREFIX + name in weights}


def _file_weights(path: Path) -> Mapping[str, Tensor]:
    from modules import sd_vae, shared

    try:
        weights: Mapping[str, Tensor] = sd_vae.load_vae_dict(str(path), map_location=shared.weight_load_location)
    except Exception as error:  # the host's reader raises whatever its libraries do
        raise UserError(f"The VAE file '{path}' cannot be read ({_reason(error)}). Download it again.") from error
    return weights


def _posterior(sd_model: Any, pixels: Tensor, dtype: torch.dtype) -> Any:
    from modules import devices

    sd_model.first_stage_model.to(dtype)
    with devices.without_autocast() if dtype == torch.float32 else devices.autocast():
        return sd_model.encode_first_stage(pixels.to(device(), dtype))


def _is_finite(posterior: Any) -> bool:
    return bool(posterior.mean.isfinite().all()) and bool(posterior.std.isfinite().all())


def _reason(error: Exception) -> str:
    """One line of an error's text: the second where torch writes a heading above it."""
    lines = [line.strip() for line in str(error).splitlines()]
    return lines[min(1, len(lines) - 1)].rstrip(".") if lines else type(error).__name__
