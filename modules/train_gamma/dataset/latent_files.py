"""The latent cache on disk: one safetensors file for each latent, checked when it is read."""

import hashlib
from pathlib import Path
from typing import TypeAlias

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from train_gamma import atomic
from train_gamma.errors import UserError

Latent: TypeAlias = tuple[Tensor, Tensor]
"""Mean and standard deviation, each (C, h, w) float32."""


class LatentFolder:
    """A folder of latents by key.

    It may be deleted at any time and shared between runs and programs: files are written atomically and carry a
    checksum. A damaged file counts as missing, and a full disk costs only the cache; both are told in ``warnings``.
    """

    def __init__(self, folder: Path) -> None:
        """Name the folder; it is made by ``make``."""
        self._folder = folder.expanduser()
        self._writable = True
        self.warnings: list[str] = []

    def make(self) -> None:
        """Make the folder.

        Raises:
            UserError: if that is not possible.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = error.strerror or str(error)
            raise UserError(
                f"Latent cache folder '{self._folder}' cannot be made: {reason}. Choose another, or leave it empty."
            ) from error

    def read(self, key: str) -> Latent | None:
        """The latent of a key, or None if there is none or its file is damaged."""
        path = self._path(key)
        if not path.exists():
            return None
        try:
            return _read(path, key)
        except (SafetensorError, OSError, ValueError) as error:
            self.warnings.append(f"Cached latent '{path}' is damaged ({error}); the picture is encoded again.")
            return None

    def write(self, key: str, latent: Latent) -> None:
        """Keep a latent; when the disk refuses, warn once and go on without."""
        if not self._writable:
            return
        mean, std = (tensor.contiguous() for tensor in latent)
        data = safetensors.torch.save({"mean": mean, "std": std}, {"key": key, "sha256": _checksum(mean, std)})
        try:
            atomic.write_bytes(self._path(key), data)
        except OSError as error:
            self._writable = False
            reason = error.strerror or str(error)
            self.warnings.append(
                f"Latent cache folder '{self._folder}' cannot be written: {reason}. Latents are kept in memory only."
            )

    def _path(self, key: str) -> Path:
        return self._folder / f"{hashlib.sha256(key.encode('utf-8')).hexdigest()[:40]}.safetensors"


def _read(path: Path, key: str) -> Latent:
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        if set(file.keys()) != {"mean", "std"} or metadata.get("key") != key:
            raise ValueError("not a latent of this picture")
        mean, std = file.get_tensor("mean"), file.get_tensor("std")
    if mean.dtype != torch.float32 or std.dtype != torch.float32 or _checksum(mean, std) != metadata.get("sha256"):
        raise ValueError("the checksum does not match")
    return mean, std


def _checksum(mean: Tensor, std: Tensor) -> str:
    digest = hashlib.sha256(repr(tuple(mean.shape)).encode())
    for tensor in (mean, std):
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
