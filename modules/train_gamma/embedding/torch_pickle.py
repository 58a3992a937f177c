"""The tensors inside a pickle, as torch's records of how to rebuild them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from train_gamma.embedding.pickle_machine import Call, Global, Reference
from train_gamma.errors import UserError

STORAGE_DTYPES: Mapping[str, torch.dtype] = {
    "torch.FloatStorage": torch.float32,
    "torch.HalfStorage": torch.float16,
    "torch.BFloat16Storage": torch.bfloat16,
    "torch.DoubleStorage": torch.float64,
    "torch.LongStorage": torch.int64,
    "torch.IntStorage": torch.int32,
    "torch.ShortStorage": torch.int16,
    "torch.CharStorage": torch.int8,
    "torch.ByteStorage": torch.uint8,
    "torch.BoolStorage": torch.bool,
}

_ARRAY_MAKERS = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
_PARAMETER_DICT = "torch.nn.modules.container.ParameterDict"
_ARRAY_DTYPES = {"f4": torch.float32, "f2": torch.float16, "f8": torch.float64}

ALLOWED_GLOBALS = frozenset(
    [
        *STORAGE_DTYPES,
        *_ARRAY_MAKERS,
        _PARAMETER_DICT,
        "collections.OrderedDict",
        "torch._utils._rebuild_tensor",
        "torch._utils._rebuild_tensor_v2",
        "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_parameter_with_state",
        "torch._utils._rebuild_device_tensor_from_numpy",
        "torch.Size",
        "torch.device",
        "torch.float16",
        "torch.float32",
        "torch.float64",
        "torch.bfloat16",
        "numpy.ndarray",
        "numpy.dtype",
        "numpy.core.multiarray.scalar",
        "numpy._core.multiarray.scalar",
        "_codecs.encode",
        "__builtin__.set",
        "builtins.set",
        "pytorch_lightning.callbacks.model_checkpoint",
        "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
    ]
)
"""What trainers' files mention: the list of A1111's modules/safe.py (1.9.4, feee37d7), torch's newer ways to write a
parameter or a device, and numpy 2's names. Mentioned is all they are: none of them is ever imported or called."""

LARGEST_NUMEL = 16 * 1024 * 1024
"""No embedding has as many numbers: SDXL's largest has 75 x (768 + 1280)."""

_LARGEST_RANK = 8

ReadStorage = Callable[[str, torch.dtype, int, int], bytearray]
"""``read(key, dtype, start, count)``: the bytes of ``count`` numbers of a storage, from number ``start`` on."""


@dataclass(frozen=True, slots=True)
class _View:
    """Where in which storage the numbers of a tensor are."""

    reference: Reference
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


def tensor_of(value: Any, read: ReadStorage) -> Tensor | None:
    """The tensor that ``value`` describes, or None if it describes none.

    Args:
        value: something out of ``read_pickle``.
        read: fetches the numbers of a storage.

    Raises:
        UserError: if it is a tensor whose numbers are not where it says, or far too large for an embedding.
    """
    value = _inside_parameter(value)
    if not isinstance(value, Call):
        return None
    function = str(value.function)
    try:
        if function in ("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2"):
            reference, offset, size, stride = value.arguments[:4]
            return _strided(_View(reference, offset, _plain(size), _plain(stride)), read)
        if function == "torch._utils._rebuild_device_tensor_from_numpy":
            return _from_array(value.arguments[0])
    except (TypeError, ValueError, AttributeError, IndexError, LookupError, RuntimeError) as error:
        raise UserError(f"The file is damaged: a tensor in it cannot be rebuilt ({error}). Copy it again.") from error
    return None


def mapping_of(value: Any) -> dict[Any, Any] | None:
    """The dictionary that ``value`` is, or that it holds when it is a torch ``ParameterDict``."""
    if isinstance(value, Call) and str(value.function) == _PARAMETER_DICT and isinstance(value.state, dict):
        value = value.state.get("_parameters")
    return value if isinstance(value, dict) else None


