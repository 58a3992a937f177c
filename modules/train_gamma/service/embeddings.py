"""The embeddings in the host's folder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from train_gamma.backbone import Backbone
from train_gamma.embedding.files import READABLE, read_embedding
from train_gamma.embedding.inspection import Report, inspect
from train_gamma.errors import UserError
from train_gamma.service.places import UnknownError

PICTURES = (".png", ".webp")


@dataclass(frozen=True, slots=True)
class EmbeddingSummary:
    """One embedding in the host's folder.

    Attributes:
        name: what it is prompted with.
        path: its file.
        num_vectors: 0 when the file cannot be read.
        family: "sd1", "sd2" or "sdxl"; "" when the file cannot be read.
        step: optimizer steps it was trained, None when the file does not say.
        model_name: the checkpoint it was trained on, "" when the file does not say.
        problem: why it cannot be used, "" when it can.
    """

    name: str
    path: Path
    num_vectors: int = 0
    family: str = ""
    step: int | None = None
    model_name: str = ""
    problem: str = ""


class EmbeddingList:
    """Reads a folder of embeddings, each file once until it changes."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[float, int], EmbeddingSummary | None]] = {}

    def read(self, folder: Path) -> list[EmbeddingSummary]:
        """The embeddings in ``folder`` and the folders inside it, by name. Preview pictures are left out."""
        found: dict[Path, tuple[tuple[float, int], EmbeddingSummary | None]] = {}
        for path in embedding_files(folder):
            try:
                status = path.stat()
            except OSError:
                continue  # gone since it was listed
            stamp = (status.st_mtime, status.st_size)
            known = self._known.get(path)
            found[path] = known if known is not None and known[0] == stamp else (stamp, _summary(path))
        self._known = found
        summaries = [summary for _, summary in found.values() if summary is not None]
        return sorted(summaries, key=lambda summary: (summary.name.lower(), str(summary.path)))


def embedding_files(folder: Path, recursive: bool = True) -> list[Path]:
    """The files in ``folder``, and in the folders inside it, that may be embeddings."""
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in (folder.rglob("*") if recursive else folder.glob("*"))
        if path.suffix.lower() in READABLE
        and not path.name.startswith(".")
        and not path.stem.lower().endswith(".preview")
        and path.is_file()
    )


def same_named(folder: Path, name: str, recursive: bool = False) -> list[Path]:
    """The embeddings called ``name`` in ``folder``, in any case as prompts have it. Pictures that are none are not."""
    files = embedding_files(folder, recursive)
    return [path for path in files if path.stem.lower() == name.lower() and _summary(path) is not None]


def find_embedding(folder: Path, name: str) -> Path | None:
    """The file of the embedding ``name`` in ``folder`` or the folders inside it; those in the folder come first."""
    found = same_named(folder, name, recursive=True)
    return min(found, key=lambda path: (path.suffix.lower() in PICTURES, len(path.parts), str(path)), default=None)


def report_on(name: str, folder: Path, look: Callable[[], Backbone]) -> Report:
    """What is in the embedding ``name`` of ``folder``, measured against the words of the model that is looked at.

    Raises:
        UnknownError: if there is no such embedding.
        UserError: if its file cannot be read.
    """
    path = find_embedding(folder, name)
    if path is None:
        raise UnknownError(f"There is no embedding '{name}'. Choose one of the list.")
    embedding = read_embedding(path)
    try:
        model = look()
    except UserError:
        return inspect(embedding)
    return inspect(embedding, model.token_tables(), model.token_text)


def _summary(path: Path) -> EmbeddingSummary | None:
    try:
        embedding = read_embedding(path)
    except UserError as error:
        return None if path.suffix.lower() in PICTURES else EmbeddingSummary(path.stem, path, problem=str(error))
    return EmbeddingSummary(
        name=path.stem,
        path=path,
        num_vectors=embedding.num_vectors,
        family=embedding.family,
        step=embedding.step,
        model_name=embedding.info.model_name,
    )
