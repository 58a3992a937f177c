"""Data hidden in strips at the sides of a picture, as A1111 puts embeddings into its embedding pictures.

The layout is that of AUTOMATIC1111 1.9.4 (feee37d7), textual_inversion/image_embedding.py: JSON, compressed with zlib,
is split into low and high halves of its bytes. The low halves fill the lower four bits of a strip at the left, the high
halves those of a strip at the right, each mixed (XOR) with the same pseudo-random sequence; one black column parts each
strip from the picture. The upper four bits are free, and are used for decoration.
"""

import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from train_gamma.errors import UserError

Pixels = NDArray[np.uint8]

_CHANNELS = 3
_LOW_BITS = 0x0F
_DARKEST = 0x30
"""No decorated pixel is black: readers cut black edges off before they look for the strips."""
_LARGEST_TEXT = 16 * 1024 * 1024


def add_strips(picture: Image.Image, data: bytes, decoration: Image.Image) -> Image.Image:
    """``picture`` with ``data`` in a strip at either side.

    Args:
        picture: RGB.
        data: what to hide, uncompressed.
        decoration: RGB of any size; scaled to each strip and shown in its upper bits.
    """
    packed = np.frombuffer(zlib.compress(data, 9), np.uint8)
    height = picture.height
    columns = -(-len(packed) // (height * _CHANNELS))
    packed = np.concatenate([packed, np.zeros(columns * height * _CHANNELS - len(packed), np.uint8)])
    mixed = _noise(len(packed))
    left = _strip((packed & np.uint8(_LOW_BITS)) ^ mixed, height, decoration)
    right = _strip((packed >> np.uint8(4)) ^ mixed, height, decoration.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    card = Image.new("RGB", (picture.width + 2 * columns + 2, height))
    card.paste(Image.fromarray(left), (0, 0))
    card.paste(picture, (columns + 1, 0))
    card.paste(Image.fromarray(right), (columns + picture.width + 2, 0))
    return card


def read_strips(picture: Image.Image) -> bytes | None:
    """The data hidden in ``picture``, or None if there are no strips.

    Raises:
        UserError: if the data is larger than any embedding.
    """
    low: Pixels = _without_black_edges(np.asarray(picture.convert("RGB"))) & np.uint8(_LOW_BITS)
    black = np.flatnonzero(low.max(axis=(0, 2), initial=0) == 0)
    if len(black) < 2:
        return None
    left, right = low[:, : black[0]], low[:, black[-1] + 1 :]
    if left.size == 0 or left.shape != right.shape:
        return None
    mixed = _noise(left.size)
    packed = (left.ravel() ^ mixed) | ((right.ravel() ^ mixed) << np.uint8(4))
    reader = zlib.decompressobj()
    try:
        data = reader.decompress(packed.tobytes(), _LARGEST_TEXT)
    except zlib.error:
        return None
    if reader.unconsumed_tail:
        raise UserError("The picture holds more data than an embedding can have. Do not use this file.")
    return data if reader.eof else None


def _strip(nibbles: Pixels, height: int, decoration: Image.Image) -> Pixels:
    pixels = nibbles.reshape(height, -1, _CHANNELS)
    shown = np.asarray(decoration.convert("RGB").resize((pixels.shape[1], height), Image.Resampling.BICUBIC))
    decorated: Pixels = (np.maximum(shown, np.uint8(_DARKEST)) & np.uint8(0xF0)) | pixels
    return decorated


def _without_black_edges(pixels: Pixels) -> Pixels:
    """The part between the first and last rows and columns in which some pixel has no channel at zero."""
    lit = pixels.min(axis=2) > 0
    rows, columns = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
    if len(rows) == 0:
        return pixels[:0, :0]
    return pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _noise(length: int) -> Pixels:
    """``length`` numbers below 16 of the sequence that A1111 uses."""
    sequence = _congruential()
    return np.fromiter((next(sequence) % 255 & _LOW_BITS for _ in range(length)), np.uint8, length)


def _congruential() -> Iterator[int]:
    """The linear congruential generator of Numerical Recipes, from seed 0."""
    state = 0
    while True:
        state = (1664525 * state + 1013904223) % 2**32
        yield state
