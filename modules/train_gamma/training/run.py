"""A run in progress: everything the loop works with."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from train_gamma.backbone import Backbone
from train_gamma.dataset.dataset import Dataset
from train_gamma.dataset.latents import LatentCache
from train_gamma.dataset.order import Order
from train_gamma.training.batches import Batch
from train_gamma.training.config import RunConfig
from train_gamma.training.events import Control, Listener
from train_gamma.training.loss_scale import LossScale
from train_gamma.training.previews import Preview
from train_gamma.training.run_folder import RunFolder
from train_gamma.training.schedules import Schedule


@dataclass(slots=True)
class Run:
    """Everything a run is made of. ``step``, ``skipped``, ``nonfinite`` and the vectors change; the rest stays.

    vectors: (n, D) fp32 leaves per text encoder. learning_rate, clip_value: by step. evaluation: the fixed batches.
    skipped: steps that were drawn but not done, as their loss or gradient was not finite; nonfinite: how many of these
    in a row just now. seconds_before: time spent before this run was resumed.
    """

    config: RunConfig
    backbone: Backbone
    dataset: Dataset
    latents: LatentCache
    order: Order
    evaluation: Sequence[Batch]
    previews: Sequence[Preview]
    learning_rate: Schedule
    clip_value: Schedule
    total_steps: int
    samples_per_step: int
    folder: RunFolder
    listener: Listener
    control: Control
    vectors: dict[str, Tensor]
    optimizer: torch.optim.Optimizer
    loss_scale: LossScale
    step: int = 0
    skipped: int = 0
    nonfinite: int = 0
    seconds_before: float = 0.0
    started: float = field(default_factory=time.monotonic)

    @property
    def rows(self) -> list[Tensor]:
        """The trained tensors."""
        return list(self.vectors.values())

    @property
    def draw(self) -> int:
        """How many steps were drawn so far, done or skipped."""
        return self.step + self.skipped

    @property
    def seconds(self) -> float:
        """Time spent on the run."""
        return self.seconds_before + time.monotonic() - self.started
