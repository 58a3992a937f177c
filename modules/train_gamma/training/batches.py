"""From visits of pictures to what the model is fed: latents, noise, timesteps and prompts.

Everything random about a sample is keyed by the run's seed, the draw (how many steps were drawn before) and the
sample's position in its step.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from train_gamma.dataset.dataset import Dataset
from train_gamma.dataset.latents import LatentCache
from train_gamma.dataset.order import Visit
from train_gamma.training.config import RunConfig
from train_gamma.training.keys import normal, tensor_generator, text_generator
from train_gamma.training.noise import NUM_TIMESTEPS, draw_timestep


@dataclass(frozen=True, slots=True)
class Batch:
    """A micro-batch: pictures of one bucket.

    x_0: (B, C, h, w) latents. noise: like x_0. t: (B,) int64. prompts: B texts. size: (width, height) in pixels.
    """

    x_0: Tensor
    noise: Tensor
    t: Tensor
    prompts: tuple[str, ...]
    size: tuple[int, int]

    def to(self, device: torch.device) -> "Batch":
        """The same batch with its tensors on ``device``."""
        return Batch(self.x_0.to(device), self.noise.to(device), self.t.to(device), self.prompts, self.size)


def training_batch(
    config: RunConfig, dataset: Dataset, latents: LatentCache, visits: Sequence[Visit], draw: int
) -> Batch:
    """The micro-batch for ``visits`` of step number ``draw``; all of one bucket."""
    seed, training = config.training.seed, config.training
    x_0, noise, t, prompts = [], [], [], []
    for visit in visits:
        key = (draw, visit.position)
        flipped = config.dataset.flip and text_generator(seed, "flip", *key).random() < 0.5
        mean, std = latents.get(visit.index, flipped)
        x_0.append(_latent(config, mean, std, visit, draw, flipped))
        noise.append(normal(tuple(mean.shape), tensor_generator(seed, "noise", *key)))
        timestep_generator = tensor_generator(seed, "timestep", *key)
        t.append(
            draw_timestep(training.timestep_sampling, training.min_timestep, training.max_timestep, timestep_generator)
        )
        prompts.append(dataset.prompt(visit.index, config.embedding.name, text_generator(seed, "prompt", *key)))
    bucket = dataset.items[visits[0].index].fit.bucket
    return Batch(torch.stack(x_0), torch.stack(noise), torch.tensor(t), tuple(prompts), (bucket.width, bucket.height))


def evaluation_batches(config: RunConfig, dataset: Dataset, latents: LatentCache) -> list[Batch]:
    """The fixed batches of the evaluation loss, the same in every run on the same pictures.

    The pictures take turns, the timesteps are spread evenly over the whole schedule, latents are the posterior's mean.
    """
    count = config.training.evaluation_batches * config.training.batch_size
    by_bucket: dict[tuple[int, int], list[int]] = {}
    for k in range(count):
        bucket = dataset.items[k % len(dataset.items)].fit.bucket
        by_bucket.setdefault((bucket.width, bucket.height), []).append(k)
    size, timesteps = config.training.batch_size, _spread(count)
    return [
        _evaluation_batch(config, dataset, latents, ks[i : i + size], timesteps)
        for ks in by_bucket.values()
        for i in range(0, len(ks), size)
    ]


def _evaluation_batch(
    config: RunConfig, dataset: Dataset, latents: LatentCache, ks: Sequence[int], timesteps: Sequence[int]
) -> Batch:
    indices = [k % len(dataset.items) for k in ks]
    x_0 = torch.stack([latents.get(i, False)[0] for i in indices])
    noise = torch.stack([normal(tuple(x_0[0].shape), tensor_generator(0, "evaluation noise", k)) for k in ks])
    t = torch.tensor([timesteps[k] for k in ks])
    prompts = tuple(
        dataset.prompt(i, config.embedding.name, text_generator(0, "evaluation prompt", k))
        for i, k in zip(indices, ks, strict=True)
    )
    bucket = dataset.items[indices[0]].fit.bucket
    return Batch(x_0, noise, t, prompts, (bucket.width, bucket.height))


def _spread(count: int) -> list[int]:
    """The middles of ``count`` equal parts of the timesteps, in an order that mixes low and high.

    The order is that of the golden ratio's multiples modulo 1, so that every run of neighbours is spread widely.
    """
    order = sorted(range(count), key=lambda k: (k * 0.6180339887498949) % 1)
    timesteps = [0] * count
    for rank, k in enumerate(order):
        timesteps[k] = int((rank + 0.5) / count * NUM_TIMESTEPS)
    return timesteps


def _latent(config: RunConfig, mean: Tensor, std: Tensor, visit: Visit, draw: int, flipped: bool) -> Tensor:
    mode, seed = config.dataset.latent_sampling, config.training.seed
    if mode == "deterministic":
        return mean
    key = (visit.index, int(flipped)) if mode == "once" else (draw, visit.position)
    xi = normal(tuple(mean.shape), tensor_generator(seed, f"latent {mode}", *key))
    return mean.cpu() + std.cpu() * xi
