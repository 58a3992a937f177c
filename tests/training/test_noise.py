"""The forward process, its targets and the timesteps, against the papers in float64."""

import math
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from torch import Tensor

from tests.tiny import SCHEDULER, tiny_backbone
from tests.training.runs import made_run
from train_gamma.backbone import LatentDistribution
from train_gamma.training.batches import training_batch
from train_gamma.training.keys import tensor_generator
from train_gamma.training.loop import sample_losses
from train_gamma.training.noise import add_noise, draw_timestep, target


def float64_alphas() -> Any:
    """alpha-bar of SD's "scaled_linear" schedule: sqrt(beta) rises linearly from sqrt(0.00085) to sqrt(0.012)."""
    betas = numpy.linspace(math.sqrt(0.00085), math.sqrt(0.012), 1000) ** 2
    return numpy.cumprod(1 - betas)


def test_alpha_bar_of_the_backbone_is_the_published_one(tiny: Any) -> None:
    assert numpy.allclose(tiny.alphas_cumprod.numpy(), float64_alphas(), rtol=1e-5)


@pytest.mark.parametrize("t", [0, 1, 250, 500, 998, 999])
def test_noise_and_targets_follow_the_papers(t: int) -> None:
    """x_t: Ho et al. 2020, eq. 4. v: Salimans and Ho 2022, appendix D, with alpha^2 = alpha-bar = 1 - sigma^2.

    Tolerance 1e-6: float32 against float64.
    """
    rng = numpy.random.default_rng(t)
    x_0, noise = rng.normal(size=(2, 4, 3, 5)), rng.normal(size=(2, 4, 3, 5))
    alpha_bar = float64_alphas()[t]
    alpha, sigma = math.sqrt(alpha_bar), math.sqrt(1 - alpha_bar)
    given = [torch.tensor(a, dtype=torch.float32) for a in (x_0, noise)]
    a = torch.full((2,), alpha_bar, dtype=torch.float32)
    assert numpy.allclose(add_noise(*given, a).numpy(), alpha * x_0 + sigma * noise, atol=1e-6)
    assert numpy.allclose(target(*given, a, "v").numpy(), alpha * noise - sigma * x_0, atol=1e-6)
    assert target(*given, a, "epsilon").equal(given[1])


def test_each_sample_gets_the_noise_of_its_own_timestep() -> None:
    x_0, noise = torch.ones(3, 1, 1, 1), torch.zeros(3, 1, 1, 1)
    alpha_bar = torch.tensor([1.0, 0.25, 0.0])
    assert add_noise(x_0, noise, alpha_bar).flatten().tolist() == [1.0, 0.5, 0.0]
    assert target(x_0, noise, alpha_bar, "v").flatten().tolist() == pytest.approx([0.0, -math.sqrt(0.75), -1.0])


PICTURE = 0.7
"""What every latent is in ``perfect_loss``, so that the noise can be read off x_t."""


def perfect_loss(kind: str, answer: str, root: Path) -> Tensor:
    """The losses of a model of one prediction type that perfectly gives the noise or the velocity."""
    backbone: Any = tiny_backbone(scheduler_config={**SCHEDULER, "prediction_type": kind})
    latent = torch.full((1, 4, 8, 8), PICTURE)
    backbone.encode_images = lambda pixels: LatentDistribution(latent, torch.zeros_like(latent))

    def predict(x_t: Tensor, t: Tensor, conditioning: Any) -> Tensor:
        a = torch.tensor(float64_alphas())[t].view(-1, 1, 1, 1)
        noise = (x_t - a.sqrt() * PICTURE) / (1 - a).sqrt()
        velocity = a.sqrt() * noise - (1 - a).sqrt() * PICTURE
        return noise if answer == "noise" else velocity

    backbone.predict = predict
    run = made_run(root, backbone)
    (visits,) = run.order.microbatches(0)
    return sample_losses(run, training_batch(run.config, run.dataset, run.latents, visits, 0))


@pytest.mark.parametrize(("kind", "answer"), [("epsilon", "noise"), ("v_prediction", "velocity")])
def test_a_perfect_prediction_has_no_loss(kind: str, answer: str, tmp_path: Path) -> None:
    assert perfect_loss(kind, answer, tmp_path).max() < 1e-8


@pytest.mark.parametrize(("kind", "answer"), [("epsilon", "velocity"), ("v_prediction", "noise")])
def test_the_other_prediction_has_a_loss(kind: str, answer: str, tmp_path: Path) -> None:
    assert perfect_loss(kind, answer, tmp_path).min() > 1e-3


def drawn(sampling: str, low: int, high: int, count: int) -> Any:
    """How often each of 20 equal stretches of [low, high] was drawn; bounds are checked on the way."""
    draws = numpy.array(
        [draw_timestep(sampling, low, high, tensor_generator(0, "timestep", k // 4, k % 4)) for k in range(count)]
    )
    assert low <= draws.min()
    assert draws.max() <= high
    return numpy.histogram(draws, bins=20, range=(low, high + 1))[0]


CHI_SQUARE_LIMIT = 50.8
"""Of 19 degrees of freedom, exceeded by chance in 1 of 10,000 cases."""


@pytest.mark.parametrize(("low", "high"), [(0, 999), (200, 799)])
@pytest.mark.parametrize("sampling", ["uniform", "high_noise"])
def test_timesteps_have_the_density_they_should(sampling: str, low: int, high: int) -> None:
    """high_noise is 1000 sqrt(u): the chance of a stretch is the difference of the squares of its ends."""
    count = 4000
    edges = numpy.linspace(low, high + 1, 21)
    weights = numpy.diff(edges**2) if sampling == "high_noise" else numpy.diff(edges)
    expected = count * weights / weights.sum()
    found = drawn(sampling, low, high, count)
    assert ((found - expected) ** 2 / expected).sum() < CHI_SQUARE_LIMIT
    other = count * (numpy.diff(edges) if sampling == "high_noise" else numpy.diff(edges**2))
    other = other * count / other.sum()
    assert ((found - other) ** 2 / other).sum() > 2 * CHI_SQUARE_LIMIT, "the test could not tell the two apart"


@pytest.mark.parametrize("sampling", ["uniform", "high_noise"])
@pytest.mark.parametrize(("low", "high"), [(0, 0), (999, 999), (5, 6), (0, 1)])
def test_the_ends_of_the_range_are_drawn_and_nothing_beyond(sampling: str, low: int, high: int) -> None:
    found = {draw_timestep(sampling, low, high, tensor_generator(1, "timestep", k)) for k in range(100)}
    assert found == set(range(low, high + 1))


@pytest.mark.parametrize("sampling", ["uniform", "high_noise"])
@pytest.mark.parametrize("u", [0.0, 1 - 2.0**-53])
def test_extreme_draws_stay_in_the_range(sampling: str, u: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "rand", lambda *_, **__: torch.tensor(u, dtype=torch.float64))
    assert draw_timestep(sampling, 10, 990, torch.Generator()) == (10 if u == 0 else 990)
