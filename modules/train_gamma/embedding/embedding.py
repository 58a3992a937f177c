"""The learned vectors and what is known about where they come from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from train_gamma.backbone import ModelIdentity
from train_gamma.errors import UserError

Family = Literal["sd1", "sd2", "sdxl"]

SHORT_HASH_LENGTH = 10
"""A1111 shows and records this many hex digits of a checkpoint's sha256 (``CheckpointInfo.shorthash``)."""

_ENCODER_OF_WIDTH = {1024: "clip_h", 1280: "clip_g"}


@dataclass(frozen=True, slots=True)
class EmbeddingInfo:
    """Where vectors come from, as far as a file tells.

    Attributes:
        model_name: name of the checkpoint, "" when unknown.
        model_hash: its sha256 in lower-case hex; only the first 10 digits when that is all a file holds.
        vae_name: "" for the checkpoint's own VAE or when unknown.
        vae_hash: sha256 of the VAE, equal to ``model_hash`` for the checkpoint's own.
        clip_skip: the clip skip trained with, None when unknown.
        config: every setting of the run as JSON text.
        extra: what other programs wrote beside the vectors, as text.
        notes: what a reader of the file should know, in sentences; never written to a file.
    """

    model_name: str = ""
    model_hash: str = ""
    vae_name: str = ""
    vae_hash: str = ""
    clip_skip: int | None = None
    config: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def short_hash(self) -> str:
        """The model hash as A1111 shows it: its first 10 hex digits."""
        return self.model_hash[:SHORT_HASH_LENGTH]


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """A snapshot of the vectors of one embedding.

    Attributes:
        name: the word it is prompted with.
        vectors: (n, D) per text encoder: ``{"clip_l": ...}`` for SD 1.x, ``{"clip_h": ...}`` for SD 2.x,
            ``{"clip_l": ..., "clip_g": ...}`` for SDXL. Whatever is given is copied to the CPU as float32, so that
            later changes to a trained parameter do not reach it.
        step: optimizer steps done, None when unknown.
        info: model, VAE, clip skip and settings it was trained with.

    Raises:
        UserError: if there is no vector, a tensor is not (n, D), the encoders' counts differ, or a value is not finite.
    """

    name: str
    vectors: Mapping[str, Tensor]
    step: int | None = None
    info: EmbeddingInfo = field(default_factory=EmbeddingInfo)

    def __post_init__(self) -> None:
        """Check the vectors and take a copy of them."""
        _check_shapes(self.name, self.vectors)
        copies = {encoder: _copied(rows) for encoder, rows in self.vectors.items()}
        for encoder, rows in copies.items():
            _check_finite(self.name, encoder, rows)
        object.__setattr__(self, "vectors", copies)

    @property
    def num_vectors(self) -> int:
        """How many tokens of a prompt the embedding takes."""
        return next(iter(self.vectors.values())).shape[0]

    @property
    def family(self) -> Family:
        """The kind of model the widths belong to."""
        if "clip_g" in self.vectors:
            return "sdxl"
        width = next(iter(self.vectors.values())).shape[1]
        return "sd2" if encoder_of_width(width) == "clip_h" else "sd1"


def encoder_of_width(width: int) -> str:
    """The text encoder whose token vectors have ``width`` values; narrow and unusual ones count as SD 1.x's."""
    return _ENCODER_OF_WIDTH.get(width, "clip_l")


def info_of(identity: ModelIdentity, config: str = "") -> EmbeddingInfo:
    """What is recorded beside vectors trained on the model ``identity`` with the settings ``config`` (JSON text)."""
    return EmbeddingInfo(
        model_name=identity.model_name,
        model_hash=identity.model_hash,
        vae_name=identity.vae_name,
        vae_hash=identity.vae_hash,
        clip_skip=identity.clip_skip,
        config=config,
    )


def _copied(rows: Tensor) -> Tensor:
    return rows.detach().to(device="cpu", dtype=torch.float32, copy=True).contiguous()


def _check_shapes(name: str, vectors: Mapping[str, Tensor]) -> None:
    if not vectors:
        raise UserError(f"Embedding '{name}' has no vectors. An embedding has at least one. Use another file.")
    for encoder, rows in vectors.items():
        if rows.ndim != 2 or 0 in rows.shape:
            shape = " x ".join(map(str, rows.shape)) or "a single number"
            raise UserError(
                f"The vectors of embedding '{name}' for {encoder} have the shape {shape}. They must be a table with "
                "one row per vector and at least one row. This is not an embedding, or it is damaged; use another file."
            )
    counts = {encoder: rows.shape[0] for encoder, rows in vectors.items()}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{count} for {encoder}" for encoder, count in counts.items())
        raise UserError(
            f"Embedding '{name}' has {told}. Every text encoder must have the same number of vectors, because they "
            "stand for the same tokens. The file is damaged or was put together wrongly; use another one."
        )


def _check_finite(name: str, encoder: str, rows: Tensor) -> None:
    bad = (~torch.isfinite(rows)).any(dim=1).nonzero().flatten().tolist()
    if bad:
        told = ", ".join(str(index + 1) for index in bad[:8]) + (", ..." if len(bad) > 8 else "")
        raise UserError(
            f"Embedding '{name}' has values that are not finite (NaN or infinity) for {encoder}, in vector {told} of "
            f"{rows.shape[0]}. Such an embedding makes black or broken pictures. Use an earlier copy from before the "
            "training went wrong."
        )
