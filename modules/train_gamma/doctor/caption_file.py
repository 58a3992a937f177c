"""The caption of a picture with how its file is written."""

import codecs
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from train_gamma.dataset.captions import caption_paths, filename_words
from train_gamma.dataset.text_files import decode_text
from train_gamma.errors import UserError
from train_gamma.training.config import DatasetConfig

Encoding = Literal["", "utf-8", "utf-8-sig", "utf-16", "unknown"]
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class CaptionFile:
    """The words of one picture.

    Attributes:
        text: on one line, "" when there are none or they cannot be read.
        source: a caption file, the picture's file name, or nowhere.
        path: the caption file, None if there is none.
        encoding: of the file, "" if there is none.
        problem: why the file cannot be read, "" when it can.
        others: further caption files of the picture, which are not read.
    """

    text: str
    source: Literal["file", "file name", "none"]
    path: Path | None = None
    encoding: Encoding = ""
    problem: str = ""
    others: tuple[Path, ...] = ()


def look_at_caption(picture: Path, config: DatasetConfig) -> CaptionFile:
    """Read the caption of a picture. What is wrong with its file is told, not raised.

    Raises:
        UserError: if the file name regex is wrong.
    """
    found = [path for path in caption_paths(picture, config) if path.is_file()]
    if not found:
        words = filename_words(picture, config) if config.filename_captions else ""
        return CaptionFile(words, "file name" if words else "none")
    path, others = found[0], tuple(found[1:])
    try:
        data = path.read_bytes()
        text = " ".join(decode_text(data, path).split())
    except OSError as error:
        problem = f"'{path}' cannot be read: {error.strerror or error}. Check your rights to the file."
        return CaptionFile("", "file", path, "", problem, others)
    except UserError as error:
        return CaptionFile("", "file", path, "unknown", str(error), others)
    return CaptionFile(text, "file", path, _encoding(data), "", others)


def _encoding(data: bytes) -> Encoding:
    if data.startswith(_UTF16):
        return "utf-16"
    return "utf-8-sig" if data.startswith(codecs.BOM_UTF8) else "utf-8"
