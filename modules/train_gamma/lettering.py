"""Fonts for writing on pictures, with whatever Pillow and the system have."""

import contextlib

from PIL import ImageDraw, ImageFont
from PIL.ImageFont import FreeTypeFont
from PIL.ImageFont import ImageFont as BitmapFont

Font = FreeTypeFont | BitmapFont

_FONTS_WITH_ALL_LETTERS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "arial.ttf", "Arial Unicode.ttf")


def find_font(size: int, text: str = "") -> Font:
    """Pillow's own font, which before 10.1 has one size only; a font of the system if ``text`` is not ASCII."""
    for file in () if text.isascii() else _FONTS_WITH_ALL_LETTERS:
        with contextlib.suppress(OSError, ImportError):
            return ImageFont.truetype(file, size)
    try:
        return ImageFont.load_default(size)
    except (TypeError, ImportError, OSError):
        return ImageFont.load_default()


def text_length(pen: ImageDraw.ImageDraw, text: str, font: Font) -> float:
    """The width of ``drawable`` text in pixels."""
    return pen.textlength(drawable(text, font), font=font)


def drawable(text: str, font: Font) -> str:
    """``text`` on one line, without what the bitmap font has no letters for."""
    line = " ".join(text.split())
    return line if isinstance(font, FreeTypeFont) else line.encode("latin-1", "replace").decode("latin-1")
