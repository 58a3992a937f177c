"""Everything of the host that a run could change, in a form that can be compared."""

import hashlib
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy
import torch
from torch import Tensor

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
PLAIN = (bool, int, float, str, tuple, type(None))


def host_state() -> dict[str, Any]:
    """Weights, buffers, flags, hooks, patches, settings, embeddings, caches and random states, by name."""
    return dict(_entries())


@contextmanager
def nothing_changes(but: tuple[str, ...] = ()) -> Iterator[None]:
    """Fails if anything of the host is changed inside, but for what has one of the words ``but`` in its name."""
    before = host_state()
    yield
    changed = differences(before, host_state())
    changed = {name: pair for name, pair in changed.items() if not any(word in name for word in but)}
    assert changed == {}, "\n".join(f"{name}: {was} -> {now}" for name, (was, now) in changed.items())


def differences(before: dict[str, Any], after: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What is not the same: the name, with both values."""
    names = before.keys() | after.keys()
    return {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}


def _entries() -> Iterator[tuple[str, Any]]:
    from modules import sd_models

    model = sd_models.model_data.sd_model
    yield "model", (id(model), sorted(vars(model)), id(model.cond_stage_model), model.sd_checkpoint_info.filename)
    for name, module in model.named_modules():
        yield f"module {name}", _module(module)
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        yield f"tensor {name}", _tensor(tensor)
    yield from _classes()
    yield from _host()
    yield "random", (random.getstate(), str(numpy.random.get_state()), _digest(torch.get_rng_state()))


def _module(module: Any) -> tuple[Any, ...]:
    # "network_..." is what the LoRA extension keeps at each layer that was used, and fills in by itself
    own = {key: value for key, value in vars(module).items() if not key.startswith("network_")}
    plain = {key: value for key, value in own.items() if isinstance(value, PLAIN)}
    hooks = [tuple(map(id, own[kind].values())) for kind in HOOKS]
    return type(module), module.training, sorted(own), plain, hooks, id(own.get("forward"))


def _tensor(tensor: Tensor) -> tuple[Any, ...]:
    return _digest(tensor), tensor.requires_grad, tensor.dtype, str(tensor.device), tensor.grad is None


def _digest(tensor: Tensor) -> str:
    return hashlib.sha256(tensor.detach().cpu().contiguous().numpy().tobytes()).hexdigest()


def _classes() -> Iterator[tuple[str, Any]]:
    import ldm.modules.attention as attention
    import ldm.modules.diffusionmodules.model as autoencoder
    import ldm.modules.diffusionmodules.openaimodel as unet
    import sgm.modules.attention as sgm_attention
    import sgm.modules.diffusionmodules.model as sgm_autoencoder

    nn = torch.nn
    classes = (attention.CrossAttention, attention.BasicTransformerBlock, attention.SpatialTransformer)
    classes += (unet.ResBlock, unet.AttentionBlock, unet.UNetModel, autoencoder.AttnBlock)
    classes += (
        sgm_attention.CrossAttention,
        sgm_autoencoder.AttnBlock,
        nn.Linear,
        nn.Conv2d,
        nn.LayerNorm,
        nn.GroupNorm,
    )
    for cls in classes:
        yield f"class {cls.__module__}.{cls.__name__}", id(cls.forward)
    yield "nonlinearity", (id(autoencoder.nonlinearity), id(sgm_autoencoder.nonlinearity))


def _host() -> Iterator[tuple[str, Any]]:
    from modules import call_queue, devices, processing, sd_hijack, sd_hijack_clip, sd_models, sd_unet, sd_vae, shared

    yield from ((f"setting {name}", repr(value)) for name, value in shared.opts.data.items())
    yield from ((f"flag {name}", repr(value)) for name, value in vars(shared.cmd_opts).items())
    yield "settings as the text encoder sees them", sd_hijack_clip.opts is shared.opts
    hijack = sd_hijack.model_hijack
    database = hijack.embedding_db
    yield "hijack", (list(hijack.comments), dict(hijack.extra_generation_params), hijack.fixes, hijack.circular_enabled)
    yield "hijack's attributes", sorted(vars(hijack))
    yield "embeddings", [(name, id(embedding)) for name, embedding in database.word_embeddings.items()]
    yield "lookup", [(k, [(ids, id(e)) for ids, e in found]) for k, found in database.ids_lookup.items()]
    yield "database's attributes", sorted(vars(database))
    yield "reload", id(sd_models.reload_model_weights)
    yield "dtypes", (devices.dtype, devices.dtype_vae, devices.dtype_unet, devices.fp8, devices.unet_needs_upcast)
    yield "vae", (sd_vae.loaded_vae_file, id(sd_vae.base_vae), id(sd_vae.checkpoint_info))
    yield "unet", id(sd_unet.current_unet)
    for cls in (processing.StableDiffusionProcessing, processing.StableDiffusionProcessingTxt2Img):
        for name in ("cached_c", "cached_uc", "cached_hr_c", "cached_hr_uc"):
            cache = getattr(cls, name, None)
            yield f"{cls.__name__}.{name}", (id(cache), [id(part) for part in cache] if cache else None)
    yield (
        "state",
        {
            key: value if isinstance(value, PLAIN) else id(value)
            for key, value in vars(shared.state).items()
            if key != "id_live_preview"
        },
    )
    yield "hypernetworks", list(map(id, shared.loaded_hypernetworks))
    yield "loras", [network.name for network in getattr(sys.modules.get("networks"), "loaded_networks", ())]
    yield "queue", (call_queue.queue_lock._lock.locked(), len(call_queue.queue_lock._pending_threads))
