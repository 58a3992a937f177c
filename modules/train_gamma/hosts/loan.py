"""Borrow modules for a run and give them back as they were."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from train_gamma.backbone import Checkpointing

_CHECKPOINT_ATTRIBUTES = ("gradient_checkpointing", "_gradient_checkpointing_func")

NUMBERS_TO_KEEP = 2 * 2**30
"""Numbers that have to fit into free memory for "auto" to leave checkpointing off: 4 GiB in fp16, 8 GiB in fp32.

On the shape of SD 1.5, frozen, the way back keeps 0.35 * 2**30 numbers (0.65 GiB in fp16) for a picture of 512 x 512,
counted from the tensors saved for it, without attention matrices; this is room for four of them and some workspace.
"""


@contextmanager
def lend_modules(models: Sequence[nn.Module], unet: Any, checkpointing: bool) -> Iterator[None]:
    """Freeze ``models``, put them into eval mode and set the UNet's gradient checkpointing; undo all of it at the end.

    May be nested: the inner loan gives back what the outer one had set.
    """
    checkpoints = [(module, _checkpoint_state(module)) for module in unet.modules()]
    with frozen(models):
        try:
            _set_checkpointing(unet, checkpointing)
            yield
        finally:
            for module, state in checkpoints:
                _restore_checkpoint_state(module, state)


@contextmanager
def frozen(models: Sequence[nn.Module]) -> Iterator[None]:
    """Take all parameters out of training and put all modules into eval mode; undo it at the end."""
    modules = [module for model in models for module in model.modules()]
    parameters = [parameter for model in models for parameter in model.parameters()]
    training = [module.training for module in modules]
    trainable = [parameter.requires_grad for parameter in parameters]
    try:
        for module in modules:
            module.training = False
        for parameter in parameters:
            parameter.requires_grad_(False)
        yield
    finally:
        for module, was_training in zip(modules, training, strict=True):
            module.training = was_training
        for parameter, was_trainable in zip(parameters, trainable, strict=True):
            parameter.requires_grad_(was_trainable)


def wants_checkpointing(choice: Checkpointing, device: torch.device, dtype: torch.dtype) -> bool:
    """Decide "auto": on when a CUDA device has little memory left, off everywhere else."""
    if choice != "auto":
        return choice == "on"
    if device.type != "cuda":
        return False
    free, _total = torch.cuda.mem_get_info(device)
    # what torch has set aside and does not use is free as well
    free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return is_short(free, dtype)


def is_short(free_bytes: int, dtype: torch.dtype) -> bool:
    """Whether so little memory is left that it is better to compute twice than to keep."""
    return free_bytes < NUMBERS_TO_KEEP * torch.finfo(dtype).bits // 8


def _set_checkpointing(unet: Any, on: bool) -> None:
    if on:
        unet.enable_gradient_checkpointing()
    else:
        unet.disable_gradient_checkpointing()


def _checkpoint_state(module: nn.Module) -> dict[str, Any]:
    return {name: module.__dict__[name] for name in _CHECKPOINT_ATTRIBUTES if name in module.__dict__}


def _restore_checkpoint_state(module: nn.Module, state: dict[str, Any]) -> None:
    for name in _CHECKPOINT_ATTRIBUTES:
        if name in state:
            module.__dict__[name] = state[name]
        else:
            module.__dict__.pop(name, None)
