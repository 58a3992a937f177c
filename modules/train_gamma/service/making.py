"""Files that are made without training: an untrained embedding, a copy of a step, the sample pictures."""

import tempfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from train_gamma.backbone import Backbone
from train_gamma.demo.samples import SAMPLE_CHARACTER, write_dataset
from train_gamma.embedding.embedding import Embedding, info_of
from train_gamma.embedding.files import read_embedding, write_embedding
from train_gamma.embedding.start import start_vectors
from train_gamma.errors import UserError, raise_all
from train_gamma.host import Folders
from train_gamma.jobs.history import run_copies
from train_gamma.service.looking import dataset_tags, name_findings
from train_gamma.service.replaced import REPLACED, in_place_of, keep
from train_gamma.training.config import RunConfig
from train_gamma.training.run_folder import RunFolder


def create(config: RunConfig, model: Backbone, folders: Folders, seed: int) -> Path:
    """Write an untrained embedding into the folder of embeddings.

    With ``overwrite`` it is the only one of its name afterwards: those that were there, of any format and in folders
    inside too, are moved to ``replaced`` in the folder of runs.

    Raises:
        UserError: if the name or the start is not right, it exists and ``overwrite`` is off, or a file cannot be
            written.
    """
    embedding = config.embedding
    found = name_findings(embedding.name, model, folders.embeddings, config.output.overwrite)
    raise_all([str(finding) for finding in found if finding.level == "error"])
    tags = dataset_tags(config.dataset, embedding.name) if embedding.start == "tags" else []
    vectors = start_vectors(embedding, model, seed, tags)
    path = folders.embeddings / f"{embedding.name}.{config.output.format}"
    old = in_place_of(path, recursive=True)
    for file in old:
        keep(file, folders.runs / REPLACED, f"{file.stem}-{datetime.now():%Y%m%d-%H%M%S}{file.suffix}")
    _write(Embedding(embedding.name, vectors, step=0, info=info_of(model.identity)), path)
    for file in old:
        _remove_beside(path, file)
    return path


def copy_of_step(run: RunFolder, step: int, folder: Path) -> Path:
    """Put the copy that a run made after ``step`` steps into ``folder``, as an embedding called ``NAME-STEP``.

    One that is there already stays, wherever it lies in ``folder``.

    Returns:
        The file.

    Raises:
        UserError: if there is no such copy, another embedding has its name, or it cannot be written.
    """
    copy = next((path for at, path in run_copies(run) if at == step), None)
    if copy is None:
        raise UserError(f"The run '{run.path.name}' has no copy of step {step}. Choose one of its copies.")
    path = folder / copy.name
    embedding = replace(read_embedding(copy), name=copy.stem)
    there = in_place_of(path, recursive=True)
    for file in there:
        if not _holds(file, embedding):
            raise UserError(
                f"There is '{file}' already, which is not this copy. It is left as it is: rename or remove it first."
            )
    if there:
        return path if path in there else there[0]
    _write(embedding, path)
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


def _holds(path: Path, embedding: Embedding) -> bool:
    """Whether a file has the vectors of ``embedding`` and no others."""
    try:
        vectors = read_embedding(path).vectors
    except UserError:
        return False
    wanted = embedding.vectors
    return vectors.keys() == wanted.keys() and all(bool(vectors[key].equal(wanted[key])) for key in wanted)


def _remove_beside(path: Path, old: Path) -> None:
    """Remove what is kept elsewhere, unless the new file took its very place."""
    try:
        if not old.samefile(path):
            old.unlink()
    except OSError as error:
        raise UserError(
            f"'{path}' is written, but '{old}' of the same name cannot be removed: {error.strerror or error}. Remove "
            "it by hand, or prompts go on with the old one."
        ) from error


def _write(embedding: Embedding, path: Path) -> None:
    try:
        write_embedding(embedding, path)
    except OSError as error:
        raise UserError(
            f"'{path}' cannot be written: {error.strerror or error}. Free space or fix the folder's rights."
        ) from error
