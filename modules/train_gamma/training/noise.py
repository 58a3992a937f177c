"""The forward process and what the UNet should predict (Ho et al. 2020; Salimans and Ho 2022)."""

import math

import torch
from torch import Tensor

from train_gamma.backbone import Prediction

NUM_TIMESTEPS = 1000


def add_noise(x_0: Tensor, noise: Tensor, alpha_bar: Tensor) -> Tensor:
    """x_t = sqrt(alpha_bar) x_0 + sqrt(1 - alpha_bar) noise (Ho et al. 2020, eq. 4, arXiv:2006.11239).

    Args:
        x_0: (B, C, h, w) latents.
        noise: (B, C, h, w).
        alpha_bar: (B,) the cumulative product at each sample's timestep.
    """
    a = alpha_bar.view(-1, 1, 1, 1)
    return a.sqrt() * x_0 + (1 - a).sqrt() * noise


def target(x_0: Tensor, noise: Tensor, alpha_bar: Tensor, prediction: Prediction) -> Tensor:
    """What the UNet is asked for: the noise, or v = sqrt(alpha_bar) noise - sqrt(1 - alpha_bar) x_0.

    The velocity is Salimans and Ho 2022, appendix D (arXiv:2202.00512).
    """
    if prediction == "epsilon":
        return noise
    a = alpha_bar.view(-1, 1, 1, 1)
    return a.sqrt() * noise - (1 - a).sqrt() * x_0


def draw_timestep(sampling: str, low: int, high: int, generator: torch.Generator) -> int:
    """One timestep between ``low`` and ``high``, both included.

    Args:
        sampling: "uniform", or "high_noise" for the density of 1000 sqrt(u), which rises linearly with t.
        low: lowest timestep.
        high: highest timestep.
        generator: a generator of its own for this draw.
    """
    u = float(torch.rand((), generator=generator, dtype=torch.float64))
    if sampling == "high_noise":
        start, end = float(low) ** 2, float(high + 1) ** 2
        t = int(math.sqrt(start + u * (end - start)))
    else:
        t = low + int(u * (high + 1 - low))
    return min(max(t, low), high)
