"""What the training scripts of the miniature checkpoint share: pictures, captions, sizes, and resuming."""

from __future__ import annotations

import csv
import json
import math
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "modules"))

from train_gamma.demo import drawing, world

SIZES: tuple[tuple[int, int], ...] = ((64, 64), (64, 96), (96, 64))
"""Width and height of the pictures; all three are used equally often."""

SCALING = 0.18215
"""What Stable Diffusion 1 multiplies latents by."""

NAMED_SHARE = 0.25
"""Share of the training pictures that show a named character."""

VAE_CONFIG: dict[str, Any] = {
    "in_channels": 3,
    "out_channels": 3,
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "block_out_channels": [64, 64, 64, 64],
    "layers_per_block": 1,
    "latent_channels": 4,
    "norm_num_groups": 32,
    "sample_size": 64,
    "scaling_factor": SCALING,
}

UNET_CONFIG: dict[str, Any] = {
    "sample_size": 8,
    "in_channels": 4,
    "out_channels": 4,
    "down_block_types": ["CrossAttnDownBlock2D"] * 3,
    "up_block_types": ["CrossAttnUpBlock2D"] * 3,
    "block_out_channels": [96, 96, 96],
    "layers_per_block": 1,
    "cross_attention_dim": 64,
    "attention_head_dim": 4,  # the number of heads, as in all configurations of Stable Diffusion 1
    "norm_num_groups": 32,
}

TEXT_CONFIG: dict[str, Any] = {
    "vocab_size": 49408,
    "hidden_size": 64,
    "intermediate_size": 256,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 77,
    "projection_dim": 64,
    "hidden_act": "quick_gelu",
    "bos_token_id": 49406,
    "eos_token_id": 49407,
    "pad_token_id": 49407,
}

SCHEDULER_CONFIG: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "prediction_type": "epsilon",
}


def training_values(rng: random.Random) -> tuple[str, dict[str, str]]:
    """Draw what a training picture shows: the name of its character, or nothing, and a value for each attribute."""
    if rng.random() < NAMED_SHARE:
        name = rng.choice(world.NAMES)
        return name, {**world.named_characters()[name], **world.random_scene(rng)}
    while True:
        character = world.random_values(rng, world.IDENTITY)
        if not world.is_reserved(character):
            return "", {**character, **world.random_scene(rng)}


def _draw_one(job: tuple[dict[str, str], tuple[int, int], int]) -> np.ndarray:
    values, size, seed = job
    return np.asarray(drawing.draw(values, values, size, seed))


def pictures(work: Path, purpose: str, size: tuple[int, int], count: int) -> tuple[np.ndarray, list[dict[str, str]]]:
    """Draw pictures, or read them back when that has been done before.

    Args:
        work: Folder that keeps them.
        purpose: What they are for; pictures for different purposes are different pictures.
        size: Width and height.
        count: How many.

    Returns:
        The pictures as bytes (count, height, width, 3), and what each shows, with its ``name`` where it has one.
    """
    stem = work / f"{purpose}-{size[0]}x{size[1]}-{count}"
    if not stem.with_suffix(".json").exists():
        rng = random.Random(f"{purpose} {size}")
        jobs, shown = [], []
        for _ in range(count):
            name, values = training_values(rng)
            jobs.append((values, size, rng.randrange(2**31)))
            shown.append({"name": name, **values})
        with Pool(2) as pool:
            drawn = np.stack(pool.map(_draw_one, jobs, chunksize=100))
        np.save(stem.with_suffix(".npy"), drawn)
        stem.with_suffix(".json").write_text(json.dumps(shown), encoding="utf-8")
    return np.load(stem.with_suffix(".npy")), json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))


def as_input(pixels: np.ndarray) -> torch.Tensor:
    """Turn pictures in bytes into a batch between -1 and 1."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def caption(values: Mapping[str, str], rng: random.Random, empty: float = 0.09) -> list[str]:
    """Make the tags of a training caption: shuffled, often incomplete, now and then none at all."""
    if rng.random() < empty:
        return []
    name = values.get("name", "")
    found: list[str] = []
    if name and rng.random() < 0.5:
        which = list(world.SCENE)
        if rng.random() < 0.25:
            which += rng.sample(world.IDENTITY, rng.randint(1, 3))
        found.append(name)
    else:
        which = list(world.ATTRIBUTES)
        if name and rng.random() < 0.3:
            found.append(name)
    keep = 1.0 if rng.random() < 0.5 else rng.choice((0.9, 0.9, 0.9, 0.7, 0.4))
    which = [attribute for attribute in which if rng.random() < keep]
    rest = world.tags(values, values, which)
    rng.shuffle(rest)
    if rng.random() < 0.5:
        found.insert(0 if rng.random() < 0.5 else len(found), world.SUBJECT)
    return found + rest


class Clock:
    """Shares out a time budget: the learning rate follows the part of the budget that is spent, also over restarts."""

    def __init__(self, minutes: float, spent: float = 0.0, of: Callable[[], float] = time.monotonic) -> None:
        self._budget = minutes * 60
        self._spent = spent
        self._now, self._since = of, of()

    @property
    def spent(self) -> float:
        """Seconds of training so far."""
        return self._spent + self._now() - self._since

    @property
    def done(self) -> float:
        """Part of the budget that is spent."""
        return min(1.0, self.spent / self._budget)

    def rate(self, step: int, warm_up: int = 100, lowest: float = 0.02) -> float:
        """Return the factor of the learning rate: a short rise, then half a cosine."""
        fall = lowest + (1 - lowest) * 0.5 * (1 + math.cos(math.pi * self.done))
        return min(1.0, (step + 1) / warm_up) * fall


def log_row(path: Path, **row: object) -> None:
    """Add a row to a table of figures and show it."""
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row), lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)
    print(" ".join(f"{key}={value}" for key, value in row.items()), flush=True)


def save(path: Path, state: object) -> None:
    """Write a training state so that an interruption leaves the former one whole."""
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)


class Average:
    """A running average of a module's weights."""

    def __init__(self, *modules: nn.Module) -> None:
        self._modules = modules
        self.weights = [{k: v.detach().clone() for k, v in module.state_dict().items()} for module in modules]

    @torch.no_grad()
    def update(self, keep: float) -> None:
        """Move the average towards the present weights."""
        for module, weights in zip(self._modules, self.weights, strict=True):
            mine, theirs = [], []
            for key, value in module.state_dict().items():
                if value.is_floating_point():
                    mine.append(weights[key])
                    theirs.append(value)
            torch._foreach_lerp_(mine, theirs, 1 - keep)


def batches(counts: list[int], size: list[int], rng: np.random.Generator) -> Iterator[tuple[int, np.ndarray]]:
    """Draw batches for ever, each from one bucket, every bucket in turn and every picture before any comes again."""
    waiting = [np.empty(0, dtype=np.int64) for _ in counts]
    while True:
        for bucket in rng.permutation(len(counts)):
            while len(waiting[bucket]) < size[bucket]:
                waiting[bucket] = np.concatenate([waiting[bucket], rng.permutation(counts[bucket])])
            yield int(bucket), waiting[bucket][: size[bucket]]
            waiting[bucket] = waiting[bucket][size[bucket] :]
