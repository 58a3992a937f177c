"""What is known of a picture file after one look at it: how it is stored and what it looks like."""

import hashlib
import io
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from train_gamma.dataset.fingerprint import Fingerprint, fingerprint
from train_gamma.dataset.pictures import DECODE_ERRORS, FORMATS, ORIENTATION_TAG, decode_picture, read_picture
from train_gamma.dataset.profiles import foreign_profile

MANY_PIXELS = 25_000_000
"""Pictures with more are decoded one at a time, whatever the number of threads."""

_PNG_DEPTH = 24
_UPRIGHT = 1


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """What is known of a picture that can be read.

    Attributes:
        sha256: of the file's bytes, lower-case hex.
        num_bytes: of the file.
        size: (width, height) in pixels, upright.
        format: Pillow's name of the file format, "PNG" for example, whatever the file is called.
        mode: Pillow's name of how a pixel is stored, such as "RGB" or "CMYK".
        depth: bits of a channel.
        orientation: EXIF's, 1 for upright.
        clear: whether a pixel is transparent, at least in part.
        profile: the name of its colour profile, "" for none and for sRGB.
        animated: whether there is a second frame.
        look: its fingerprint.
    """

    sha256: str
    num_bytes: int
    size: tuple[int, int]
    format: str
    mode: str
    depth: int
    orientation: int
    clear: bool
    profile: str
    animated: bool
    look: Fingerprint


class FactsReader:
    """Reads pictures, in as many threads as call it; large ones wait for each other to spare the memory.

    Args:
        background: shows through transparent pictures, a colour name or #rrggbb.
    """

    def __init__(self, background: str) -> None:
        self._background = background
        self._room = threading.Lock()

    def read(self, path: Path) -> PictureFacts:
        """Open a picture, completely.

        Raises:
            UserError: if it cannot be read, is damaged, empty, too large or no picture.
        """
        data = read_picture(path)
        header = _read_header(data)
        if header.pixels > MANY_PIXELS:
            with self._room:
                return self._facts(data, path, header)
        return self._facts(data, path, header)

    def _facts(self, data: bytes, path: Path, header: "_Header") -> PictureFacts:
        seen: list[tuple[bool, int]] = []
        image = decode_picture(
            data, path, self._background, lambda stored: seen.append((_is_clear(stored), _orientation(stored)))
        )
        clear, orientation = seen[0]
        return PictureFacts(
            sha256=hashlib.sha256(data).hexdigest(),
            num_bytes=len(data),
            size=image.size,
            format=header.format,
            mode=header.mode,
            depth=header.depth,
            orientation=orientation,
            clear=clear,
            profile=foreign_profile(header.profile, header.mode),
            animated=header.animated,
            look=fingerprint(image),
        )


@dataclass(frozen=True, slots=True)
class _Header:
    """What a file says about itself; nothing is decoded for it."""

    format: str = ""
    mode: str = ""
    depth: int = 8
    pixels: int = 0
    profile: bytes = b""
    animated: bool = False


def _read_header(data: bytes) -> _Header:
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            kind, mode, pixels = image.format or "", image.mode, image.width * image.height
            return _Header(
                kind,
                mode,
                _depth(data, kind, mode),
                pixels,
                _bytes(image.info.get("icc_profile")),
                _is_animated(image),
            )
    except (*DECODE_ERRORS, Image.DecompressionBombError):
        return _Header()  # decoding it says what is wrong


def _depth(data: bytes, kind: str, mode: str) -> int:
    if kind == "PNG" and mode != "P":
        return data[_PNG_DEPTH]
    return {"1": 1, "I;16": 16, "I;16B": 16, "I": 32, "F": 32}.get(mode, 8)


def _orientation(stored: Image.Image) -> int:
    """EXIF's; to be asked of decoded pictures only, as Pillow decodes a PNG to find its EXIF."""
    try:
        return int(stored.getexif().get(ORIENTATION_TAG, _UPRIGHT))
    except DECODE_ERRORS:
        return _UPRIGHT


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else b""


def _is_animated(image: Image.Image) -> bool:
    try:
        return bool(getattr(image, "is_animated", False))
    except DECODE_ERRORS:
        return False


def _is_clear(stored: Image.Image) -> bool:
    """Whether any pixel is not opaque; a transparency that no pixel uses is none."""
    if stored.mode not in ("RGBA", "LA", "PA"):
        if "transparency" not in stored.info:
            return False
        if stored.mode.startswith("I"):  # 16-bit grey: the colour that is clear, which few pictures have
            return True
        stored = stored.convert("RGBA")
    lowest: Any = stored.getchannel("A").getextrema()[0]
    return bool(lowest < 255)
