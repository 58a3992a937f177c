"""Finding the pictures of a folder, and opening them as the plain RGB that a VAE takes."""

import re
import struct
import zlib
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from types import FunctionType

import numpy as np
from PIL import Image, ImageColor, ImageFile, UnidentifiedImageError

from train_gamma.dataset.folders import count_by_ending, list_files
from train_gamma.errors import UserError

PICTURE_EXTENSIONS = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
MAX_PIXELS = 178_956_970
"""Twice Pillow's ``MAX_IMAGE_PIXELS``, where Pillow too refuses; kept here because hosts switch Pillow's check off."""

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "DIB", "GIF")  # by content, whatever the file is called
DECODE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    EOFError,
    struct.error,
    zlib.error,
)  # fmt: skip - what Pillow raises for damaged files
ORIENTATION_TAG = 0x0112
_PNG_DEPTH = 24  # where the IHDR chunk, which is always the first, has the bit depth
_ORIENTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What undoes each value of the EXIF tag (CIPA DC-008, table 4, "Orientation")."""

_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF", b"BM", b"GIF8")
_FOREIGN = (
    (re.compile(rb"....ftyp(avif|avis)", re.DOTALL), "an AVIF picture"),
    (re.compile(rb"....ftyp(heic|heix|mif1|msf1)", re.DOTALL), "a HEIC picture"),
    (re.compile(rb"(\xff\x0a|....JXL )", re.DOTALL), "a JPEG XL picture"),
    (re.compile(rb"(II\*\0|MM\0\*)"), "a TIFF picture"),
    (re.compile(rb"8BPS"), "a Photoshop file"),
    (re.compile(rb"\s*<(!doctype|html|\?xml|svg)", re.IGNORECASE), "a web page or SVG drawing"),
    (re.compile(rb"PK\x03\x04"), "a zip file"),
)
_AGAIN = "Download or export it again, or take it out of the folder."


class TooLargeError(UserError):
    """A picture with more than ``MAX_PIXELS``. It is not decoded."""


def find_pictures(folder: Path, recursive: bool) -> list[Path]:
    """List the pictures of a folder in natural order (2 before 10), by their endings.

    Hidden files and folders (a name that begins with a dot) are left out: they hold thumbnails and backups.

    Raises:
        UserError: if the folder is missing, is a file, cannot be read, or has no pictures.
    """
    files = list_files(folder, recursive)
    pictures = pictures_among(files)
    if not pictures:
        raise UserError(_no_pictures(folder, files, recursive))
    return pictures


def pictures_among(files: Iterable[Path]) -> list[Path]:
    """The files whose ending is that of a picture. A link to nowhere is one, so that opening it names it."""
    return [
        path for path in files if path.suffix.lower() in PICTURE_EXTENSIONS and (path.is_file() or path.is_symlink())
    ]


def open_picture(path: Path, background: str) -> Image.Image:
    """Open a picture as RGB, 8 bits a channel, the right way up.

    The EXIF rotation is applied; transparency of every kind shows ``background``; 16-bit grey is scaled, not clipped;
    of an animation the first frame is taken.

    Args:
        path: the file.
        background: a colour name or #rrggbb.

    Raises:
        UserError: if the file cannot be read, is damaged, empty, too large or no picture, or ``background`` is not a
            colour.
    """
    return decode_picture(read_picture(path), path, background)


def read_picture(path: Path) -> bytes:
    """The bytes of a picture file.

    Raises:
        UserError: if it cannot be read, or is empty.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"'{path}' cannot be read: {reason}. Check your rights to it, or take it away.") from error
    if not data:
        raise UserError(f"'{path}' is empty (0 bytes). {_AGAIN}")
    return data


def decode_picture(
    data: bytes,
    path: Path,
    background: str,
    look: Callable[[Image.Image], None] | None = None,
    formats: tuple[str, ...] | None = FORMATS,
) -> Image.Image:
    """Like ``open_picture``, for bytes that were read already.

    Args:
        data: the file.
        path: is only named in messages.
        background: a colour name or #rrggbb.
        look: is shown the decoded picture as it is stored, before it is turned and flattened.
        formats: Pillow's names of those that are read, None for all that it knows.
    """
    colour = parse_colour(background)
    try:
        with Image.open(BytesIO(data), formats=formats) as image:
            _check_size(image.width * image.height, path)
            _load(image)
            stored = _correct_transparency(image, data)
            if look is not None:
                look(stored)
            return _flatten(_apply_orientation(stored), colour)
    except UnidentifiedImageError as error:
        raise UserError(_unidentified(data, path)) from error
    except Image.DecompressionBombError as error:
        raise TooLargeError(_too_large(path)) from error
    except DECODE_ERRORS as error:
        raise UserError(_damaged(path, _reason(error))) from error


