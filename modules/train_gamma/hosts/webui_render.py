"""Preview pictures through the WebUI's own pipeline, without a trace of them anywhere else.

AUTOMATIC1111/stable-diffusion-webui v1.9.4, modules/processing.py and modules/sd_samplers.py.
"""

import random
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import fields
from typing import Any

import numpy
import torch
from PIL import Image

from train_gamma.backbone import RenderRequest
from train_gamma.errors import UserError
from train_gamma.hosts.render import check_numbers
from train_gamma.hosts.webui_overrides import attributes

_PIXELS_OF_A_LATENT = 8
_TIMESTEPS = 1000

_STATE = (
    "job",
    "job_no",
    "job_count",
    "processing_has_refined_job_count",
    "sampling_step",
    "sampling_steps",
    "current_latent",
    "current_image",
    "current_image_sampling_step",
    "textinfo",
    "time_start",
)
"""What a picture writes into the progress of the job that it is part of."""

_WISHES = ("interrupted", "skipped", "stopping_generation")
"""What somebody at a button wants: it has to be seen after the picture as well. The last is of 1.8 and later."""


@torch.no_grad()
def render(request: RenderRequest, clip_skip: int) -> Image.Image:
    """Make one picture with the loaded model, as txt2img would.

    Args:
        request: the picture asked for; its sampler is one of the WebUI's, in any case, or "" for DDIM.
        clip_skip: what the picture's description says.

    Raises:
        UserError: if the request is impossible, or the picture was interrupted.
    """
    from modules import processing, shared

    check_numbers(request, _PIXELS_OF_A_LATENT, _TIMESTEPS)
    picture = _picture(request, clip_skip)
    with closing(picture), _random_states_kept(), _progress_kept(shared.state), _nothing_reloaded(), _vae_kept():
        processed = processing.process_images_inner(picture)
    stopped = any(getattr(shared.state, wish, False) for wish in _WISHES)
    if stopped or not processed.images:
        raise UserError("the picture was interrupted")
    image: Image.Image = processed.images[processed.index_of_first_image]
    return image


def _picture(request: RenderRequest, clip_skip: int) -> Any:
    """The host's description of the picture: saved nowhere, with no scripts of other extensions, and caches of its own.

    The host keeps encoded prompts from picture to picture, and does not see that our vectors have changed.
    """
    from modules import processing

    cls = processing.StableDiffusionProcessingTxt2Img
    sampler, scheduler = find_sampler(request.sampler)
    picture = cls(
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        width=request.width,
        height=request.height,
        steps=request.steps,
        cfg_scale=request.guidance_scale,
        seed=request.seed,
        sampler_name=sampler,
        do_not_save_samples=True,
        do_not_save_grid=True,
        do_not_reload_embeddings=True,
        restore_faces=False,
        tiling=False,
        **({"scheduler": scheduler} if "scheduler" in {field.name for field in fields(cls)} else {}),
    )
    for name in ("cached_c", "cached_uc", "cached_hr_c", "cached_hr_uc"):
        setattr(picture, name, [None, None])
    picture.clip_skip = clip_skip
    return picture


def find_sampler(wanted: str) -> tuple[str, str | None]:
    """The WebUI's name of a sampler, and of the schedule if the name ends with one as in versions before 1.9.

    Raises:
        UserError: if the WebUI has no such sampler.
    """
    from modules import sd_samplers

    names = {}
    for sampler in sd_samplers.all_samplers:
        for name in (*sampler.aliases, sampler.name):
            names[name.lower()] = sampler.name
    words = (wanted or "ddim").strip().lower()
    for spelled in (words, f"k_{words}"):
        if spelled in names:
            return names[spelled], None
    for label, suffix in _schedules():
        if words.endswith(suffix) and words.removesuffix(suffix) in names:
            return names[words.removesuffix(suffix)], label
    known = ", ".join(sampler.name for sampler in sd_samplers.all_samplers)
    raise UserError(f"The WebUI has no sampler '{wanted}'. Use one of {known}.")


def _schedules() -> Iterator[tuple[str, str]]:
    """The schedules of 1.9 and later: their labels, and how a sampler's name ends with them."""
    try:
        from modules import sd_schedulers
    except ImportError:
        return
    for schedule in sd_schedulers.schedulers:
        for name in (schedule.label, schedule.name, *(schedule.aliases or ())):
            yield schedule.label, f" {name.lower()}"


@contextmanager
def _random_states_kept() -> Iterator[None]:
    """The host seeds the global generators for each picture."""
    python, arrays = random.getstate(), numpy.random.get_state()
    cuda = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=cuda):
        try:
            yield
        finally:
            random.setstate(python)
            numpy.random.set_state(arrays)


@contextmanager
def _progress_kept(state: Any) -> Iterator[None]:
    from modules import shared

    before = {name: getattr(state, name) for name in _STATE if hasattr(state, name)}
    state.skipped = False
    try:
        yield
    finally:
        shared.total_tqdm.clear()
        for name, value in before.items():
            setattr(state, name, value)


@contextmanager
def _nothing_reloaded() -> Iterator[None]:
    """Keep the model with its own UNet, and the prompt in the file that the arrow button reads.

    The pipeline loads whatever checkpoint the dropdown names by now, and puts the UNet of the settings in the place of
    the trained one's, in the middle of the run; that has to wait for its turn, as everything does that really changes
    the model.
    """
    from modules import sd_models, sd_unet, shared

    no_reload = {"reload_model_weights": lambda *_, **__: sd_models.model_data.sd_model}
    with (
        attributes(sd_models, no_reload),
        attributes(sd_unet, {"apply_unet": lambda *_, **__: None}),
        attributes(shared.cmd_opts, {"no_prompt_history": True}),
    ):
        yield


@contextmanager
def _vae_kept() -> Iterator[None]:
    """The pipeline moves the VAE to fp32 or bf16 for good when it decodes to something that is not a number.

    On the way back from bf16 the weights would be coarser than they were, so they are kept where that can happen.
    """
    from modules import devices, sd_models, shared

    vae, before = sd_models.model_data.sd_model.first_stage_model, devices.dtype_vae
    weights = None
    if getattr(shared.opts, "auto_vae_precision_bfloat16", False) and before != torch.bfloat16:
        weights = {name: value.detach().to("cpu", copy=True) for name, value in vae.state_dict().items()}
    try:
        yield
    finally:
        if devices.dtype_vae != before:
            devices.dtype_vae = before
            vae.to(before)
            if weights is not None:
                vae.load_state_dict(weights)
