"""How the programs that train embeddings name what they save.

All of them save a dictionary; which keys it has tells the program. Sources, by repository and commit:

* A1111 (AUTOMATIC1111 1.9.4, feee37d7, textual_inversion.py: Embedding.save, create_embedding_from_data) and
  rinongal/textual_inversion 424192de: ``string_to_param`` with one entry, beside name, step and checkpoint.
* kohya-ss/sd-scripts 48d368fa: ``emb_params``; for SDXL ``clip_l`` and ``clip_g``; XTI: 16 tensors named by UNet layer.
* Nerogar/OneTrainer 23df3832: ``emp_params`` (its spelling), SDXL as kohya; ``*_out`` for vectors behind the encoder.
* huggingface/diffusers 01db9ac0: one tensor under the placeholder token; SDXL as two files, one per encoder.
* ostris/ai-toolkit 27a03a91: A1111's dictionary in .pt, ``emb_params`` with JSON metadata in .safetensors.
"""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from train_gamma.embedding.embedding import Embedding, EmbeddingInfo, encoder_of_width
from train_gamma.errors import UserError

OWN_KEY = "train_gamma"
"""The entry of A1111's dictionary that holds what A1111 has no place for; other programs ignore it."""

_XTI_KEYS = frozenset({"IN01", "MID", "OUT11"})
_TOKEN_KEYS = frozenset({"emb_params", "emp_params", "clip_l", "clip_g", "*"})
_OWN_TEXTS = ("model_name", "model_hash", "vae_name", "vae_hash", "config")


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds before anybody has made sense of it.

    Attributes:
        file_name: for messages.
        stem: the file's name without ending, which is the WebUI's name for the embedding.
        entries: tensors, texts, numbers and dictionaries of them.
        metadata: texts stored apart from the entries.
    """

    file_name: str
    stem: str
    entries: Mapping[str, Any]
    metadata: Mapping[str, str]


def embedding_of(content: Content) -> Embedding:
    """Make sense of a file's content.

    Raises:
        UserError: if it is no embedding, or one whose vectors cannot be used as one.
    """
    entries = content.entries
    notes: list[str] = []
    if "string_to_param" in entries:
        key, rows = _only_term(content, entries["string_to_param"])
        vectors = _single(content, key, rows)
    else:
        key, vectors = _named_tensors(content, notes)
    texts = _texts(content)
    if key not in _TOKEN_KEYS:
        texts["placeholder"] = key
    name = texts.pop("name", "") or content.stem
    if name != content.stem:
        notes.append(f"The file records the name '{name}'; the WebUI goes by the file name, '{content.stem}'.")
    step = _whole_number(texts.pop("step", ""))
    return Embedding(name, vectors, step, _info(texts, tuple(notes)))


def _only_term(content: Content, terms: Any) -> tuple[str, Tensor]:
    if not isinstance(terms, Mapping) or not terms:
        raise UserError(f"'{content.file_name}' has an empty 'string_to_param', so no vectors. Use another file.")
    if len(terms) > 1:
        raise UserError(_several(content, list(terms)))
    key, rows = next(iter(terms.items()))
    if not isinstance(rows, Tensor):
        raise UserError(f"'{content.file_name}' has no tensor in 'string_to_param'. It is damaged; use another file.")
    return str(key), rows


def _named_tensors(content: Content, notes: list[str]) -> tuple[str, dict[str, Tensor]]:
    tensors = {key: value for key, value in content.entries.items() if isinstance(value, Tensor)}
    outputs = [key for key in tensors if key.endswith("_out") and key.removesuffix("_out") in _TOKEN_KEYS]
    for key in outputs:
        del tensors[key]
    if outputs and tensors:
        notes.append(
            f"OneTrainer's output vectors ({', '.join(outputs)}) are left out: they are put behind the text encoder, "
            "where the WebUI and this program have no place for them."
        )
    if set(tensors) == {"clip_l", "clip_g"}:
        return "clip_l", {key: _table(content, key, tensors[key]) for key in ("clip_l", "clip_g")}
    if len(tensors) == 1:
        key, rows = next(iter(tensors.items()))
        return key, _single(content, key, rows)
    raise UserError(_why_not(content, tensors, outputs))


def _single(content: Content, key: str, rows: Tensor) -> dict[str, Tensor]:
    rows = _table(content, key, rows)
    width = rows.shape[-1] if rows.ndim else 0
    return {key if key == "clip_g" else encoder_of_width(width): rows}


def _table(content: Content, key: str, rows: Tensor) -> Tensor:
    """A single vector as a table of one row, in float32 (every float16 and bfloat16 value has one)."""
    if not rows.is_floating_point():
        raise UserError(
            f"'{content.file_name}' holds whole numbers under '{key}'. Vectors are floating-point numbers. This is no "
            "embedding; use another file."
        )
    return (rows.unsqueeze(0) if rows.ndim == 1 else rows).to(torch.float32)


def _why_not(content: Content, tensors: Mapping[str, Tensor], outputs: list[str]) -> str:
    keys = list(tensors)
    if outputs and not tensors:
        return (
            f"'{content.file_name}' holds only OneTrainer's output vectors ({', '.join(outputs)}), which are put "
            "behind the text encoder. The WebUI has no place for them. Train without 'Output embedding'."
        )
    if set(keys) >= _XTI_KEYS:
        return (
            f"'{content.file_name}' is an extended textual inversion (XTI) by kohya: it has {len(keys)} sets of "
            "vectors, one for each layer of the UNet, and no single one of them stands for the whole. The WebUI cannot "
            "use it either. Train a plain textual inversion instead."
        )
    if any(key.startswith(("lora_", "lycoris_")) or ".lora_" in key for key in keys):
        return f"'{content.file_name}' is a LoRA, not an embedding. Put it into the LoRA folder; choose an embedding."
    if any(key.startswith(("model.diffusion_model", "cond_stage_model", "first_stage_model")) for key in keys):
        return f"'{content.file_name}' is a checkpoint, not an embedding. Choose an embedding."
    if not keys:
        return f"'{content.file_name}' holds no vectors, so it is not an embedding. Use another file."
    return _several(content, keys)


def _several(content: Content, keys: list[Any]) -> str:
    told = ", ".join(f"'{key}'" for key in keys[:5]) + (", ..." if len(keys) > 5 else "")
    return (
        f"'{content.file_name}' has {len(keys)} sets of vectors ({told}), and an embedding has one (SDXL: clip_l and "
        "clip_g). Split it into one file each with the program that made it."
    )


def _texts(content: Content) -> dict[str, str]:
    """Everything that is not a tensor, as text: entries, our own entry in them, and metadata."""
    own = content.entries.get(OWN_KEY)
    own = own if isinstance(own, Mapping) else {}
    texts: dict[str, str] = {}
    for source in (content.entries, content.metadata, own):
        for key, value in source.items():
            if isinstance(value, str | int | float):
                texts[str(key)] = _without_quotes(value) if source is content.metadata else str(value)
    return texts


def _without_quotes(value: Any) -> str:
    """ai-toolkit stores a name as a JSON text with its quotes, and null for what it does not know."""
    if isinstance(value, str) and (value.startswith('"') or value == "null"):
        with contextlib.suppress(ValueError):
            value = json.loads(value) or ""
    return str(value)


def _info(texts: dict[str, str], notes: tuple[str, ...]) -> EmbeddingInfo:
    short_hash = texts.pop("sd_checkpoint", "")
    name = texts.pop("sd_checkpoint_name", "")
    own = {key: texts.pop(key, "") for key in _OWN_TEXTS}
    own["model_hash"] = own["model_hash"] or short_hash
    own["model_name"] = own["model_name"] or name
    clip_skip = _whole_number(texts.pop("clip_skip", ""))
    texts.pop("format", None)
    return EmbeddingInfo(**own, clip_skip=clip_skip, extra=texts, notes=notes)


def _whole_number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None
