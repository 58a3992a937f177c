"""The two containers that ``torch.save`` writes: a zip since torch 1.6, a row of pickles before."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import torch

from train_gamma.embedding.pickle_machine import Call, Reference, read_pickle
from train_gamma.embedding.torch_pickle import (
    ALLOWED_GLOBALS,
    LARGEST_NUMEL,
    ReadStorage,
    item_size,
    mapping_of,
    storage_of,
    tensor_of,
    too_large,
)
from train_gamma.errors import UserError

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
"""torch/serialization.py: MAGIC_NUMBER, the first of the five pickles of the old container."""

_LARGEST_PICKLE = 16 * 1024 * 1024
_DEPTH = 4
_ZIP_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    KeyError,
    RuntimeError,
    ValueError,
    OSError,
    EOFError,
    OverflowError,
)


def read_torch_file(path: Path) -> dict[str, Any]:
    """The dictionary that ``torch.save`` put into ``path``, read without executing anything in it.

    Tensors come out as tensors, torch's parameters and parameter dictionaries as plain tensors and dictionaries,
    numbers and texts as themselves. What else a trainer left in the file is dropped.

    Raises:
        UserError: if the file is no dictionary, is damaged, or mentions code that an embedding does not need.
    """
    with path.open("rb") as file:
        is_zip = file.read(2) == b"PK"  # torch, too, goes by the first bytes
        file.seek(0)
        value, read = _read_zip(file) if is_zip else _read_legacy(file)
        content = mapping_of(value)
        if content is None:
            raise UserError(f"'{path.name}' holds no named tensors, so it is not an embedding. Use another file.")
        plain: dict[str, Any] = _Conversion(read).plain(content, _DEPTH)
        return plain


class _Conversion:
    """Turns records into tensors: each only once, however often it is mentioned, and not more than fit an embedding."""

    def __init__(self, read: ReadStorage) -> None:
        self._read = read
        self._known: dict[int, Any] = {}
        self._numel = 0

    def plain(self, value: Any, depth: int) -> Any:
        """``value`` with tensors in the place of records; None for anything that is neither data nor tensor."""
        if isinstance(value, str | int | float):
            return value
        if id(value) not in self._known:
            self._known[id(value)] = None  # what contains itself ends here
            self._known[id(value)] = self._converted(value, depth)
        return self._known[id(value)]

    def _converted(self, value: Any, depth: int) -> Any:
        tensor = tensor_of(value, self._read)
        if tensor is not None:
            self._numel += tensor.numel()
            if self._numel > LARGEST_NUMEL:
                raise too_large()
            return tensor
        mapping = mapping_of(value)
        if mapping is None or depth == 0:
            return None
        return {str(key): self.plain(item, depth - 1) for key, item in mapping.items()}


def _read_zip(file: BinaryIO) -> tuple[Any, ReadStorage]:
    try:
        archive = zipfile.ZipFile(file)
        pickles = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise UserError("The file is a zip archive, but not one that torch.save wrote. Use another file.")
        folder = pickles[0].removesuffix("data.pkl")
        _check_byte_order(archive, folder)
        if archive.getinfo(pickles[0]).file_size > _LARGEST_PICKLE:
            raise too_large()
        data = archive.read(pickles[0])
    except _ZIP_DAMAGE as error:
        raise UserError(f"The file is damaged: its zip archive cannot be read ({error}). Copy it again.") from error

    def read(key: str, dtype: torch.dtype, start: int, count: int) -> bytearray:
        try:
            with archive.open(f"{folder}data/{key}") as entry:
                entry.seek(start * item_size(dtype))
                return _exactly(entry.read(count * item_size(dtype)), count * item_size(dtype))
        except _ZIP_DAMAGE as error:
            raise UserError(f"The file is damaged: numbers in it cannot be read ({error}). Copy it again.") from error

    return read_pickle(io.BytesIO(data), ALLOWED_GLOBALS), read


def _check_byte_order(archive: zipfile.ZipFile, folder: str) -> None:
    """Refuse the numbers of a big-endian machine; torch 2.1 and later say which they are."""
    name = f"{folder}byteorder"
    if name in archive.namelist() and archive.read(name)[:16] != b"little":
        raise UserError("The file was written by a big-endian machine, which is not supported. Convert it there first.")


def _read_legacy(file: BinaryIO) -> tuple[Any, ReadStorage]:
    """Five pickles (magic number, version, machine, object, storage keys), then per key its length and numbers."""
    head = io.BytesIO(file.read(_LARGEST_PICKLE))
    following = _five_pickles(head)
    magic, value, keys = following[0], following[3], following[4]
    if magic != LEGACY_MAGIC or not isinstance(keys, list):
        raise UserError("The file is a pickle, but not one that torch.save wrote. Use another file.")
    if isinstance(following[2], dict) and following[2].get("little_endian") is False:
        raise UserError("The file was written by a big-endian machine, which is not supported. Convert it there first.")
    starts = _storage_starts(file, head.tell(), keys, _item_sizes(value))

    def read(key: str, dtype: torch.dtype, start: int, count: int) -> bytearray:
        if key not in starts:
            raise ValueError("its numbers are missing")
        file.seek(starts[key] + start * item_size(dtype))
        return _exactly(file.read(count * item_size(dtype)), count * item_size(dtype))

    return value, read


def _five_pickles(head: io.BytesIO) -> list[Any]:
    values = []
    for index in range(5):
        values.append(read_pickle(head, ALLOWED_GLOBALS))
        if index == 0 and values[0] != LEGACY_MAGIC:
            return [*values, None, None, None, None]
    return values


def _item_sizes(value: Any) -> dict[str, int]:
    """Bytes per number of every storage that ``value`` refers to, by key."""
    sizes: dict[str, int] = {}
    _visit(value, lambda reference: _note_size(reference, sizes))
    return sizes


def _note_size(reference: Reference, sizes: dict[str, int]) -> None:
    try:
        dtype, key, _, _ = storage_of(reference)
    except (TypeError, ValueError) as error:
        raise UserError(f"The file is damaged: {error}. Copy it again, or ask for a .safetensors file.") from error
    sizes[key] = item_size(dtype)


def _visit(value: Any, on_reference: Callable[[Reference], None]) -> None:
    """Call ``on_reference`` for every reference inside ``value``, each container once."""
    waiting, seen = [value], set()
    while waiting:
        item = waiting.pop()
        if isinstance(item, Reference):
            on_reference(item)
        elif isinstance(item, dict | list | tuple | Call) and id(item) not in seen:
            seen.add(id(item))
            if isinstance(item, dict):
                waiting += item.values()
            elif isinstance(item, Call):
                waiting += [item.arguments, item.state]
            else:
                waiting += item


def _storage_starts(file: BinaryIO, position: int, keys: list[Any], sizes: dict[str, int]) -> dict[str, int]:
    starts: dict[str, int] = {}
    for key in map(str, keys):
        file.seek(position)
        header = file.read(8)
        if len(header) < 8 or key not in sizes:
            raise UserError("The file is damaged: it ends too early. Copy or download it again.")
        starts[key] = position + 8
        position += 8 + int.from_bytes(header, "little", signed=False) * sizes[key]
    return starts


def _exactly(data: bytes, length: int) -> bytearray:
    if len(data) != length:
        raise UserError("The file is damaged: it ends too early. Copy or download it again.")
    return bytearray(data)
