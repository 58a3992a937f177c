"""Embeddings as PNG pictures: what A1111 calls an embedding with a preview.

The vectors are in the text chunk ``sd-ti-embedding`` (base64 of JSON) and once more in strips at the sides, so that
they survive programs that drop text chunks. Source: AUTOMATIC1111 1.9.4 (feee37d7), image_embedding.py.
"""

import base64
import io
import json
from pathlib import Path
from typing import Any

import torch
from PIL import Image, PngImagePlugin
from torch import Tensor

from train_gamma.embedding.card_drawing import draw_card, draw_mosaic
from train_gamma.embedding.embedding import Embedding
from train_gamma.embedding.layouts import OWN_KEY
from train_gamma.embedding.pickle_writer import a1111_entries
from train_gamma.embedding.png_strips import add_strips, read_strips
from train_gamma.embedding.record import record_of
from train_gamma.errors import UserError

CHUNK = "sd-ti-embedding"
_TENSOR = "TORCHTENSOR"


def read_png(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """The entries and the metadata of the embedding in a picture.

    Raises:
        UserError: if the picture is damaged or holds no embedding.
    """
    try:
        with Image.open(path) as picture:
            texts: dict[str, str] = getattr(picture, "text", {})
            chunk = texts.get(CHUNK)
            data = read_strips(picture) if chunk is None else base64.b64decode(chunk)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"The picture is damaged: it cannot be read ({error}). Copy it again.") from error
    if data is None:
        raise UserError(
            f"The picture '{path.name}' holds no embedding: it has neither a text chunk '{CHUNK}' nor A1111's strips "
            "at its sides. It may be an ordinary preview, or a program has stripped it. Use the .pt or .safetensors "
            "file."
        )
    return _decoded(data), _own_chunk(texts)


def png_bytes(embedding: Embedding, picture: Image.Image | None = None) -> bytes:
    """A card that shows what the embedding is and holds it, for A1111 and this program to read.

    Args:
        embedding: what to store.
        picture: what the card shows; the vectors themselves as a mosaic when None.
    """
    text = json.dumps(_entries(embedding))
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text(CHUNK, base64.b64encode(text.encode()).decode("ascii"))
    if len(embedding.vectors) > 1:  # A1111 takes every entry beside SDXL's two for a tensor
        chunks.add_text(OWN_KEY, json.dumps(record_of(embedding)))
    card = add_strips(draw_card(embedding, picture), text.encode(), draw_mosaic(embedding))
    file = io.BytesIO()
    card.save(file, "PNG", pnginfo=chunks)
    return file.getvalue()


def _entries(embedding: Embedding) -> dict[str, Any]:
    rows = {encoder: {_TENSOR: tensor.tolist()} for encoder, tensor in embedding.vectors.items()}
    return rows if len(rows) > 1 else a1111_entries(embedding, next(iter(rows.values())))


def _decoded(data: bytes) -> dict[str, Any]:
    try:
        entries = json.loads(data, object_hook=_with_tensor)
    except (ValueError, TypeError, RuntimeError, RecursionError, OverflowError) as error:
        raise UserError(f"The embedding in the picture is damaged ({error}). Copy the picture again.") from error
    if not isinstance(entries, dict):
        raise UserError("The picture holds no named tensors, so no embedding. Use another file.")
    return entries


def _with_tensor(entries: dict[str, Any]) -> dict[str, Any] | Tensor:
    if _TENSOR in entries:
        return torch.tensor(entries[_TENSOR], dtype=torch.float64).to(torch.float32)
    return entries


def _own_chunk(texts: dict[str, str]) -> dict[str, str]:
    try:
        own = json.loads(texts.get(OWN_KEY, "{}"))
    except (ValueError, RecursionError):
        own = None
    return {str(key): str(value) for key, value in own.items()} if isinstance(own, dict) else {}
