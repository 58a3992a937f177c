"""Folders for the doctor: one where nothing is wrong, and a way to break it for each fault he knows."""

import random
from pathlib import Path
from typing import Any

from train_gamma.demo.drawing import draw
from train_gamma.demo.samples import balanced_scenes
from train_gamma.demo.world import random_character, tags
from train_gamma.doctor.examine import Examination, examine
from train_gamma.doctor.material import Target
from train_gamma.training.config import DatasetConfig

NAME = "zz-mika"


def config_of(folder: Path, **changes: Any) -> DatasetConfig:
    """Settings for pictures of about 64 x 64 pixels, whose captions are read as the WebUI reads prompts."""
    values: dict[str, Any] = {
        "width": 64,
        "height": 64,
        "bucket_step": 8,
        "bucket_min": 32,
        "bucket_max": 128,
        "emphasis": True,
    }
    return DatasetConfig(folder=str(folder), **{**values, **changes})


def clean_folder(folder: Path, count: int = 12) -> Path:
    """Write pictures of one drawn character in different scenes, with all their tags as captions."""
    folder.mkdir(parents=True)
    character, rng = random_character(7), random.Random(7)
    for number, scene in enumerate(balanced_scenes(count, rng)):
        draw(character, scene, (64, 64), number).save(folder / f"{number:02d}.png")
        (folder / f"{number:02d}.txt").write_text(", ".join(tags(character, scene)) + "\n", "utf-8")
    return folder


def words(text: str) -> int:
    """Stands for a tokenizer: a token for each word and each comma."""
    return len(text.replace(",", " , ").split())


def examined(folder: Path, name: str = NAME, num_vectors: int = 4, init_text: str = "", **changes: Any) -> Examination:
    """Examine a folder with the settings above."""
    return examine(config_of(folder, **changes), Target(name, num_vectors, init_text, words))


def kinds(examination: Examination) -> list[str]:
    """The kinds that were found."""
    return [finding.kind for finding in examination.findings]
