"""The embedding that the Train tab names: one that exists, or a new one that begins as the Create tab says."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from train_gamma.errors import UserError
from train_gamma.service import EmbeddingSummary, Service
from train_gamma.training.config import EmbeddingConfig, RunConfig
from train_gamma.training.config_reading import from_dict
from train_gamma.ui.form import Form, Nested

PRESENT = "the vectors it has"
FRESH = "new vectors in its place"
BEGINNINGS = (PRESENT, FRESH)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A run that the page describes: its settings, and whether an existing embedding is trained on."""

    config: RunConfig
    train_on: bool


def find(service: Service, name: Any) -> EmbeddingSummary | None:
    """The embedding of that name in the host's folder, if there is one."""
    wanted = str(name or "").strip().lower()
    return next((e for e in service.embeddings() if e.name.lower() == wanted), None) if wanted else None


def with_file(service: Service, nested: Nested) -> Nested:
    """Put the file in the place of an embedding's name that was chosen to start from."""
    embedding = nested.get("embedding", {})
    found = find(service, embedding.get("init_embedding"))
    if found is not None:
        embedding["init_embedding"] = str(found.path)
    return nested


def wanted_run(service: Service, form: Form, name: str, begin: str, values: Sequence[Any]) -> Wanted:
    """The run that the page describes.

    Args:
        service: knows the embeddings there are.
        form: reads ``values``.
        name: of the embedding, as chosen or typed.
        begin: one of ``BEGINNINGS``; it only matters for an embedding that exists.
        values: of the form's components.

    Raises:
        UserError: if no embedding is named, or a value does not fit.
    """
    if not (name or "").strip():
        raise UserError("Embedding is empty. Choose one of the list, or type a new name.")
    nested = with_file(service, form.plain(values))
    found = find(service, name)
    train_on = found is not None and begin == PRESENT
    nested["embedding"]["name"] = name.strip() if found is None else found.name
    nested["output"]["overwrite"] = found is not None  # what was there is kept in the run's folder
    if found is not None and train_on:
        nested["embedding"]["num_vectors"] = max(1, found.num_vectors)
    return Wanted(from_dict(nested), train_on)


def beginning_of(config: EmbeddingConfig, found: EmbeddingSummary | None) -> str:
    """How a run of those settings began, for the form."""
    if found is not None and config.start == "embedding" and config.init_embedding == str(found.path):
        return PRESENT
    return FRESH


def described(service: Service, name: str, begin: str, config: RunConfig) -> str:
    """A line on the chosen embedding, as HTML."""
    found = find(service, name)
    if not (name or "").strip():
        line = "Choose an embedding, or type a new name."
    elif found is not None and begin == PRESENT:
        trained = f"{found.step:,} steps trained" if found.step else "not trained yet"
        line = found.problem or f"{_vectors(found.num_vectors)}, {trained}."
    else:
        start = service.explain_start(config.embedding, config.model, config.dataset)
        told = start.problem or f"{start.summary} The Create tab has these settings."
        line = f"New, {_vectors(config.embedding.num_vectors)}: {told}"
    return f'<p class="tg-quiet">{escape(line)}</p>'


def _vectors(count: int) -> str:
    return "1 vector" if count == 1 else f"{count} vectors"
