"""Pillow's filters worked out again in float64, from their definition, to compare with.

A filter's kernel is widened by the factor by which a picture shrinks, sampled at the centres of the source's pixels,
and its weights brought to a sum of 1; along the rows first, then along the columns, rounded to whole numbers each time.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def bilinear(x: Array) -> Array:
    return np.clip(1 - np.abs(x), 0, None)


def bicubic(x: Array) -> Array:
    """Keys 1981, with a = -1/2."""
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def lanczos(x: Array) -> Array:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


KERNELS: dict[str, tuple[Callable[[Array], Array], float]] = {
    "bilinear": (bilinear, 1.0),
    "bicubic": (bicubic, 2.0),
    "lanczos": (lanczos, 3.0),
}


def resize(picture: Array, height: int, width: int, name: str) -> Array:
    """(H, W, 3) of 0..255 to (height, width, 3) of whole numbers 0..255."""
    along_rows = _rounded(np.einsum("ow,hwc->hoc", _weights(picture.shape[1], width, name), picture))
    return _rounded(np.einsum("oh,hwc->owc", _weights(picture.shape[0], height, name), along_rows))


def _rounded(values: Array) -> Array:
    return np.floor(np.clip(values, 0, 255) + 0.5).clip(0, 255)


def _weights(source: int, target: int, name: str) -> Array:
    """(target, source): what each pixel of the source gives to each of the target."""
    if source == target:
        return np.eye(source)
    kernel, support = KERNELS[name]
    scale = source / target
    widened = max(1.0, scale)
    centres = (np.arange(target) + 0.5) * scale
    pixels = np.arange(source) + 0.5
    first = np.floor(centres - support * widened + 0.5)
    last = np.floor(centres + support * widened + 0.5)
    inside = (np.arange(source) >= first[:, None]) & (np.arange(source) < last[:, None])
    weights = np.where(inside, kernel((pixels - centres[:, None]) / widened), 0.0)
    return weights / weights.sum(axis=1, keepdims=True)
