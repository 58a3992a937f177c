"""One picture of a dataset: its file, caption and fit."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from train_gamma.dataset.buckets import Bucket, Fit, fit_picture
from train_gamma.dataset.captions import Caption, read_caption
from train_gamma.dataset.pictures import decode_picture, read_picture
from train_gamma.errors import UserError
from train_gamma.training.config import DatasetConfig


@dataclass(frozen=True, slots=True)
class Item:
    """A picture that is fit to be trained on.

    Attributes:
        path: the file.
        sha256: of the file's bytes, lower-case hex.
        size: (width, height) in pixels, upright.
        caption: its words.
        fit: how it is brought to its bucket.
    """

    path: Path
    sha256: str
    size: tuple[int, int]
    caption: Caption
    fit: Fit


def read_item(path: Path, config: DatasetConfig, buckets: Sequence[Bucket], problems: list[str]) -> Item | None:
    """Open a picture and its caption, completely; what is wrong with either is added to ``problems``."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        shown = str(path).encode("utf-8", "backslashreplace").decode()
        problems.append(f"The file name '{shown}' is not valid UTF-8. Rename the file.")
        return None
    picture = _inspect(path, config, problems)
    caption = _caption(path, config, problems)
    if picture is None or caption is None:
        return None
    sha256, size = picture
    return Item(path, sha256, size, caption, fit_picture(size, buckets, config.upscale, config.bucket_step))


def _inspect(path: Path, config: DatasetConfig, problems: list[str]) -> tuple[str, tuple[int, int]] | None:
    try:
        data = read_picture(path)
        size = decode_picture(data, path, config.background).size
    except UserError as error:
        problems.append(str(error))
        return None
    return hashlib.sha256(data).hexdigest(), size


def _caption(path: Path, config: DatasetConfig, problems: list[str]) -> Caption | None:
    try:
        return read_caption(path, config)
    except UserError as error:
        problems.append(str(error))
        return None
