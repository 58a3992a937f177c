"""Latents: every picture is encoded once, and mean and standard deviation are kept."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from train_gamma.backbone import LatentDistribution
from train_gamma.dataset.buckets import apply_fit
from train_gamma.dataset.dataset import Dataset
from train_gamma.dataset.items import Item
from train_gamma.dataset.latent_files import Latent, LatentFolder
from train_gamma.dataset.pictures import decode_picture, read_picture
from train_gamma.errors import UserError

_LAYOUT = 1


class LatentCache:
    """Mean and standard deviation of the VAE's posterior for every picture of a dataset.

    A latent is known by what decides it: the picture's content, scaling, crop, background colour, mirroring and VAE.
    The mirrored variant is the encoding of the mirrored picture, which is not the mirrored latent.

    Attributes:
        warnings: sentences about damaged or unwritable cache files, filled by ``fill``.
    """

    def __init__(
        self,
        dataset: Dataset,
        encode: Callable[[Tensor], LatentDistribution],
        vae_key: str,
        folder: Path | None = None,
        flip: bool = False,
    ) -> None:
        """Describe the cache; nothing is read or encoded yet.

        Args:
            dataset: the pictures.
            encode: from pixels (1, 3, H, W) in [-1, 1] to mean and std (1, C, h, w).
            vae_key: what identifies the VAE, such as its hash.
            folder: where latents are kept between runs; None for memory only.
            flip: whether mirrored variants are wanted too.
        """
        self._dataset = dataset
        self._encode = encode
        self._vae_key = vae_key
        self._folder = None if folder is None else LatentFolder(folder)
        self._variants = (False, True) if flip else (False,)
        self._latents: dict[str, Latent] = {}
        self._keys = {
            (index, flipped): self._key(item, flipped)
            for index, item in enumerate(dataset.items)
            for flipped in self._variants
        }

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about cache files that were damaged or could not be written."""
        return () if self._folder is None else tuple(self._folder.warnings)

    def fill(self, on_progress: Callable[[int, int], None] | None = None) -> None:
        """Load or encode everything. Afterwards the VAE is not needed any more.

        Args:
            on_progress: called with (done, total) after each picture.

        Raises:
            UserError: if a picture has changed since the dataset was loaded, its latents are not finite, or the cache
                folder cannot be made.
        """
        if self._folder is not None:
            self._folder.make()
        items = self._dataset.items
        for index, item in enumerate(items):
            self._fill_item(index, item)
            if on_progress is not None:
                on_progress(index + 1, len(items))

    def get(self, index: int, flipped: bool = False) -> Latent:
        """Mean and std, each (C, h, w) float32, of a picture or of its mirror image.

        Raises:
            KeyError: before ``fill``, or for mirror images without ``flip``.
        """
        return self._latents[self._keys[index, flipped]]

    def to(self, device: torch.device | str) -> "LatentCache":
        """Move all latents to a device, in place."""
        self._latents = {key: (mean.to(device), std.to(device)) for key, (mean, std) in self._latents.items()}
        return self

    def _fill_item(self, index: int, item: Item) -> None:
        missing = []
        for flipped in self._variants:
            key = self._keys[index, flipped]
            if key not in self._latents and not self._load(key):
                missing.append(flipped)
        if not missing:
            return
        image = self._open(item)
        for flipped in missing:
            self._encode_variant(self._keys[index, flipped], ImageOps.mirror(image) if flipped else image, item)

    def _load(self, key: str) -> bool:
        latent = None if self._folder is None else self._folder.read(key)
        if latent is not None:
            self._latents[key] = latent
        return latent is not None

    def _encode_variant(self, key: str, image: Image.Image, item: Item) -> None:
        posterior = self._encode(to_pixels(image).unsqueeze(0))
        latent = _plain(posterior.mean), _plain(posterior.std)
        if not all(bool(torch.isfinite(tensor).all()) for tensor in latent):
            raise UserError(
                f"The VAE gives values that are not finite (NaN or infinite) for '{item.path}'. "
                "Set Precision to fp32, or use the checkpoint's own VAE."
            )
        self._latents[key] = latent
        if self._folder is not None:
            self._folder.write(key, latent)

    def _open(self, item: Item) -> Image.Image:
        data = read_picture(item.path)
        if hashlib.sha256(data).hexdigest() != item.sha256:
            raise UserError(f"'{item.path}' was changed after the dataset was read. Start the run again.")
        return apply_fit(decode_picture(data, item.path, self._dataset.config.background), item.fit)

    def _key(self, item: Item, flipped: bool) -> str:
        facts = {
            "layout": _LAYOUT,
            "picture": item.sha256,
            "resized": item.fit.resized,
            "crop": item.fit.crop,
            "background": self._dataset.config.background,
            "flipped": flipped,
            "vae": self._vae_key,
        }
        return json.dumps(facts, sort_keys=True)


def to_pixels(image: Image.Image) -> Tensor:
    """An RGB picture as (3, H, W) float32 in [-1, 1]."""
    values = np.asarray(image.convert("RGB"), dtype=np.float32)  # (H, W, 3)
    return torch.from_numpy(values / 127.5 - 1).permute(2, 0, 1).contiguous()


def _plain(tensor: Tensor) -> Tensor:
    return tensor.detach()[0].to("cpu", torch.float32).clone()
