"""Embeddings as A1111's .pt, in the container that torch wrote before version 1.6.

The WebUI checks a .pt before it loads it, and its list of allowed zip entries is older than the entries that torch 2.1
and later write: "bad file inside ...: byteorder" (AUTOMATIC1111 issues 10179 and 14261). The old container, a row of
five pickles and the numbers, passes in every version. It is written here by hand because torch names the storage after
a memory address, which would give the same embedding another hash at every save.
"""

import io
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from train_gamma.embedding.embedding import Embedding
from train_gamma.embedding.layouts import OWN_KEY
from train_gamma.embedding.pickle_reader import LEGACY_MAGIC
from train_gamma.embedding.record import record_of

_PROTOCOL = 2
_VERSION = 1001
_MACHINE = {
    "protocol_version": _VERSION,
    "little_endian": True,
    "type_sizes": {"short": 2, "int": 4, "long": 4},
}
_TOKEN_OF_ASTERISK = 265


@dataclass(frozen=True, slots=True)
class _Storage:
    """Stands for the numbers of one tensor, which follow the pickles."""

    key: str
    numel: int


@dataclass(frozen=True, slots=True)
class _Rows:
    """A tensor, pickled as torch does: ``torch._utils._rebuild_tensor_v2(storage, 0, size, stride, False, {})``."""

    key: str
    tensor: Tensor

    def __reduce__(self) -> tuple[Any, ...]:
        storage = _Storage(self.key, self.tensor.numel())
        size, stride = tuple(self.tensor.shape), self.tensor.stride()
        return torch._utils._rebuild_tensor_v2, (storage, 0, size, stride, False, OrderedDict())


class _Pickler(pickle.Pickler):
    """Writes references in the place of storages. Subclassing is the standard library's way to do that."""

    def persistent_id(self, obj: Any) -> Any:
        if isinstance(obj, _Storage):
            return ("storage", torch.FloatStorage, obj.key, "cpu", obj.numel, None)
        return None


def pt_bytes(embedding: Embedding) -> bytes:
    """The file that A1111's "Create embedding" and its training write, readable by its safe loader.

    SDXL's two tensors can have nothing beside them, because A1111 takes every entry of such a file for a tensor: what
    is known about the vectors is then left out.
    """
    rows = {encoder: _Rows(str(index), tensor) for index, (encoder, tensor) in enumerate(embedding.vectors.items())}
    if len(rows) > 1:
        content: dict[str, Any] = dict(rows)
    else:
        content = a1111_entries(embedding, next(iter(rows.values())))
    file = io.BytesIO()
    for value in (LEGACY_MAGIC, _VERSION, _MACHINE, content, [item.key for item in rows.values()]):
        _Pickler(file, protocol=_PROTOCOL).dump(value)
    for item in rows.values():
        file.write(item.tensor.numel().to_bytes(8, "little") + item.tensor.numpy().astype("<f4").tobytes())
    return file.getvalue()


def a1111_entries(embedding: Embedding, rows: Any) -> dict[str, Any]:
    """A1111's dictionary around ``rows``; what it has no key for is under one key of our own."""
    return {
        "string_to_token": {"*": _TOKEN_OF_ASTERISK},
        "string_to_param": {"*": rows},
        "name": embedding.name,
        "step": embedding.step,
        "sd_checkpoint": embedding.info.short_hash or None,
        "sd_checkpoint_name": embedding.info.model_name or None,
        OWN_KEY: record_of(embedding),
    }
