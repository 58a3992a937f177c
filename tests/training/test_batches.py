"""What a sample is made of, and what the evaluation loss is measured on."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.plain import PlainBackbone
from tests.training.runs import Heard, made_run, train_small
from train_gamma.training.batches import evaluation_batches, training_batch
from train_gamma.training.entry import resume_run
from train_gamma.training.evaluation import evaluation_loss
from train_gamma.training.events import Control, Evaluated
from train_gamma.training.run import Run


def batches(run: Run, steps: int) -> list[Any]:
    return [
        training_batch(run.config, run.dataset, run.latents, visits, step)
        for step in range(steps)
        for visits in run.order.microbatches(step)
    ]


def visits_of(run: Run, steps: int) -> dict[int, list[torch.Tensor]]:
    """The latents of each picture at each of its visits."""
    seen: dict[int, list[torch.Tensor]] = {}
    for step in range(steps):
        for visits in run.order.microbatches(step):
            batch = training_batch(run.config, run.dataset, run.latents, visits, step)
            for visit, x_0 in zip(visits, batch.x_0, strict=True):
                seen.setdefault(visit.index, []).append(x_0)
    return seen


@pytest.mark.parametrize("mode", ["once", "deterministic", "random"])
def test_latents_are_drawn_as_often_as_they_should_be(mode: str, plain: PlainBackbone, tmp_path: Path) -> None:
    run = made_run(tmp_path, plain, dataset={"latent_sampling": mode})
    for index, latents in visits_of(run, 14).items():
        assert len(latents) == 6
        mean, std = run.latents.get(index)
        distances = torch.stack([(x_0 - mean) / std for x_0 in latents])
        changes = any(not x_0.equal(latents[0]) for x_0 in latents)
        assert changes == (mode == "random")
        if mode == "deterministic":
            assert not distances.any()
        else:  # 256 standard normal numbers: their variance is 1 within 4 standard deviations of sqrt(2 / 256)
            assert 0.65 < float(distances[0].var()) < 1.35


def test_pictures_drawn_once_have_draws_of_their_own(plain: PlainBackbone, tmp_path: Path) -> None:
    run = made_run(tmp_path, plain, dataset={"latent_sampling": "once"})
    draws = [(seen[0] - run.latents.get(index)[0]) for index, seen in visits_of(run, 7).items()]
    assert not any(a.equal(b) for k, a in enumerate(draws) for b in draws[:k])


def test_flips_happen_at_half_of_the_visits(plain: PlainBackbone, tmp_path: Path) -> None:
    run = made_run(tmp_path, plain, dataset={"flip": True, "latent_sampling": "deterministic"})
    flipped = []
    for index, latents in visits_of(run, 140).items():
        plain_mean, mirrored = run.latents.get(index)[0], run.latents.get(index, True)[0]
        if not plain_mean.equal(mirrored):
            assert all(x_0.equal(plain_mean) or x_0.equal(mirrored) for x_0 in latents)
            flipped += [x_0.equal(mirrored) for x_0 in latents]
    assert len(flipped) > 300
    assert 0.4 < sum(flipped) / len(flipped) < 0.6


def test_no_two_samples_share_their_noise(plain: PlainBackbone, tmp_path: Path) -> None:
    run = made_run(tmp_path, plain)
    noises = [noise for batch in batches(run, 10) for noise in batch.noise]
    assert len({noise.numpy().tobytes() for noise in noises}) == 30
    together = torch.stack(noises)
    assert abs(float(together.mean())) < 0.05
    assert abs(float(together.std()) - 1) < 0.05


def test_timesteps_stay_in_the_range_of_the_settings(plain: PlainBackbone, tmp_path: Path) -> None:
    run = made_run(tmp_path, plain, training={"min_timestep": 300, "max_timestep": 310})
    drawn = {int(t) for batch in batches(run, 60) for t in batch.t}
    assert drawn == set(range(300, 311))


def test_prompts_are_drawn_anew_at_each_visit(plain: PlainBackbone, tmp_path: Path) -> None:
    run = made_run(tmp_path, plain, dataset={"tag_dropout": 0.5})
    prompts = [prompt for batch in batches(run, 30) for prompt in batch.prompts]
    assert len(set(prompts)) > 20
    assert all(prompt.split(",")[0] == "zzgamma" for prompt in prompts)


@pytest.mark.parametrize("count", [1, 4, 7])
def test_evaluation_covers_the_timesteps_and_takes_the_pictures_in_turn(
    count: int, plain: PlainBackbone, tmp_path: Path
) -> None:
    run = made_run(tmp_path, plain, dataset={"width": 96}, training={"evaluation_batches": count})
    samples = [t for batch in run.evaluation for t in batch.t.tolist()]
    assert len(samples) == 3 * count
    expected = [int((rank + 0.5) * 1000 / len(samples)) for rank in range(len(samples))]
    assert sorted(samples) == expected
    assert all(len(batch.prompts) <= 3 for batch in run.evaluation)
    sizes = [batch.size for batch in run.evaluation for _ in batch.prompts]
    means = sorted(run.latents.get(k % 7)[0].sum().item() for k in range(3 * count))
    assert means == sorted(x_0.sum().item() for batch in run.evaluation for x_0 in batch.x_0)
    pictures = [run.dataset.items[k % 7].fit.bucket for k in range(3 * count)]
    assert sorted(sizes) == sorted((bucket.width, bucket.height) for bucket in pictures)


def test_evaluation_is_the_same_whatever_the_seed(plain: PlainBackbone, tmp_path: Path) -> None:
    """Runs on the same pictures can be compared by their evaluation loss."""
    run = made_run(tmp_path, plain, dataset={"tag_dropout": 0.5, "flip": True})
    other = dataclasses.replace(run.config, training=dataclasses.replace(run.config.training, seed=99))
    for a, b in zip(run.evaluation, evaluation_batches(other, run.dataset, run.latents), strict=True):
        assert a.x_0.equal(b.x_0)
        assert a.noise.equal(b.noise)
        assert a.t.equal(b.t)
        assert a.prompts == b.prompts


def test_the_evaluation_loss_is_the_mean_over_samples(plain: PlainBackbone, tmp_path: Path) -> None:
    """Sample by sample in float64, from the formulas in ``plain``; batches of 1 to 3 samples."""
    run = made_run(tmp_path, plain, dataset={"width": 96}, training={"evaluation_batches": 3})
    assert len({len(batch.prompts) for batch in run.evaluation}) > 1
    errors = []
    for batch in run.evaluation:
        context = plain.encode_prompts(batch.prompts, {"zzgamma": run.vectors}).context[:, 0].detach().double()
        for k, t in enumerate(batch.t.tolist()):
            a = float(plain.alphas_cumprod[t])
            noise = batch.noise[k].double()
            x_t = a**0.5 * batch.x_0[k].double() + (1 - a) ** 0.5 * noise
            output = (plain.weight.double() @ context[k])[:, None, None] + plain.carry * x_t
            errors.append(float(((output - noise) ** 2).mean()))
    loss = evaluation_loss(plain, run.evaluation, run.config, run.vectors)
    assert loss == pytest.approx(sum(errors) / len(errors), rel=1e-5)


def test_evaluation_goes_on_with_the_same_numbers_after_a_resume(plain: PlainBackbone, tmp_path: Path) -> None:
    heard, rest = Heard(), Heard()
    train_small(tmp_path / "whole", plain, heard, training={"evaluate_every_n_steps": 1})
    folder, _ = train_small(tmp_path / "half", plain, training={"evaluate_every_n_steps": 1, "max_steps": 3})
    resume_run(folder.path, plain, rest, Control(), {"training": {"max_steps": 6}})
    assert rest.of(Evaluated) == [event for event in heard.of(Evaluated) if event.step >= 3]
