"""Pictures written anew: turned upright, flattened, converted, scaled down, cut. Always as PNG, which loses nothing."""

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from train_gamma.dataset.buckets import Fit
from train_gamma.dataset.pictures import FORMATS, PICTURE_EXTENSIONS, decode_picture, read_picture
from train_gamma.dataset.srgb import converted

LONGEST = 2.0
"""Longer side to shorter side, to which pictures are cut at least."""

Edit = Callable[["Opened"], Image.Image]


@dataclass(frozen=True, slots=True)
class Opened:
    """A picture that was opened.

    Attributes:
        stored: as it is in the file, but upright.
        shown: RGB, 8 bits, upright, on the background, with the numbers that are in the file.
        profile: its ICC profile, b"" for none.
        fit: how it is brought to its bucket, None if that is not known.
    """

    stored: Image.Image
    shown: Image.Image
    profile: bytes
    fit: Fit | None = None


def open_for_edit(path: Path, background: str, fit: Fit | None) -> Opened:
    """Open a picture.

    Raises:
        UserError: if it cannot be read.
    """
    kept: list[Image.Image] = []
    formats = FORMATS if path.suffix.lower() in PICTURE_EXTENSIONS else None  # training reads no others
    shown = decode_picture(read_picture(path), path, background, lambda stored: kept.append(stored.copy()), formats)
    upright: Any = ImageOps.exif_transpose(kept[0])
    profile = kept[0].info.get("icc_profile")
    return Opened(upright, shown, profile if isinstance(profile, bytes) else b"", fit)


def rotate(opened: Opened) -> Image.Image:
    """As it is, but upright without a note that says so."""
    return opened.stored if opened.stored.mode != "CMYK" else to_srgb(opened)


def flatten(opened: Opened) -> Image.Image:
    """On the background."""
    return opened.shown


def to_srgb(opened: Opened) -> Image.Image:
    """RGB with 8 bits a channel, the colours of its profile as sRGB, on the background."""
    if not opened.profile:
        return opened.shown
    source = opened.stored if opened.stored.mode in ("CMYK", "L") else opened.shown
    return converted(source, opened.profile) or opened.shown


def downscale(longest: int) -> Edit:
    """Scale so that the longer side is at most ``longest`` pixels."""

    def edit(opened: Opened) -> Image.Image:
        image = _editable(opened)
        factor = longest / max(image.size)
        size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
        return image.resize(size, Image.Resampling.LANCZOS) if factor < 1 else image

    return edit


def crop(opened: Opened) -> Image.Image:
    """Cut the middle out, in the shape of its bucket but at most twice as long as wide, without scaling."""
    image = _editable(opened)
    if opened.fit is None:
        return image
    ratio = min(LONGEST, max(1 / LONGEST, opened.fit.bucket.width / opened.fit.bucket.height))
    width = min(image.width, max(1, math.floor(image.height * ratio)))
    height = min(image.height, max(1, math.floor(image.width / ratio)))
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def as_png(image: Image.Image, opened: Opened, edit: Edit) -> bytes:
    """The bytes of a PNG; the profile stays with it unless its colours were converted."""
    data = io.BytesIO()
    keeps = opened.profile and edit is not to_srgb and opened.stored.mode != "CMYK"
    image.save(data, "PNG", icc_profile=opened.profile if keeps else None, exif=b"")  # it is upright already
    return data.getvalue()


def _editable(opened: Opened) -> Image.Image:
    """With its transparency if there is any, otherwise RGB."""
    if "A" in opened.stored.mode or "transparency" in opened.stored.info:
        return opened.stored.convert("RGBA")
    return opened.shown
