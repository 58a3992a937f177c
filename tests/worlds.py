"""Small datasets and configurations for tests of whole runs."""

import random
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from train_gamma.training.config import RunConfig
from train_gamma.training.config_reading import from_dict

SIZES = ((64, 64), (64, 96), (96, 64))
TAGS = ("sky", "holding star", "night", "smile", "forest")


def write_pictures(folder: Path, count: int = 7, seed: int = 0) -> Path:
    """Write ``count`` pictures of mixed sizes with captions."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(seed)
    for index in range(count):
        width, height = SIZES[index % len(SIZES)]
        colour = tuple(rng.randrange(256) for _ in range(3))
        picture = Image.new("RGB", (width, height), colour)
        box = (rng.randrange(30), rng.randrange(30), 40 + rng.randrange(24), 40 + rng.randrange(24))
        ImageDraw.Draw(picture).ellipse(box, fill=tuple(rng.randrange(256) for _ in range(3)))
        picture.save(folder / f"{index}.png")
        (folder / f"{index}.txt").write_text(", ".join(rng.sample(TAGS, 3)), "utf-8")
    return folder


def small_config(root: Path, **changes: dict[str, Any]) -> RunConfig:
    """A configuration for a short run on the pictures in ``root / 'pictures'``; sections as keywords."""
    base: dict[str, dict[str, Any]] = {
        "embedding": {"name": "zzgamma", "num_vectors": 2, "init_text": "girl"},
        "dataset": {
            "folder": str(root / "pictures"),
            "width": 64,
            "height": 64,
            "bucket_step": 32,
            "bucket_min": 64,
            "bucket_max": 128,
        },
        "training": {"max_steps": 6, "batch_size": 3, "evaluation_batches": 1, "evaluate_every_n_steps": 3},
        "preview": {"width": 64, "height": 64, "steps": 2},
        "output": {"folder": str(root / "runs"), "save_every_n_steps": 2},
    }
    for section, values in changes.items():
        base.setdefault(section, {}).update(values)
    return from_dict(base)
