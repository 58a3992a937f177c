"""A run is a folder: what is in it and what its files are called."""

import json
import platform
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy
import PIL
import torch

from train_gamma import __version__, atomic
from train_gamma.backbone import ModelIdentity
from train_gamma.errors import UserError
from train_gamma.training.config import RunConfig
from train_gamma.training.config_reading import from_dict


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The paths of a run."""

    path: Path

    @property
    def config(self) -> Path:
        """Every setting that acts, with the model's hashes and the versions of the programs."""
        return self.path / "config.json"

    @property
    def manifest(self) -> Path:
        """The hash of every picture and caption."""
        return self.path / "manifest.json"

    @property
    def report(self) -> Path:
        """What was found about the pictures and settings before the start; ``report.md`` beside it is the same."""
        return self.path / "report.html"

    @property
    def events(self) -> Path:
        """One JSON object a line for everything that happened."""
        return self.path / "events.jsonl"

    @property
    def loss(self) -> Path:
        """Step, loss, learning rate and norms as a table."""
        return self.path / "loss.csv"

    @property
    def state(self) -> Path:
        """What is needed to go on, as of the last save."""
        return self.path / "state.safetensors"

    @property
    def copies(self) -> Path:
        """The embedding as it was on the way."""
        return self.path / "copies"

    @property
    def previews(self) -> Path:
        """The preview pictures."""
        return self.path / "previews"

    @property
    def tensorboard(self) -> Path:
        """TensorBoard's files."""
        return self.path / "tensorboard"

    def copy(self, name: str, step: int, ending: str) -> Path:
        """The copy after ``step`` finished steps."""
        return self.copies / f"{name}-{step}.{ending}"

    def preview(self, step: int, index: int) -> Path:
        """The picture of preview prompt ``index`` after ``step`` finished steps."""
        return self.previews / f"{step:06d}-{index:02d}.png"


def new_run_folder(parent: Path, name: str) -> RunFolder:
    """Make an empty folder ``NAME-DATE-TIME`` in ``parent``; a number is added when there is one already.

    Raises:
        UserError: if it cannot be made.
    """
    stem = f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for number in range(1, 1000):
            path = parent / (stem if number == 1 else f"{stem}-{number}")
            try:
                path.mkdir()
            except FileExistsError:
                continue
            return RunFolder(path)
    except OSError as error:
        raise UserError(
            f"Runs folder '{parent}' cannot be used: {error.strerror or error}. Choose another with output.folder."
        ) from error
    raise UserError(f"Runs folder '{parent}' has a thousand runs of this second. Choose another with output.folder.")


def open_run_folder(path: Path) -> RunFolder:
    """A run that exists.

    Raises:
        UserError: if ``path`` is not the folder of a run.
    """
    folder = RunFolder(path)
    if not folder.config.is_file():
        raise UserError(
            f"'{path}' is not the folder of a run: it has no config.json. Give the folder that train printed."
        )
    return folder


def write_config(folder: RunFolder, config: RunConfig, identity: ModelIdentity) -> None:
    """Write ``config.json``."""
    model = {name: getattr(identity, name) for name in identity.__dataclass_fields__}
    versions = {
        "train_gamma": __version__,
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "pillow": PIL.__version__,
        "python": platform.python_version(),
    }
    content = {**config.to_dict(), "identity": model, "versions": versions}
    atomic.write_text(folder.config, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read_config(folder: RunFolder) -> tuple[RunConfig, dict[str, Any]]:
    """The configuration of a run and the model's identity as recorded.

    Raises:
        UserError: if config.json is damaged or of another version.
    """
    try:
        content = dict(json.loads(folder.config.read_text("utf-8")))
        identity = dict(content.pop("identity"))
        content.pop("versions")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(_damaged(folder.config, error)) from error
    return from_dict(content), identity


def write_manifest(folder: RunFolder, manifest: dict[str, Any]) -> None:
    """Write ``manifest.json``."""
    atomic.write_text(folder.manifest, json.dumps(manifest, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


def read_manifest(folder: RunFolder) -> Any:
    """The manifest of a run.

    Raises:
        UserError: if it is missing or damaged.
    """
    try:
        return json.loads(folder.manifest.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(_damaged(folder.manifest, error)) from error


def _damaged(path: Path, error: Exception) -> str:
    return (
        f"'{path}' is missing or damaged ({error}), so the run cannot be resumed. Start a new one with "
        "embedding.start=embedding, from a file in the folder 'copies' beside it."
    )
