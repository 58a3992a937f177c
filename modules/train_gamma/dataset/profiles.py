"""Colour profiles: whether one says anything else than sRGB, which is what a model takes the numbers for."""

import io
from functools import lru_cache
from itertools import product
from typing import Any

from PIL import Image

SAME_COLOURS = 3.0
"""Mean difference, in steps of 0..255 over a grid of colours, up to which a profile is taken for sRGB."""

_STEPS = (0, 51, 102, 153, 204, 255)
_GREY, _COLOURS = ("L", "LA", "1", "I", "I;16"), ("RGB", "RGBA", "P", "PA")


def foreign_profile(profile: bytes, mode: str) -> str:
    """The name of a colour profile that changes what the numbers mean, "" for none and for all kinds of sRGB.

    Names of profiles say little (there are dozens of sRGB), so colours are sent through it and compared.

    Args:
        profile: an ICC profile, b"" for none.
        mode: of the picture, Pillow's; a profile for another kind of colour is damaged or not meant for it. Pictures
            for print (CMYK) have none that counts, as they are converted anyway.
    """
    if not profile or mode not in (*_GREY, *_COLOURS):
        return ""
    return _judged(profile, mode in _GREY)


@lru_cache(maxsize=32)
def _judged(profile: bytes, grey: bool) -> str:
    try:
        from PIL import ImageCms  # noqa: PLC0415 - some builds of Pillow are without it
    except ImportError:
        return "" if b"sRGB" in profile else "another colour profile"
    try:
        opened: Any = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        colours = _grid("L" if grey else "RGB")
        shown = ImageCms.profileToProfile(
            colours, opened, ImageCms.createProfile("sRGB"), ImageCms.Intent.RELATIVE_COLORIMETRIC, outputMode="RGB"
        )
        name = ImageCms.getProfileDescription(opened).strip()
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return ""  # not readable, or for another kind of picture: every program ignores it
    if shown is None or _difference(colours.convert("RGB"), shown) <= SAME_COLOURS:
        return ""
    return name or "a profile without a name"


def _grid(mode: str) -> Image.Image:
    """A row of pixels with colours from everywhere."""
    colours = list(product(_STEPS, repeat=3)) if mode == "RGB" else list(range(256))
    image = Image.new(mode, (len(colours), 1))
    image.putdata(colours)
    return image


def _difference(one: Image.Image, other: Image.Image) -> float:
    pairs = zip(one.tobytes(), other.tobytes(), strict=True)
    return sum(abs(a - b) for a, b in pairs) / (3 * one.width)
