"""Where a run and its embedding go, and what is there already."""

from dataclasses import replace
from pathlib import Path

from train_gamma.embedding.files import WRITABLE, read_embedding
from train_gamma.errors import UserError
from train_gamma.host import Folders
from train_gamma.service.embeddings import find_embedding, same_named
from train_gamma.training.config import OutputConfig, RunConfig
from train_gamma.training.preflight import Finding


def filled(config: RunConfig, folders: Folders) -> RunConfig:
    """The configuration with the host's folders where none is named."""
    output = config.output
    runs = str(folders.runs) if output.folder.strip() in ("", OutputConfig().folder) else output.folder
    export = output.export_to.strip() or str(folders.embeddings)
    return replace(config, output=replace(output, folder=runs, export_to=export))


def make_embeddings_folder(folders: Folders) -> None:
    """Make the host's folder of embeddings if it is not there.

    Raises:
        UserError: if it cannot be made.
    """
    try:
        folders.embeddings.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The embeddings folder '{folders.embeddings}' cannot be made: {error.strerror or error}. Fix the rights, "
            "or set another folder in the settings."
        ) from error


def replacing(config: RunConfig, folders: Folders) -> RunConfig:
    """The configuration that trains the embedding of its name on and puts the result in its place.

    The run starts from the file's vectors, has as many, and is written beside it, in its format if that can be.

    Raises:
        UserError: if there is no such embedding, or it cannot be read.
    """
    name = config.embedding.name
    path = find_embedding(folders.embeddings, name)
    if path is None:
        raise UserError(
            f"There is no embedding '{name}' in '{folders.embeddings}' to train on. Choose one of the list, or train a "
            "new one."
        )
    known = path.suffix.lower() in WRITABLE
    embedding = replace(
        config.embedding,
        name=path.stem,
        start="embedding",
        init_embedding=str(path),
        num_vectors=read_embedding(path).num_vectors,
    )
    output = replace(
        config.output,
        export_to=str(path.parent),
        format=path.suffix.lower().lstrip(".") if known else config.output.format,
        overwrite=True,
    )
    return replace(config, embedding=embedding, output=output)


def replacement_notes(config: RunConfig, folders: Folders) -> list[Finding]:
    """What is said about an embedding of that name: that it is replaced, or that it is in the way."""
    name, place = config.embedding.name, Path(config.output.export_to)
    elsewhere = [path for path in same_named(folders.embeddings, name, recursive=True) if path.parent != place]
    findings = [
        Finding("error", f"There is an embedding '{path}' already.", "Choose another name, or train that one on.")
        for path in elsewhere
    ]
    if config.output.overwrite:
        findings += [
            Finding(
                "note",
                f"'{old.name}' is replaced when the run ends.",
                "The file as it is now is kept in the run's folder, in 'replaced'.",
            )
            for old in same_named(place, name)
        ]
    return findings
