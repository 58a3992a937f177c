"""What a picture looks like, in 64 bits and a tiny thumbnail: for finding pictures that are there twice.

The hash is the DCT hash of phash.org (Zauner 2010, "Implementation and Benchmarking of Perceptual Image Hash
Functions", section 3.2.1): brightness at 32 x 32, its cosine transform, of that the 8 x 8 lowest frequencies without
the constant ones, a bit each for whether it is above their median. It sees shapes and no colours, so two pictures of
one character in front of different backgrounds can have nearly the same; the thumbnail tells them apart.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image

THUMBNAIL = 16
"""Pixels a side of the thumbnail."""

_SAMPLES = 32
_LOWEST = slice(1, 9)
_BRIGHTNESS = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as Pillow's conversion to "L"
_MIRROR = np.array([-1.0, 1.0] * 4)  # what mirroring does to the waves 1..8 along a row
_POWERS = 1 << np.arange(64, dtype=np.uint64)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a picture looks like.

    Attributes:
        bits: the hash, 64 bits.
        mirrored: the hash of the picture mirrored left to right.
        thumbnail: THUMBNAIL x THUMBNAIL pixels, squeezed to a square, red, green and blue a byte each, row by row.
    """

    bits: int
    mirrored: int
    thumbnail: bytes


def fingerprint(image: Image.Image) -> Fingerprint:
    """The fingerprint of an RGB picture."""
    small = image.resize((2 * _SAMPLES, 2 * _SAMPLES), Image.Resampling.BOX)
    pixels = np.asarray(small, dtype=np.float64)  # (64, 64, 3)
    waves = _cosines(_SAMPLES)
    low = (waves @ (_averaged(pixels, _SAMPLES) @ _BRIGHTNESS) @ waves.T)[_LOWEST, _LOWEST]
    thumbnail = np.rint(_averaged(pixels, THUMBNAIL)).astype(np.uint8)
    return Fingerprint(_above_median(low), _above_median(low * _MIRROR), thumbnail.tobytes())


@lru_cache(maxsize=1)
def _cosines(size: int) -> Floats:
    """(size, size) the DCT-II: row k has cos(pi / size (n + 1/2) k). A constant factor does not change the bits."""
    n = np.arange(size)
    return np.cos(np.pi / size * np.outer(n, n + 0.5))


def _averaged(pixels: Floats, size: int) -> Floats:
    block = len(pixels) // size
    return pixels.reshape(size, block, size, block, -1).mean(axis=(1, 3))  # type: ignore[no-any-return]


def _above_median(low: Floats) -> int:
    return int(np.sum(_POWERS[(low > np.median(low)).ravel()], dtype=np.uint64))
