"""The words that go with a picture: from the file beside it, or from its name."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from train_gamma.dataset.text_files import read_text
from train_gamma.errors import UserError
from train_gamma.training.config import DatasetConfig

_NUMBERS_AT_START = re.compile(r"^[-\d]+\s*")


@dataclass(frozen=True, slots=True)
class Caption:
    """The words of one picture and where they were found.

    Attributes:
        text: on one line, "" when there are none.
        source: a caption file, the picture's file name, or nowhere.
        path: the caption file, if that is the source.
    """

    text: str
    source: Literal["file", "file name", "none"]
    path: Path | None


def read_caption(picture: Path, config: DatasetConfig) -> Caption:
    """Find the caption of a picture.

    The first file that exists with the picture's stem and one of ``caption_extensions`` counts, even if it is empty.
    Line breaks and runs of blanks become one blank, as every CLIP tokenizer reads them anyway.

    Raises:
        UserError: if the caption file is not UTF-8 text, or the file name regex is wrong.
    """
    for path in caption_paths(picture, config):
        if path.is_file():
            return Caption(" ".join(read_text(path).split()), "file", path)
    text = filename_words(picture, config) if config.filename_captions else ""
    return Caption(text, "file name" if text else "none", None)


def caption_paths(picture: Path, config: DatasetConfig) -> list[Path]:
    """Where a caption of this picture may be, in the order of preference."""
    endings = [ending.strip() for ending in config.caption_extensions]
    dotted = [ending if ending.startswith(".") else f".{ending}" for ending in endings if ending]
    return [picture.with_name(picture.stem + ending) for ending in dotted]


def filename_words(picture: Path, config: DatasetConfig) -> str:
    """The caption in a file name, by the rules of A1111's ``textual_inversion/dataset.py`` (feee37d7).

    The ending and leading digits and dashes are cut; with a regex, its matches are joined. What differs: a regex with
    several groups, on which A1111 fails, gives its groups one after the other.

    Raises:
        UserError: if the regex is not valid.
    """
    pattern = compile_filename_regex(config)
    stem = picture.stem.encode("utf-8", "ignore").decode()  # on Linux a name may have bytes that are no text
    words = _NUMBERS_AT_START.sub("", stem)
    if pattern is not None:
        matches: list[str | tuple[str, ...]] = pattern.findall(words)
        parts = [part for match in matches for part in ((match,) if isinstance(match, str) else match)]
        words = config.filename_join.join(parts)
    return " ".join(words.split())


def compile_filename_regex(config: DatasetConfig) -> re.Pattern[str] | None:
    """The file name regex, or None when there is none.

    Raises:
        UserError: if it is not valid.
    """
    if not config.filename_regex:
        return None
    try:
        return re.compile(config.filename_regex)
    except re.error as error:
        raise UserError(
            f"File name regex '{config.filename_regex}' is not a regular expression: {error}. "
            "Correct it, or leave it empty to take the whole name."
        ) from error
