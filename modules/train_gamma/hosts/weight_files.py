"""Weight files, read without running anything that is in them."""

import hashlib
import pickle
import re
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from train_gamma.errors import UserError

WEIGHT_ENDINGS = (".safetensors", ".ckpt", ".pt", ".pth", ".bin")


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read all tensors of a file.

    Raises:
        UserError: if it is missing, of another kind, damaged, or a pickle that would run code.
    """
    if not path.exists():
        raise UserError(f"The file '{path}' does not exist. Check the path.")
    if path.suffix.lower() not in WEIGHT_ENDINGS:
        raise UserError(f"'{path}' is not a model file; it must end in one of {', '.join(WEIGHT_ENDINGS)}.")
    if path.suffix.lower() == ".safetensors":
        return _read_safetensors(path)
    return _tensors(_read_pickle(path))


def sha256_of(paths: Sequence[Path]) -> str:
    """The sha256 of the contents of all files, one after the other, in lower-case hex."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        tensors: dict[str, Tensor] = safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, ValueError, OSError) as error:
        raise UserError(
            f"'{path}' is not a whole .safetensors file ({path.stat().st_size} bytes: {error}). Download it again."
        ) from error
    return tensors


def _read_pickle(path: Path) -> Any:
    if not zipfile.is_zipfile(path) and tarfile.is_tarfile(path):
        # torch before 2.6 unpickles these without its safety net (CVE-2025-32434)
        raise UserError(f"'{path}' has a format from before PyTorch 0.4. Convert it to .safetensors.")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        found = re.search(r"(?:GLOBAL|class) ([\w.]+)", str(error))
        what = f"'{found[1]}'" if found else "something else"
        raise UserError(
            f"'{path}' holds more than numbers ({what}) and was not opened, because reading that could run code. "
            "Use a .safetensors version of the model, or convert it where you trust it."
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        size = path.stat().st_size
        raise UserError(
            f"'{path}' is not a whole model file ({size} bytes: {_first_line(error)}). Download it again."
        ) from error


def _tensors(content: Any) -> dict[str, Tensor]:
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping):
        return {}
    return {str(key): value for key, value in content.items() if isinstance(value, Tensor)}


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
