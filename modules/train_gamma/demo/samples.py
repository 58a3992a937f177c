"""Writes small training sets of unseen characters, with captions from which their own traits are pruned."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from train_gamma.demo.drawing import draw
from train_gamma.demo.world import ATTRIBUTES, SCENE, SUBJECT, random_character, tags
from train_gamma.errors import UserError

Captions: TypeAlias = Literal["pruned", "full", "none"]
"""``pruned``: the scene only, for training; ``full``: all tags; ``none``: no caption files."""

SAMPLES: Mapping[str, int] = {"zib": 0, "mop": 1, "fen": 2}
"""Ready-made sample characters: a name for the embedding, and the character's seed."""

SAMPLE_CHARACTER = 1
"""The seed of the character that the demo and the page's sample dataset show."""

SIZES: tuple[tuple[int, int], ...] = ((128, 128), (128, 192), (192, 128))
"""Width and height of the pictures in turn: twice what the checkpoint paints, so that they have to be resized."""


def balanced_scenes(count: int, rng: random.Random) -> list[dict[str, str]]:
    """Draw scenes in which every value of an attribute comes about equally often."""
    columns: dict[str, list[str]] = {}
    for name in SCENE:
        values = ATTRIBUTES[name].values
        column = [values[index % len(values)] for index in range(count)]
        rng.shuffle(column)
        columns[name] = column
    return [{name: columns[name][index] for name in SCENE} for index in range(count)]


def write_dataset(
    character_seed: int, folder: Path, num_pictures: int = 24, captions: Captions = "pruned", seed: int = 0
) -> list[Path]:
    """Write pictures of an unseen character, all in different scenes, with a caption file beside each.

    Args:
        character_seed: Which character, see `world.random_character`.
        folder: Where to; it is made if it does not exist. Files of the same name are replaced.
        num_pictures: How many pictures.
        captions: What the caption files hold.
        seed: Another seed gives other pictures of the same character.

    Returns:
        The pictures' paths.

    Raises:
        UserError: If the number of pictures or the kind of captions makes no sense.
    """
    if num_pictures < 1:
        raise UserError(f"At least one picture is needed, not {num_pictures}.")
    if captions not in ("pruned", "full", "none"):
        raise UserError(f'Captions can be "pruned", "full" or "none", not "{captions}".')
    character = random_character(character_seed)
    rng = random.Random(f"dataset {character_seed} {seed}")
    scenes = balanced_scenes(num_pictures, rng)
    folder.mkdir(parents=True, exist_ok=True)
    found: list[Path] = []
    for index, scene in enumerate(scenes):
        path = folder / f"{index + 1:03d}.png"
        draw(character, scene, SIZES[index % len(SIZES)], rng.randrange(2**31)).save(path)
        words = [SUBJECT, *tags(character, scene, SCENE)] if captions == "pruned" else tags(character, scene)
        if captions != "none":
            path.with_suffix(".txt").write_text(", ".join(words) + "\n", encoding="utf-8")
        found.append(path)
    return found


def write_sample(name: str, folder: Path) -> list[Path]:
    """Write the training set of one of the ready-made sample characters."""
    if name not in SAMPLES:
        raise UserError(f'There is no sample character "{name}"; there are: {", ".join(SAMPLES)}.')
    return write_dataset(SAMPLES[name], folder)