def parse_colour(background: str) -> tuple[int, int, int]:
    """The (red, green, blue) of a colour name or #rrggbb.

    Raises:
        UserError: if it is neither.
    """
    try:
        red, green, blue = ImageColor.getrgb(background.strip())[:3]
    except ValueError as error:
        raise UserError(
            f"Background '{background}' is not a colour. Give a name such as white or gray, or six digits like #808080."
        ) from error
    return red, green, blue


def _no_pictures(folder: Path, files: list[Path], recursive: bool) -> str:
    text = f"Dataset folder '{folder}' has no pictures (looked for {' '.join(PICTURE_EXTENSIONS)}"
    text += f"; {count_by_ending(files)})." if files else "; it is empty)."
    below = [] if recursive else pictures_among(list_files(folder, True, limit=10_000))
    if below:
        folders = {path.parent for path in below}
        text += f" Its subfolders have {len(below)} in {len(folders)} folders: turn on 'Include subfolders'"
        return f"{text}, or choose one of them."
    return f"{text} Check the path, or convert the pictures to PNG."


def _load(image: ImageFile.ImageFile) -> None:
    """Decode a picture, which fails if it is cut off even where another program told Pillow to accept such files.

    That permission is a flag of the process that extensions of the WebUI set and leave. It stays as it is: Pillow's
    own function is run with a copy of its surroundings in which the flag is off, and a JPEG is told that it was given
    the end that Pillow would make up.
    """
    loader: Callable[[ImageFile.ImageFile], object] = type(image).load
    if ImageFile.LOAD_TRUNCATED_IMAGES and loader is ImageFile.ImageFile.load:
        surroundings = {**vars(ImageFile), "LOAD_TRUNCATED_IMAGES": False}
        vars(image)["_ended"] = True
        function = ImageFile.ImageFile.load
        loader = FunctionType(function.__code__, surroundings, "load", function.__defaults__, function.__closure__)
    loader(image)


def _check_size(pixels: int, path: Path) -> None:
    if pixels > MAX_PIXELS:
        raise TooLargeError(_too_large(path))


def _too_large(path: Path) -> str:
    return (
        f"'{path}' has more than {MAX_PIXELS // 10**6} million pixels, the limit that guards the memory. "
        "Scale it down (a few thousand pixels a side are plenty), or take it out of the folder."
    )


def _damaged(path: Path, reason: str) -> str:
    return f"'{path}' is damaged or cut off ({reason}). {_AGAIN}"


def _unidentified(data: bytes, path: Path) -> str:
    if data.startswith(_SIGNATURES):
        return _damaged(path, "its header cannot be read")
    kind = next((name for pattern, name in _FOREIGN if pattern.match(data)), "")
    found = f"it is {kind}" if kind else "its content is none of these"
    return (
        f"'{path}' is not a PNG, JPEG, WEBP or BMP picture: {found}. Convert it to PNG, or take it out of the folder."
    )


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _apply_orientation(image: Image.Image) -> Image.Image:
    try:
        method = _ORIENTATIONS.get(image.getexif().get(ORIENTATION_TAG, 1))
    except DECODE_ERRORS:
        return image  # unreadable EXIF says nothing about the pixels
    return image if method is None else _with_info(image.transpose(method), image)


def _with_info(turned: Image.Image, image: Image.Image) -> Image.Image:
    if "transparency" in image.info:
        turned.info["transparency"] = image.info["transparency"]
    return turned


def _correct_transparency(image: Image.Image, data: bytes) -> Image.Image:
    """Bring PNG's transparent colour to 8 bits, as Pillow does with the pixels but not with that colour."""
    clear, depth = image.info.get("transparency"), data[_PNG_DEPTH] if image.format == "PNG" else 8
    if image.mode == "1" and isinstance(clear, int):  # Pillow before 11 ignores the colour of black and white
        del image.info["transparency"]
        image = image.convert("L")
        image.info["transparency"] = 255 if clear else 0
    elif image.mode == "L" and isinstance(clear, int):
        image.info["transparency"] = clear * 255 // (2**depth - 1)
    if image.mode == "RGB" and isinstance(clear, tuple):
        image.info["transparency"] = tuple(value >> max(0, depth - 8) for value in clear)
    return image


def _flatten(image: Image.Image, colour: tuple[int, int, int]) -> Image.Image:
    if image.mode.startswith("I"):
        image = _scale_16_bits(image)
    if "transparency" not in image.info and image.mode not in ("RGBA", "LA", "PA"):
        return image.convert("RGB")
    ground = Image.new("RGBA", image.size, (*colour, 255))
    return Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")


def _scale_16_bits(image: Image.Image) -> Image.Image:
    """Bring grey values 0..65535 to 0..255; Pillow's own conversion clips them at 255."""
    values = np.asarray(image).astype(np.int64).clip(0, 65535)
    grey = Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))
    clear = image.info.get("transparency")
    if not isinstance(clear, int):
        return grey
    return Image.merge("LA", (grey, Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8))))
