"""A loss that can be compared from step to step: the same pictures, noise and timesteps every time."""

from collections.abc import Sequence

import torch

from train_gamma.backbone import Backbone, Vectors
from train_gamma.training.batches import Batch
from train_gamma.training.config import RunConfig
from train_gamma.training.loss import squared_error
from train_gamma.training.noise import add_noise, target


@torch.no_grad()
def evaluation_loss(backbone: Backbone, batches: Sequence[Batch], config: RunConfig, vectors: Vectors) -> float:
    """Mean squared error over ``batches``, each sample weighing the same. Draws nothing at random."""
    total, samples = 0.0, 0
    for cpu_batch in batches:
        batch = cpu_batch.to(backbone.device)
        alpha_bar = backbone.alphas_cumprod.to(backbone.device)[batch.t]
        conditioning = backbone.encode_prompts(
            batch.prompts,
            {config.embedding.name: vectors},
            [batch.size] * len(batch.prompts),
            emphasis=config.dataset.emphasis,
        )
        predicted = backbone.predict(add_noise(batch.x_0, batch.noise, alpha_bar), batch.t, conditioning)
        wanted = target(batch.x_0, batch.noise, alpha_bar, backbone.prediction)
        total += float(squared_error(predicted, wanted).cpu().double().sum())  # Apple's GPUs have no float64
        samples += len(batch.prompts)
    return total / samples
