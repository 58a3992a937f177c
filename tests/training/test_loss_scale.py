"""Loss scaling for fp16, against torch's own scaler and against training in fp32."""

import random
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.plain import PlainBackbone
from tests.training.runs import Heard, embedding_vectors, made_run, state_numbers, train_small
from train_gamma.training.entry import resume_run
from train_gamma.training.events import Control, Progress, Warned
from train_gamma.training.loop import accumulate, take_step
from train_gamma.training.loss_scale import GROWTH_INTERVAL, INITIAL_SCALE, LossScale


def scales_of_torch(overflows: list[bool], initial: float, interval: int) -> list[float]:
    """The scale after each step in ``torch.amp.GradScaler``."""
    scaler = torch.amp.GradScaler("cpu", init_scale=initial, growth_interval=interval)
    row = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([row], lr=0.0)
    scales = []
    for overflow in overflows:
        scaler.scale(row.sum()).backward()
        if overflow and row.grad is not None:
            row.grad.fill_(torch.inf)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        scales.append(scaler.get_scale())
    return scales


def scales_of_ours(overflows: list[bool], initial: float) -> list[float]:
    """The scale after each step in ``LossScale``."""
    scale = LossScale(enabled=True, scale=initial)
    scales = []
    for overflow in overflows:
        if overflow:
            assert scale.back_off()
        else:
            scale.grow()
        scales.append(scale.scale)
    return scales


@pytest.mark.parametrize("seed", range(3))
def test_the_scale_moves_as_torchs_does(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("train_gamma.training.loss_scale.GROWTH_INTERVAL", 4)
    rng = random.Random(seed)
    overflows = [rng.random() < 0.1 for _ in range(200)]
    expected = scales_of_torch(overflows, INITIAL_SCALE, 4)
    assert scales_of_ours(overflows, INITIAL_SCALE) == expected
    assert max(expected) > INITIAL_SCALE


def test_the_defaults_are_torchs() -> None:
    torchs = torch.amp.GradScaler("cpu")
    assert torchs.get_scale() == INITIAL_SCALE
    assert torchs.get_growth_interval() == GROWTH_INTERVAL
    assert (torchs.get_growth_factor(), torchs.get_backoff_factor()) == (2, 0.5)


def test_the_scale_does_not_fall_below_one() -> None:
    scale = LossScale(enabled=True, scale=2.0)
    assert scale.back_off()
    assert not scale.back_off()
    assert scale.scale == 1


def test_without_fp16_nothing_is_scaled() -> None:
    scale, row = LossScale(enabled=False), torch.ones(3, requires_grad=True)
    row.grad = torch.ones(3)
    scale.unscale([row])
    assert row.grad.equal(torch.ones(3))
    assert scale.factor == 1
    assert not scale.back_off()


@pytest.mark.parametrize(("dtype", "enabled"), [(torch.float16, True), (torch.float32, False), (torch.bfloat16, False)])
def test_only_fp16_has_a_loss_scale(dtype: torch.dtype, enabled: bool, tmp_path: Path) -> None:
    assert made_run(tmp_path, PlainBackbone(dtype=dtype)).loss_scale.enabled is enabled


WEAK = 1e-7
"""A gain with which every gradient is below 3e-8, where half precision has nothing but 0, on its way back."""


def test_a_gradient_too_small_for_half_precision_survives_with_the_scale(tmp_path: Path) -> None:
    exact = made_run(tmp_path / "fp32", PlainBackbone(gain=WEAK))
    half = made_run(tmp_path / "fp16", PlainBackbone(gain=WEAK, dtype=torch.float16))
    accumulate(exact)
    accumulate(half)
    half.loss_scale.unscale(half.rows)
    bare = made_run(tmp_path / "bare", PlainBackbone(gain=WEAK, dtype=torch.float16))
    bare.loss_scale.enabled = False
    accumulate(bare)
    gradients = [run.rows[0].grad for run in (exact, half, bare)]
    assert all(gradient is not None for gradient in gradients)
    wanted, scaled, unscaled = (gradient for gradient in gradients if gradient is not None)
    assert float(wanted.abs().max()) > 0
    assert float((scaled - wanted).abs().max()) < 0.01 * float(wanted.abs().max())
    assert not unscaled.any()


STRONG = 40.0
"""A gain with which the gradient is finite in half precision, but not 65536 times it."""


def test_an_overflow_is_the_same_step_again_with_half_the_scale(tmp_path: Path) -> None:
    heard, exact = Heard(), Heard()
    folder, _ = train_small(tmp_path / "fp16", PlainBackbone(gain=STRONG, dtype=torch.float16), heard)
    other, _ = train_small(tmp_path / "fp32", PlainBackbone(gain=STRONG), exact)
    numbers = state_numbers(folder)
    assert (numbers["step"], numbers["skipped"]) == (6, 0)
    assert numbers["scale"] < INITIAL_SCALE
    assert not [event for event in heard.of(Warned) if "finite" in event.message]
    assert [e.step for e in heard.of(Progress)] == list(range(1, 7))
    losses = [[event.loss for event in h.of(Progress)] for h in (heard, exact)]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    vectors = [embedding_vectors(f.path / "zzgamma.safetensors") for f in (folder, other)]
    assert torch.allclose(vectors[0], vectors[1], atol=3e-3)


def test_the_repeated_step_draws_the_same(tmp_path: Path) -> None:
    backbone = PlainBackbone(gain=STRONG, dtype=torch.float16)
    seen: list[Any] = []
    predict = backbone.predict

    def watched(x_t: torch.Tensor, t: torch.Tensor, conditioning: Any) -> torch.Tensor:
        seen.append((x_t.clone(), t.tolist()))
        return predict(x_t, t, conditioning)

    backbone.predict = watched
    run = made_run(tmp_path, backbone)
    assert take_step(run)
    assert len(seen) > 1
    assert all(t == seen[0][1] and x_t.equal(seen[0][0]) for x_t, t in seen)
    assert run.loss_scale.scale == INITIAL_SCALE / 2 ** (len(seen) - 1)


def test_the_scale_grows_in_a_run_and_is_kept_for_the_rest_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("train_gamma.training.loss_scale.GROWTH_INTERVAL", 4)
    model = PlainBackbone(dtype=torch.float16, gain=1e-3)
    folder, _ = train_small(tmp_path, model, training={"max_steps": 7})
    numbers = state_numbers(folder)
    assert (numbers["scale"], numbers["good_steps"]) == (2 * INITIAL_SCALE, 3)
    resume_run(folder.path, model, Heard(), Control(), {"training": {"max_steps": 9}})
    numbers = state_numbers(folder)
    assert (numbers["scale"], numbers["good_steps"]) == (4 * INITIAL_SCALE, 1)
