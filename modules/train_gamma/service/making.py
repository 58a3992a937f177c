"""Files that are made without training: an untrained embedding, a copy of a step, the sample pictures."""

import tempfile
from dataclasses import replace
from pathlib import Path

from train_gamma.backbone import Backbone
from train_gamma.demo.samples import SAMPLE_CHARACTER, write_dataset
from train_gamma.embedding.embedding import Embedding, info_of
from train_gamma.embedding.files import read_embedding, write_embedding
from train_gamma.embedding.start import start_vectors
from train_gamma.errors import UserError, raise_all
from train_gamma.jobs.history import run_copies
from train_gamma.service.looking import dataset_tags, name_findings
from train_gamma.training.config import RunConfig
from train_gamma.training.run_folder import RunFolder


def create(config: RunConfig, model: Backbone, folder: Path, seed: int) -> Path:
    """Write an untrained embedding into ``folder``.

    Raises:
        UserError: if the name or the start is not right, it exists and ``overwrite`` is off, or it cannot be written.
    """
    embedding = config.embedding
    found = name_findings(embedding.name, model, folder, config.output.overwrite)
    raise_all([str(finding) for finding in found if finding.level == "error"])
    tags = dataset_tags(config.dataset, embedding.name) if embedding.start == "tags" else []
    vectors = start_vectors(embedding, model, seed, tags)
    path = folder / f"{embedding.name}.{config.output.format}"
    _write(Embedding(embedding.name, vectors, step=0, info=info_of(model.identity)), path)
    return path


def copy_of_step(run: RunFolder, step: int, folder: Path) -> Path:
    """Put the copy that a run made after ``step`` steps into ``folder``, as an embedding called ``NAME-STEP``.

    Raises:
        UserError: if there is no such copy, or it cannot be written.
    """
    copy = next((path for at, path in run_copies(run) if at == step), None)
    if copy is None:
        raise UserError(f"The run '{run.path.name}' has no copy of step {step}. Choose one of its copies.")
    path = folder / copy.name
    _write(replace(read_embedding(copy), name=copy.stem), path)
    return path


def sample_dataset(folder: Path) -> Path:
    """Draw the sample pictures with their captions into ``folder``, all of them or none. One that exists stays."""
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".sample") as temporary:
            drawn = Path(temporary) / "pictures"
            write_dataset(SAMPLE_CHARACTER, drawn)
            if not folder.exists():
                drawn.rename(folder)
    return folder


def _write(embedding: Embedding, path: Path) -> None:
    try:
        write_embedding(embedding, path)
    except OSError as error:
        raise UserError(
            f"'{path}' cannot be written: {error.strerror or error}. Free space or fix the folder's rights."
        ) from error
