"""Pictures to latents and back."""

from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from train_gamma.backbone import LatentDistribution
from train_gamma.errors import UserError


@dataclass(frozen=True, slots=True)
class Vae:
    """An ``AutoencoderKL`` that falls back on float32 where its own precision overflows.

    model: the ``AutoencoderKL``.
    """

    model: Any

    @property
    def downscale(self) -> int:
        """Pixels of a latent, along each side."""
        return int(2 ** (len(self.model.config.block_out_channels) - 1))

    @torch.no_grad()
    def encode(self, pixels: Tensor) -> LatentDistribution:
        """Encode ``pixels`` (B, 3, H, W) in [-1, 1]; mean and standard deviation come scaled and in float32.

        Raises:
            UserError: if the latents are not finite even in float32.
        """
        moments = self._finite(self._moments, pixels)
        if moments is None:
            raise UserError(
                "The VAE makes latents that are not finite, even in fp32: its weights or a picture are damaged. "
                "Choose another VAE."
            )
        mean, std = moments.chunk(2, dim=1)
        return LatentDistribution(mean, std)

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Image.Image:
        """Decode ``latents`` (1, C, h, w), scaled as they come out of the UNet.

        Raises:
            UserError: if the picture is not finite even in float32.
        """
        pixels = self._finite(self._pixels, latents)
        if pixels is None:
            raise UserError("The preview is not finite: the model or an embedding is damaged. Try precision fp32.")
        bytes_ = pixels[0].add(1).mul(127.5).round().clamp(0, 255).to("cpu", torch.uint8)
        return Image.fromarray(bytes_.permute(1, 2, 0).contiguous().numpy())

    def _moments(self, pixels: Tensor) -> Tensor:
        """(B, 2 C, h, w): mean and standard deviation, one after the other."""
        posterior = self.model.encode(pixels.to(self.model.device, self.model.dtype)).latent_dist
        scale: float = self.model.config.scaling_factor
        return torch.cat([posterior.mean, posterior.std], dim=1).float() * scale

    def _pixels(self, latents: Tensor) -> Tensor:
        unscaled = latents.to(self.model.device, self.model.dtype) / self.model.config.scaling_factor
        pixels: Tensor = self.model.decode(unscaled, return_dict=False)[0]
        return pixels.float()

    def _finite(self, run: Any, inputs: Tensor) -> Tensor | None:
        """Run the VAE, once more in float32 if need be; None if that does not help either."""
        output: Tensor = run(inputs)
        if bool(output.isfinite().all()):
            return output
        dtype = self.model.dtype
        if dtype == torch.float32:
            return None
        try:
            _cast(self.model, torch.float32)
            output = run(inputs)
        finally:
            _cast(self.model, dtype)
        return output if bool(output.isfinite().all()) else None


def _cast(model: nn.Module, dtype: torch.dtype) -> None:
    """Change the precision, past diffusers' own ``to``, which warns about it."""
    nn.Module.to(model, dtype)
