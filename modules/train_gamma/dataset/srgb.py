"""Pictures in the colours that a model takes their numbers for: sRGB."""

import io
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from train_gamma.dataset.pictures import decode_picture, read_picture
from train_gamma.dataset.profiles import foreign_profile


def open_as_srgb(path: Path, background: str, keep_alpha: bool = False) -> Image.Image:
    """Open a picture upright in sRGB, 8 bits a channel.

    Args:
        path: the file.
        background: shows through transparent pictures, a colour name or #rrggbb.
        keep_alpha: leave transparency: a picture that has any comes as RGBA, all others as RGB.

    Raises:
        UserError: if it cannot be read.
    """
    kept: list[Image.Image] = []
    shown = decode_picture(
        read_picture(path), path, background, lambda stored: kept.append(_needed(stored, keep_alpha))
    )
    stored = kept[0]
    image = shown
    if keep_alpha and _has_alpha(stored):
        image = _upright(stored).convert("RGBA")
    profile = stored.info.get("icc_profile")
    if not isinstance(profile, bytes):
        return image
    if stored.mode == "CMYK":
        return converted(_upright(stored), profile) or image
    if foreign_profile(profile, stored.mode):
        return _colours_converted(image, profile, stored.mode) or image
    return image


def _needed(stored: Image.Image, keep_alpha: bool) -> Image.Image:
    """What of a decoded picture is needed later: all of it, or only what is said of it."""
    if stored.mode == "CMYK" or (keep_alpha and _has_alpha(stored)):
        return stored.copy()
    told = Image.new(stored.mode, (1, 1))
    told.info = {key: value for key, value in stored.info.items() if key == "icc_profile"}
    return told


def _has_alpha(stored: Image.Image) -> bool:
    """Whether the picture has transparency that survives; 16-bit grey with one clear colour is flattened instead."""
    return stored.mode in ("RGBA", "LA", "PA") or ("transparency" in stored.info and not stored.mode.startswith("I"))


def _upright(stored: Image.Image) -> Image.Image:
    turned: Any = ImageOps.exif_transpose(stored)
    upright: Image.Image = turned
    return upright


def _colours_converted(image: Image.Image, profile: bytes, stored_mode: str) -> Image.Image | None:
    """An RGB or RGBA picture by a profile of its colours; the alpha stays as it is."""
    grey = stored_mode in ("L", "LA", "1", "I", "I;16")
    colours = image.convert("L" if grey else "RGB")
    found = converted(colours, profile)
    if found is not None and image.mode == "RGBA":
        found.putalpha(image.getchannel("A"))
    return found


def converted(image: Image.Image, profile: bytes) -> Image.Image | None:
    """A picture as sRGB by its profile; None if that is damaged or for others, as every program ignores it then."""
    try:
        from PIL import ImageCms  # noqa: PLC0415 - some builds of Pillow are without it
    except ImportError:
        return None
    try:
        source: Any = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target: Any = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
