"""What can be said about an embedding by looking at its numbers."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from train_gamma.embedding.embedding import Embedding, Family

DecodeToken = Callable[[int], str]

NUM_NEAREST = 5


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A token of the vocabulary near a vector: its id, its text and the cosine between the two."""

    id: int
    text: str
    cosine: float


@dataclass(frozen=True, slots=True)
class VectorReport:
    """One vector of one text encoder.

    Attributes:
        encoder: ``clip_l``, ``clip_h`` or ``clip_g``.
        index: 1 for the first vector.
        norm: its length.
        percentile: how many per cent of the vocabulary are shorter, None without a vocabulary.
        nearest: the nearest tokens by cosine, nearest first; empty without a vocabulary.
    """

    encoder: str
    index: int
    norm: float
    percentile: float | None
    nearest: tuple[Neighbour, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What ``inspect`` found out."""

    name: str
    family: Family
    num_vectors: int
    widths: Mapping[str, int]
    step: int | None
    metadata: Mapping[str, Any]
    vocabulary_norm: Mapping[str, float]
    vectors: tuple[VectorReport, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        return asdict(self)

    def to_text(self) -> str:
        """The report for a terminal."""
        widths = ", ".join(f"{encoder} {width}" for encoder, width in self.widths.items())
        lines = [f"{self.name}: {_count(self.num_vectors, 'vector')} for {self.family} ({widths})"]
        lines += [f"  {key}: {_short(value)}" for key, value in self.metadata.items()]
        lines += [
            f"  mean length in the vocabulary of {encoder}: {n:.3f}" for encoder, n in self.vocabulary_norm.items()
        ]
        lines += [_line(vector) for vector in self.vectors]
        return "\n".join([*lines, *(f"  Note: {note}" for note in self.notes)])


def inspect(
    embedding: Embedding, tables: Mapping[str, Tensor] | None = None, decode: DecodeToken | None = None
) -> Report:
    """Measure an embedding, against a vocabulary if there is one.

    Args:
        embedding: what to look at.
        tables: (V, D) input embeddings per text encoder, as ``Backbone.token_tables()`` gives them. Encoders of another
            width than the embedding's are left out, with a note.
        decode: the text of a token id; ids are shown as numbers without it.
    """
    notes = list(embedding.info.notes)
    matching = _matching(embedding, tables or {}, notes)
    vectors: list[VectorReport] = []
    for encoder, rows in embedding.vectors.items():
        vectors += _measured(encoder, rows, matching.get(encoder), decode)
    return Report(
        name=embedding.name,
        family=embedding.family,
        num_vectors=embedding.num_vectors,
        widths={encoder: rows.shape[1] for encoder, rows in embedding.vectors.items()},
        step=embedding.step,
        metadata=_metadata(embedding),
        vocabulary_norm={encoder: float(_norms(table).mean()) for encoder, table in matching.items()},
        vectors=tuple(vectors),
        notes=tuple(notes),
    )


def _matching(embedding: Embedding, tables: Mapping[str, Tensor], notes: list[str]) -> dict[str, Tensor]:
    """The table of each encoder of the embedding; a single encoder's name does not matter, its width does."""
    if len(tables) == 1 and len(embedding.vectors) == 1:
        tables = {next(iter(embedding.vectors)): next(iter(tables.values()))}
    matching: dict[str, Tensor] = {}
    for encoder, rows in embedding.vectors.items():
        table = tables.get(encoder)
        if table is not None and table.shape[1] == rows.shape[1]:
            matching[encoder] = table.detach()
        elif tables:
            notes.append(
                f"The model has no vocabulary of width {rows.shape[1]} for {encoder}, so these vectors are not "
                "compared with words. The embedding belongs to another kind of model."
            )
    return matching


def _measured(encoder: str, rows: Tensor, table: Tensor | None, decode: DecodeToken | None) -> list[VectorReport]:
    norms = rows.norm(dim=1)
    if table is None:
        return [VectorReport(encoder, index + 1, float(norm), None, ()) for index, norm in enumerate(norms)]
    lengths = _norms(table)
    known = table.float() / lengths.clamp_min(torch.finfo(torch.float32).tiny)[:, None]  # (V, D)
    unit = rows / norms.clamp_min(torch.finfo(torch.float32).tiny)[:, None]  # (n, D)
    cosines = unit.to(known.device) @ known.T  # (n, V)
    best, ids = cosines.topk(min(NUM_NEAREST, cosines.shape[1]), dim=1)
    reports = []
    for index, norm in enumerate(norms):
        nearest = [
            Neighbour(token, decode(token) if decode else f"#{token}", cosine)
            for token, cosine in zip(ids[index].tolist(), best[index].tolist(), strict=True)
        ]
        percentile = 100 * float((lengths < norm.to(lengths.device)).float().mean())
        reports.append(VectorReport(encoder, index + 1, float(norm), percentile, tuple(nearest) if norm > 0 else ()))
    return reports


def _norms(table: Tensor) -> Tensor:
    lengths: Tensor = table.detach().float().norm(dim=1)
    return lengths


def _metadata(embedding: Embedding) -> dict[str, Any]:
    info = embedding.info
    known = {
        "step": embedding.step,
        "model": info.model_name,
        "model hash": info.model_hash,
        "VAE": info.vae_name or ("the checkpoint's own" if info.vae_hash and info.vae_hash == info.model_hash else ""),
        "VAE hash": info.vae_hash,
        "clip skip": info.clip_skip,
        "config": info.config,
        **info.extra,
    }
    return {key: value for key, value in known.items() if value not in (None, "")}


def _line(vector: VectorReport) -> str:
    told = f"  {vector.encoder} {vector.index}: length {vector.norm:.3f}"
    if vector.percentile is not None:
        told += f" (longer than {vector.percentile:.0f} % of the vocabulary)"
    if vector.nearest:
        told += ", near " + ", ".join(f"'{near.text}' {near.cosine:.2f}" for near in vector.nearest)
    return told


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 200 else f"{text[:197]}..."
