"""AdamW and clipping, against the published formulas in float64."""

import math
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

from tests.training.plain import PlainBackbone
from tests.training.runs import Heard, made_run, train_small
from train_gamma.training.config import TrainingConfig
from train_gamma.training.events import Progress
from train_gamma.training.loop import take_step
from train_gamma.training.optimizers import (
    clip_gradients,
    gradient_norm,
    load_optimizer_tensors,
    make_optimizer,
    optimizer_tensors,
    set_learning_rate,
)


class AdamW64:
    """Algorithm 2 of Loshchilov and Hutter 2019 (arXiv:1711.05101) in float64, decay scaled by the rate."""

    def __init__(self, config: TrainingConfig, start: Any) -> None:
        self.config, self.theta = config, start.astype(numpy.float64)
        self.m, self.v, self.t = numpy.zeros_like(self.theta), numpy.zeros_like(self.theta), 0

    def step(self, gradient: Any, rate: float) -> Any:
        c, g = self.config, gradient.astype(numpy.float64)
        self.t += 1
        self.m = c.beta1 * self.m + (1 - c.beta1) * g
        self.v = c.beta2 * self.v + (1 - c.beta2) * g**2
        m, v = self.m / (1 - c.beta1**self.t), self.v / (1 - c.beta2**self.t)
        self.theta = self.theta - rate * (m / (numpy.sqrt(v) + c.epsilon) + c.weight_decay * self.theta)
        return self.theta


@pytest.mark.parametrize(
    "config",
    [
        TrainingConfig(),
        TrainingConfig(weight_decay=0.1),
        TrainingConfig(beta1=0.5, beta2=0.9, epsilon=1e-3),
        TrainingConfig(beta1=0.0),
    ],
    ids=["default", "decay", "other betas", "no momentum"],
)
def test_steps_are_the_published_ones(config: TrainingConfig) -> None:
    """30 steps with a changing rate; tolerance 1e-5 relative, float32 against float64."""
    rng = numpy.random.default_rng(0)
    start = rng.normal(size=(3, 5)).astype(numpy.float32)
    row = torch.tensor(start, requires_grad=True)
    optimizer, expected = make_optimizer(config, [row]), AdamW64(config, start)
    for step in range(30):
        gradient = (rng.normal(size=(3, 5)) * 10.0 ** rng.integers(-6, 2)).astype(numpy.float32)
        rate = 0.05 / (1 + step)
        row.grad = torch.tensor(gradient)
        set_learning_rate(optimizer, rate)
        optimizer.step()
        assert numpy.allclose(row.detach().numpy(), expected.step(gradient, rate), rtol=1e-5, atol=1e-6)


def test_a_run_uses_the_rate_of_each_step(plain: PlainBackbone, tmp_path: Path) -> None:
    """A whole run's vectors, re-computed from the gradients it had."""
    run = made_run(tmp_path, plain, training={"learning_rate": "0.1:2, 0.03:3, 0.004", "max_steps": 5})
    (row,) = run.rows
    expected = AdamW64(run.config.training, row.detach().numpy())
    for rate in (0.1, 0.1, 0.03, 0.004, 0.004):
        assert take_step(run)
        assert row.grad is not None
        theta = expected.step(row.grad.numpy(), rate)
        assert numpy.allclose(row.detach().numpy(), theta, rtol=1e-5, atol=1e-6)


def test_without_weight_decay_a_zero_gradient_moves_nothing() -> None:
    row = torch.ones(2, 3, requires_grad=True)
    optimizer = make_optimizer(TrainingConfig(), [row])
    set_learning_rate(optimizer, 1.0)
    row.grad = torch.zeros(2, 3)
    optimizer.step()
    assert row.detach().equal(torch.ones(2, 3))


def gradients(*seeds: int, scale: float = 1.0) -> tuple[list[torch.Tensor], list[Any]]:
    """Rows with gradients, and these as numpy arrays."""
    arrays = [numpy.random.default_rng(seed).normal(size=(2, 4)) * scale for seed in seeds]
    tensors = [torch.zeros(2, 4, requires_grad=True) for _ in seeds]
    for tensor, array in zip(tensors, arrays, strict=True):
        tensor.grad = torch.tensor(array, dtype=torch.float32)
    return tensors, arrays


