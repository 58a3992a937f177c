"""The numbers of a run that follow from its settings and its pictures."""

import math
from dataclasses import dataclass

from train_gamma.training.config import RunConfig
from train_gamma.training.schedules import Schedule, parse_schedule


@dataclass(frozen=True, slots=True)
class Plan:
    """The numbers of a run that follow from its configuration and its pictures."""

    samples_per_step: int
    total_steps: int
    learning_rate: Schedule
    clip_value: Schedule


def make_plan(config: RunConfig, num_pictures: int) -> Plan:
    """Work out the steps of a run over ``num_pictures`` pictures.

    Raises:
        UserError: if a schedule does not fit the number of steps.
    """
    training = config.training
    samples = num_pictures if training.full_batch else training.batch_size * training.gradient_accumulation
    steps = training.max_steps or math.ceil(training.max_epochs * num_pictures / samples)
    clip = training.clip_value if training.clip_mode != "off" else "1"
    return Plan(
        samples,
        steps,
        parse_schedule("Learning rate", training.learning_rate, steps),
        parse_schedule("Gradient clip value", clip, steps),
    )
