"""Optimizers that see the embedding's rows and nothing else."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from train_gamma.training.config import TrainingConfig


def make_optimizer(config: TrainingConfig, vectors: Sequence[Tensor]) -> torch.optim.Optimizer:
    """The optimizer of the rows: AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101). Its rate is set every step."""
    kinds = {"adamw": torch.optim.AdamW}
    return kinds[config.optimizer](
        list(vectors),
        lr=0.0,
        betas=(config.beta1, config.beta2),
        eps=config.epsilon,
        weight_decay=config.weight_decay,
        foreach=False,
    )


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Use ``learning_rate`` from the next step on."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate


def gradient_norm(vectors: Sequence[Tensor]) -> Tensor:
    """The 2-norm of the gradients of all rows together, a scalar tensor; not finite if any gradient is not."""
    norms = [v.grad.norm() for v in vectors if v.grad is not None]
    return torch.stack(norms).norm() if norms else torch.zeros(())


def clip_gradients(mode: str, limit: float, vectors: Sequence[Tensor]) -> None:
    """Scale the gradients to norm ``limit`` ("norm") or cut every value at it ("value"); "off" leaves them."""
    if mode == "norm":
        torch.nn.utils.clip_grad_norm_(list(vectors), limit)
    elif mode == "value":
        torch.nn.utils.clip_grad_value_(list(vectors), limit)


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's memory as named tensors: ``{"0.exp_avg": (n, D), "0.step": (), ...}``."""
    state: Mapping[int, Mapping[str, Tensor]] = optimizer.state_dict()["state"]
    return {f"{i}.{key}": torch.as_tensor(value) for i, entry in state.items() for key, value in entry.items()}


def load_optimizer_tensors(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what ``optimizer_tensors`` gave."""
    whole = optimizer.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": whole["param_groups"]})
