"""Small pictures and folders that the tests of the dataset draw for themselves."""

import random
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from train_gamma.training.config import DatasetConfig


def small_config(folder: Path | str, **changes: Any) -> DatasetConfig:
    """Settings for pictures of about 64 x 64 pixels."""
    values: dict[str, Any] = {
        "width": 64,
        "height": 64,
        "bucket_step": 16,
        "bucket_min": 32,
        "bucket_max": 128,
        "shuffle_tags": False,
    }
    return DatasetConfig(folder=str(folder), **{**values, **changes})


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """A picture that no other seed gives."""
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def gradient(width: int, height: int) -> Image.Image:
    """Red grows to the right, green downwards: the colour says where a pixel was."""
    values = np.zeros((height, width, 3), dtype=np.uint8)
    values[:, :, 0] = np.linspace(0, 255, width).round()[None, :]
    values[:, :, 1] = np.linspace(0, 255, height).round()[:, None]
    return Image.fromarray(values)


def draw_folder(folder: Path, sizes: Sequence[tuple[int, int]], captions: Sequence[str] | None = None) -> Path:
    """Fill a folder with 0.png, 1.png, ... and their captions."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (width, height) in enumerate(sizes):
        noise(width, height, number).save(folder / f"{number}.png")
        text = captions[number] if captions is not None else f"tag {number}, other"
        (folder / f"{number}.txt").write_text(text, "utf-8")
    return folder


def png_bytes(size: tuple[int, int], depth: int, colour_type: int, rows: Sequence[bytes], extra: bytes = b"") -> bytes:
    """A PNG written by hand after the specification (ISO/IEC 15948), for what Pillow does not write.

    Args:
        size: (width, height).
        depth: bits of a sample.
        colour_type: 0 for grey, 2 for RGB.
        rows: the packed samples of each row.
        extra: chunks to put before the pixels, made by ``png_chunk``.
    """
    header = struct.pack(">IIBBBBB", *size, depth, colour_type, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    chunks = png_chunk(b"IHDR", header) + extra + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG, with its length and checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def pixel(image: Image.Image, x: int, y: int) -> tuple[int, ...]:
    """The colour of one pixel."""
    return tuple(int(value) for value in np.asarray(image)[y, x])


def rng(seed: int = 0) -> random.Random:
    """A generator for draws."""
    return random.Random(seed)
