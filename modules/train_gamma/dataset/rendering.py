"""Copies of pictures: cut, scaled, mirrored, brighter or paler, as the bytes of a file."""

import io
from typing import Any

from PIL import Image, ImageEnhance, ImageOps, features

from train_gamma.dataset.crop_plan import Cut
from train_gamma.dataset.prepare_config import PrepareConfig
from train_gamma.errors import UserError

ENDINGS = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}
_FINE = 90
"""From this JPEG quality on, colours are stored as sharp as light."""


def render(image: Image.Image, cut: Cut, config: PrepareConfig) -> Image.Image:
    """The copy of one part of an upright RGB or RGBA picture."""
    part = _resized(image, cut)
    for enhancer, factor in (
        (ImageEnhance.Brightness, config.brightness),
        (ImageEnhance.Contrast, config.contrast),
        (ImageEnhance.Color, config.saturation),
    ):
        if factor != 1.0:
            part = enhancer(part).enhance(factor)
    return part


def mirrored(image: Image.Image) -> Image.Image:
    """Left is right."""
    return ImageOps.mirror(image)


def encoded(image: Image.Image, config: PrepareConfig) -> bytes:
    """The bytes of a file in the chosen format, without what other programs noted in the original.

    Raises:
        UserError: if the format cannot hold a picture of that size.
    """
    options: dict[str, dict[str, Any]] = {
        "png": {"compress_level": 6},
        "jpeg": {"quality": config.quality, "subsampling": 0 if config.quality >= _FINE else 2},
        "webp": {"quality": config.quality, "exact": True},
    }
    plain = image.copy()
    plain.info = {}
    data = io.BytesIO()
    try:
        plain.save(data, config.format, **options[config.format])
    except (OSError, ValueError) as error:
        raise UserError(
            f"A copy of {image.width} x {image.height} pixels cannot be a {config.format} file: {error}. Choose png "
            "or another Size."
        ) from error
    return data.getvalue()


def check_format(config: PrepareConfig) -> None:
    """Refuse a format that this Pillow cannot write.

    Raises:
        UserError: naming the others.
    """
    if config.format == "webp" and not features.check("webp"):
        raise UserError("This installation of Pillow cannot write webp. Choose png or jpeg.")


def _resized(image: Image.Image, cut: Cut) -> Image.Image:
    if cut.size == (cut.box.width, cut.box.height):
        return image.crop(cut.box.corners)
    if image.mode == "RGBA":  # or the colours of clear pixels, which are anything, would shine through at the edges
        premultiplied = image.convert("RGBa")
        return premultiplied.resize(cut.size, Image.Resampling.LANCZOS, box=cut.box.corners).convert("RGBA")
    return image.resize(cut.size, Image.Resampling.LANCZOS, box=cut.box.corners)
