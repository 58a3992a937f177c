"""Where the miniature checkpoint lies, and how to give it to a host that reads a .yaml beside a checkpoint."""

from __future__ import annotations

import shutil
from pathlib import Path

from train_gamma.errors import UserError

FOLDER = Path(__file__).with_name("miniature")
CHECKPOINT = FOLDER / "miniature.safetensors"
SIDE_CAR = FOLDER / "miniature.yaml"
TOKENIZER = FOLDER / "tokenizer"
DIFFUSERS = FOLDER / "diffusers"
"""Settings with which diffusers loads the checkpoint offline."""


def place(models: Path) -> Path:
    """Copy the checkpoint and its side-car into a host's folder of checkpoints.

    The side-car that is written names the tokenizer's folder by its absolute path, as the host cannot know where it is.

    Args:
        models: The folder, such as the WebUI's ``models/Stable-diffusion``.

    Returns:
        The copied checkpoint.

    Raises:
        UserError: If there is no such folder.
    """
    if not models.is_dir():
        raise UserError(f"There is no folder {models}. Name the host's folder of checkpoints.")
    target = models / CHECKPOINT.name
    shutil.copyfile(CHECKPOINT, target)
    text = SIDE_CAR.read_text(encoding="utf-8")
    version = str(TOKENIZER.resolve()).replace("'", "''")
    text = text.replace("version: tokenizer", f"version: '{version}'")
    target.with_suffix(".yaml").write_text(text, encoding="utf-8")
    return target