@pytest.mark.parametrize("limit", [0.1, 1.0, 1000.0])
def test_norm_clipping_scales_all_rows_together(limit: float) -> None:
    tensors, arrays = gradients(0, 1)
    norm = math.sqrt(sum((array**2).sum() for array in arrays))
    assert float(gradient_norm(tensors)) == pytest.approx(norm, rel=1e-6)
    clip_gradients("norm", limit, tensors)
    for tensor, array in zip(tensors, arrays, strict=True):
        assert tensor.grad is not None
        assert numpy.allclose(tensor.grad.numpy(), array * min(1, limit / norm), rtol=1e-5)


@pytest.mark.parametrize("limit", [0.1, 1.0, 1000.0])
def test_value_clipping_cuts_each_value(limit: float) -> None:
    tensors, arrays = gradients(0, 1)
    clip_gradients("value", limit, tensors)
    for tensor, array in zip(tensors, arrays, strict=True):
        assert tensor.grad is not None
        assert numpy.allclose(tensor.grad.numpy(), numpy.clip(array, -limit, limit), rtol=1e-6)


def test_no_clipping_leaves_gradients_alone() -> None:
    tensors, arrays = gradients(0, scale=1e6)
    clip_gradients("off", 1.0, tensors)
    assert tensors[0].grad is not None
    assert numpy.allclose(tensors[0].grad.numpy(), arrays[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_gradients_are_clipped_after_the_loss_scale_is_taken_out(dtype: torch.dtype, tmp_path: Path) -> None:
    """With a scale of 65536 still in it every gradient would be clipped; only the second limit is below the norm."""
    run = made_run(tmp_path, PlainBackbone(dtype=dtype), training={"clip_mode": "norm", "clip_value": "50:1, 0.01"})
    heard = Heard()
    run.listener = heard
    (row,) = run.rows
    for limit in (50.0, 0.01):
        assert take_step(run)
        assert row.grad is not None
        told = heard.of(Progress)[-1].gradient_norm
        assert 0.01 < told < 50
        assert float(row.grad.norm()) == pytest.approx(min(told, limit), rel=1e-3)


def test_value_clipping_follows_its_schedule(plain: PlainBackbone, tmp_path: Path) -> None:
    run = made_run(tmp_path, plain, training={"clip_mode": "value", "clip_value": "0.02:50%, 0.01", "max_steps": 4})
    (row,) = run.rows
    largest = []
    for _ in range(4):
        take_step(run)
        assert row.grad is not None
        largest.append(round(float(row.grad.abs().max()), 6))
    assert largest == [0.02, 0.02, 0.01, 0.01]


def test_the_optimizers_memory_survives_a_round_trip() -> None:
    first, second = torch.zeros(2, 3, requires_grad=True), torch.zeros(2, 3, requires_grad=True)
    one, two = make_optimizer(TrainingConfig(), [first]), make_optimizer(TrainingConfig(), [second])
    set_learning_rate(one, 0.1)
    for seed in range(3):
        first.grad = torch.randn(2, 3, generator=torch.Generator().manual_seed(seed))
        one.step()
    second.data.copy_(first.data)
    load_optimizer_tensors(two, {key: value.clone() for key, value in optimizer_tensors(one).items()})
    set_learning_rate(two, 0.1)
    first.grad = torch.ones(2, 3)
    second.grad = torch.ones(2, 3)
    one.step()
    two.step()
    assert first.detach().equal(second.detach())


def test_the_default_rate_lowers_the_loss_of_a_real_model(tiny: Any, tmp_path: Path) -> None:
    from train_gamma.training.events import Evaluated

    heard = Heard()
    train_small(tmp_path, tiny, heard, training={"max_steps": 12, "learning_rate": "0.05", "full_batch": True})
    losses = [event.loss for event in heard.of(Evaluated)]
    assert losses[-1] < losses[0]
