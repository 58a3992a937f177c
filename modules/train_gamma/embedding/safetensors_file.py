"""Embeddings as .safetensors."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from torch import Tensor

from train_gamma.embedding.embedding import Embedding
from train_gamma.embedding.record import record_of
from train_gamma.errors import UserError

_ALIGNMENT = 8
_MOST_TENSORS = 64


def read_safetensors(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """The tensors and the metadata of ``path``.

    Raises:
        UserError: if the file is damaged.
    """
    try:
        with safetensors.safe_open(path, framework="pt", device="cpu") as file:
            keys = list(file.keys())
            if len(keys) > _MOST_TENSORS:  # a checkpoint or a LoRA: the names are enough to say so
                return dict.fromkeys(keys, torch.empty(0)), {}
            return {key: file.get_tensor(key) for key in keys}, dict(file.metadata() or {})
    except (safetensors.SafetensorError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise UserError(f"The file is damaged: it is no proper .safetensors ({error}). Copy it again.") from error


def safetensors_bytes(embedding: Embedding) -> bytes:
    """The file that A1111, kohya, diffusers and OneTrainer read.

    One text encoder's vectors are named ``emb_params``, kohya's key; SDXL's are named ``clip_l`` and ``clip_g``. What
    is known about the vectors is metadata. The same embedding gives the same bytes, which the safetensors library
    does not promise (it writes metadata in any order), and so the same hash in A1111's "TI hashes".
    """
    vectors = embedding.vectors
    named = dict(vectors) if len(vectors) > 1 else {"emb_params": next(iter(vectors.values()))}
    return _bytes(named, {"format": "pt", **{key: str(value) for key, value in record_of(embedding).items()}})


def _bytes(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """Length of the header as 8 bytes, header as JSON padded to a multiple of 8, numbers in little-endian order."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    chunks: list[bytes] = []
    position = 0
    for key in sorted(tensors):
        data = tensors[key].numpy().astype("<f4").tobytes()
        shape = list(tensors[key].shape)
        header[key] = {"dtype": "F32", "shape": shape, "data_offsets": [position, position + len(data)]}
        chunks.append(data)
        position += len(data)
    told = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    told += b" " * (-len(told) % _ALIGNMENT)
    return len(told).to_bytes(8, "little") + told + b"".join(chunks)
