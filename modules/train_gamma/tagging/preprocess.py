"""From a picture to the numbers that a tagger takes, as its model card says."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PREPROCESSING = 1
"""Part of an interrogator's identity: raised whenever the same picture gives other numbers than before."""

RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_ROWS = 1024
"""How many rows are padded at a time: a panorama of 20000 x 200 would be a square of 1.2 GB at once."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What a model takes for a picture.

    Attributes:
        axes: the order of the axes.
        channels: the order of the colours.
        size: side of the square in pixels; 0 for what the model says.
        fit: how a picture becomes square: ``pad`` to a square, then resize; ``shrink`` (or enlarge) its long side to
            the size, then pad; ``stretch`` both sides to the size; or resize its short side and ``crop`` the centre.
        fill: (red, green, blue) around it, 0..255.
        rounded: whether ``shrink`` rounds the short side to the nearest whole number, not down.
        resample: the filter, a key of ``RESAMPLING``.
        scale: what 0..255 is divided by.
        mean: (red, green, blue), taken off after that.
        std: (red, green, blue), divided by after that.
    """

    axes: Literal["NHWC", "NCHW"] = "NHWC"
    channels: Literal["RGB", "BGR"] = "RGB"
    size: int = 0
    fit: Literal["pad", "shrink", "stretch", "crop"] = "pad"
    fill: tuple[int, int, int] = (255, 255, 255)
    rounded: bool = False
    resample: str = "bicubic"
    scale: float = 255.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)


def prepare(picture: Image.Image, layout: Layout, size: int) -> NDArray[np.float32]:
    """A picture as one row of a batch.

    Args:
        picture: RGB, 8 bits, upright, of any size.
        layout: what the model takes.
        size: side of the square.

    Returns:
        (size, size, 3) or (3, size, size), contiguous, as ``layout.axes`` says.
    """
    square = _FITS[layout.fit](picture if picture.mode == "RGB" else picture.convert("RGB"), layout, size)
    values: NDArray[Any] = np.asarray(square, dtype=np.float32)
    if layout.scale != 1.0:
        values = values / np.float32(layout.scale)
    if layout.mean != (0.0, 0.0, 0.0) or layout.std != (1.0, 1.0, 1.0):
        values = (values - np.array(layout.mean, np.float32)) / np.array(layout.std, np.float32)
    if layout.channels == "BGR":
        values = values[:, :, ::-1]
    if layout.axes == "NCHW":
        values = values.transpose(2, 0, 1)
    return np.ascontiguousarray(values, dtype=np.float32)


def _pad(picture: Image.Image, layout: Layout, size: int) -> Image.Image:
    """Pad to a centred square, then resize.

    The same, bit for bit, as padding and resizing the whole at once: Pillow filters along the rows first, and rounds to
    8 bits before it filters along the columns.
    """
    filter_ = RESAMPLING[layout.resample]
    width, height = picture.size
    side = max(width, height)
    narrow = Image.new("RGB", (size, side), layout.fill)
    narrow.paste(_filter_rows(picture, layout, size), (0, (side - height) // 2))
    return narrow.resize((size, size), filter_)


def _filter_rows(picture: Image.Image, layout: Layout, size: int) -> Image.Image:
    """Each row, padded to the picture's long side, resized to ``size``."""
    filter_ = RESAMPLING[layout.resample]
    width, height = picture.size
    if width >= height:
        return picture.resize((size, height), filter_)
    narrow = Image.new("RGB", (size, height))
    for row in range(0, height, _ROWS):
        below = min(row + _ROWS, height)
        padded = Image.new("RGB", (height, below - row), layout.fill)
        padded.paste(picture.crop((0, row, width, below)), ((height - width) // 2, 0))
        narrow.paste(padded.resize((size, below - row), filter_), (0, row))
    return narrow


def _shrink(picture: Image.Image, layout: Layout, size: int) -> Image.Image:
    width, height = picture.size
    aspect = width / height
    shorter = size / aspect if aspect > 1 else size * aspect
    shorter = max(1, round(shorter) if layout.rounded else int(shorter))
    inner = (size, shorter) if aspect > 1 else (shorter, size)
    square = Image.new("RGB", (size, size), layout.fill)
    square.paste(picture.resize(inner, RESAMPLING[layout.resample]), ((size - inner[0]) // 2, (size - inner[1]) // 2))
    return square


def _stretch(picture: Image.Image, layout: Layout, size: int) -> Image.Image:
    return picture.resize((size, size), RESAMPLING[layout.resample])


def _crop(picture: Image.Image, layout: Layout, size: int) -> Image.Image:
    width, height = picture.size
    if width <= height:
        outer = (size, max(size, int(size * height / width)))
    else:
        outer = (max(size, int(size * width / height)), size)
    left, top = round((outer[0] - size) / 2), round((outer[1] - size) / 2)
    resized = picture.resize(outer, RESAMPLING[layout.resample])
    return resized.crop((left, top, left + size, top + size))


_FITS = {"pad": _pad, "shrink": _shrink, "stretch": _stretch, "crop": _crop}