def storage_of(reference: Reference) -> tuple[torch.dtype, str, int, int]:
    """Dtype, key, length and first number of the storage a reference points at.

    The layout ``("storage", type, key, device, length[, view])`` is ``persistent_id`` in torch/serialization.py.
    """
    kind, storage_type, key, _, length, *view = reference.id
    if kind != "storage" or not isinstance(storage_type, Global) or str(storage_type) not in STORAGE_DTYPES:
        raise ValueError(f"numbers of the kind {storage_type} are not known")
    shift = view[0][1] if view and view[0] is not None else 0
    if not isinstance(length, int) or not isinstance(shift, int) or length < 0 or shift < 0:
        raise ValueError("a storage has no proper length")
    return STORAGE_DTYPES[str(storage_type)], str(key), length, shift


def too_large() -> UserError:
    """The refusal of a file that holds far more than an embedding."""
    return UserError(
        "The file holds far more than an embedding does. It seems to be a checkpoint or another model file; choose an "
        "embedding."
    )


def item_size(dtype: torch.dtype) -> int:
    """Bytes per number; ``dtype.itemsize`` is newer than the torch of many WebUIs."""
    return torch.empty(0, dtype=dtype).element_size()


def _inside_parameter(value: Any) -> Any:
    parameters = ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state")
    for _ in range(2):
        if isinstance(value, Call) and str(value.function) in parameters and value.arguments:
            value = value.arguments[0]
    return value


def _plain(size: Any) -> tuple[int, ...]:
    if isinstance(size, Call) and str(size.function) == "torch.Size":
        size = size.arguments[0]
    if not isinstance(size, list | tuple) or not all(isinstance(n, int) and n >= 0 for n in size):
        raise ValueError("its shape is not made of whole numbers")
    return tuple(size)


def _strided(view: _View, read: ReadStorage) -> Tensor:
    dtype, key, length, shift = storage_of(view.reference)
    numel = 1
    for n in view.size:
        numel *= n
    if len(view.size) != len(view.stride) or len(view.size) > _LARGEST_RANK:
        raise ValueError("its shape and strides do not fit")
    if numel == 0:
        return torch.empty(view.size, dtype=dtype)
    span = 1 + sum((n - 1) * step for n, step in zip(view.size, view.stride, strict=True))
    if numel > LARGEST_NUMEL or span > LARGEST_NUMEL:
        raise too_large()
    start = shift + view.offset
    if view.offset < 0 or start + span > shift + length:
        raise ValueError("it reaches beyond its numbers")
    flat = torch.frombuffer(read(key, dtype, start, span), dtype=dtype)
    return flat.as_strided(view.size, view.stride).clone()


def _from_array(array: Any) -> Tensor:
    """A tensor pickled as a numpy array, as torch does for devices without storages (DirectML, XLA).

    The state of an array is (version, shape, dtype, is Fortran order, bytes): numpy's ``ndarray.__reduce__``.
    """
    _, shape, dtype, fortran, data = array.state
    code = dtype.arguments[0]
    if fortran or code not in _ARRAY_DTYPES or (dtype.state and dtype.state[1] == ">"):
        raise ValueError(f"an array of the kind {code} is not known")
    data = _as_bytes(data)
    return torch.frombuffer(bytearray(data), dtype=_ARRAY_DTYPES[code]).reshape(_plain(shape)).clone()


def _as_bytes(data: Any) -> bytes:
    """Bytes, which pickle protocol 2 writes as a call of ``_codecs.encode`` on text."""
    if isinstance(data, Call) and str(data.function) == "_codecs.encode" and data.arguments[1:] == ("latin1",):
        data = data.arguments[0].encode("latin1")
    if not isinstance(data, bytes | bytearray) or not data:
        raise ValueError("an array has no bytes")
    return bytes(data)
