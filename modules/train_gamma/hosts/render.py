"""Preview pictures: the reverse process with classifier-free guidance (Ho & Salimans 2022, arXiv:2207.12598)."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from train_gamma.backbone import Conditioning, RenderRequest
from train_gamma.errors import UserError

_SAMPLERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "ddim": ("DDIMScheduler", {"clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1}),
    "euler": ("EulerDiscreteScheduler", {"timestep_spacing": "linspace"}),
    "euler_a": ("EulerAncestralDiscreteScheduler", {"timestep_spacing": "linspace"}),
    "dpmpp_2m": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++", "timestep_spacing": "linspace"}),
}

SAMPLERS = tuple(_SAMPLERS)
"""Names for ``RenderRequest.sampler``."""

Predict = Callable[[Tensor, Tensor, Conditioning], Tensor]


def check_request(request: RenderRequest, multiple: int, num_timesteps: int) -> None:
    """Refuse what cannot be drawn.

    Args:
        request: the picture asked for.
        multiple: pixels of a latent.
        num_timesteps: noise levels of the model.

    Raises:
        UserError: if the sampler is unknown, or the size or the number of steps impossible.
    """
    if request.sampler not in _SAMPLERS:
        raise UserError(f"Sampler '{request.sampler}' is not known. Use one of {', '.join(SAMPLERS)}.")
    check_numbers(request, multiple, num_timesteps)


def check_numbers(request: RenderRequest, multiple: int, num_timesteps: int) -> None:
    """Refuse a size or a number of steps that is impossible, with any sampler.

    Raises:
        UserError: if it is.
    """
    if not 1 <= request.steps < num_timesteps:
        raise UserError(f"Steps of a preview must be between 1 and {num_timesteps - 1}, got {request.steps}.")
    for label, value in (("Width", request.width), ("Height", request.height)):
        if value < multiple or value % multiple:
            near = max(multiple, round(value / multiple) * multiple)
            raise UserError(f"{label} of a preview must be a multiple of {multiple}, got {value}. Try {near}.")


def sample(
    predict: Predict, request: RenderRequest, conditioning: Conditioning, scheduler: Any, latent_shape: tuple[int, ...]
) -> Tensor:
    """Run the reverse process.

    Args:
        predict: the UNet, as in ``Backbone``.
        request: steps, guidance and seed.
        conditioning: of the negative prompt and the prompt, in this order; of the prompt alone without guidance.
        scheduler: as made by ``make_scheduler``.
        latent_shape: (C, h, w).

    Returns:
        (1, C, h, w) float32 latents on the device of the conditioning.
    """
    device = conditioning.context.device
    generator = torch.Generator("cpu").manual_seed(request.seed)
    scheduler.set_timesteps(request.steps)
    # drawn on the CPU, so that a seed gives the same picture on every device
    x_t: Tensor = torch.randn((1, *latent_shape), generator=generator).to(device) * scheduler.init_noise_sigma
    copies = len(conditioning.context)
    for t in scheduler.timesteps:
        x_in = scheduler.scale_model_input(x_t, t).expand(copies, -1, -1, -1)
        outputs = predict(x_in, t.to(device).expand(copies), conditioning)
        output = outputs[-1:]
        if copies == 2:
            output = outputs[:1] + request.guidance_scale * (outputs[1:] - outputs[:1])
        x_t = _step(scheduler, output, t, x_t, generator)
    return x_t


def make_scheduler(sampler: str, schedule: Mapping[str, Any]) -> Any:
    """Make the library's scheduler for a sampler.

    Args:
        sampler: one of ``SAMPLERS``.
        schedule: the model's betas and prediction type, in diffusers' words.
    """
    import diffusers

    name, settings = _SAMPLERS[sampler]
    return getattr(diffusers, name)(**schedule, **settings)


def _step(scheduler: Any, output: Tensor, t: Tensor, x_t: Tensor, generator: torch.Generator) -> Tensor:
    stochastic = {"generator": generator} if type(scheduler).__name__.startswith("Euler") else {}
    stepped: Tensor = scheduler.step(output, t, x_t, return_dict=False, **stochastic)[0]
    return stepped
