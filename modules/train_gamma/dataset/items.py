"""One picture of a dataset: its file, caption and fit."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from train_gamma.dataset.buckets import Bucket, Fit, fit_picture
from train_gamma.dataset.captions import Caption, read_caption
from train_gamma.dataset.facts import FactsReader, PictureFacts
from train_gamma.errors import UserError
from train_gamma.training.config import DatasetConfig


@dataclass(frozen=True, slots=True)
class Item:
    """A picture that is fit to be trained on.

    Attributes:
        path: the file.
        facts: what was seen when it was opened.
        caption: its words.
        fit: how it is brought to its bucket.
    """

    path: Path
    facts: PictureFacts
    caption: Caption
    fit: Fit

    @property
    def sha256(self) -> str:
        """Of the file's bytes, lower-case hex."""
        return self.facts.sha256

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels, upright."""
        return self.facts.size


def read_items(
    paths: Sequence[Path], config: DatasetConfig, buckets: Sequence[Bucket], problems: list[str]
) -> list[Item]:
    """Open pictures and their captions, completely; what is wrong with any is added to ``problems``, in order."""
    reader = FactsReader(config.background)
    found: list[list[str]] = [[] for _ in paths]

    def read(index: int) -> Item | None:
        return _read_item(paths[index], reader, config, buckets, found[index])

    with ThreadPoolExecutor(num_readers()) as pool:
        items = list(pool.map(read, range(len(paths))))
    problems += [problem for of_picture in found for problem in of_picture]
    return [item for item in items if item is not None]


def num_readers() -> int:
    """How many threads read pictures: decoding leaves Python's lock, so it is as fast as there are cores."""
    return min(8, os.cpu_count() or 1)


def _read_item(
    path: Path, reader: FactsReader, config: DatasetConfig, buckets: Sequence[Bucket], problems: list[str]
) -> Item | None:
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        shown = str(path).encode("utf-8", "backslashreplace").decode()
        problems.append(f"The file name '{shown}' is not valid UTF-8. Rename the file.")
        return None
    facts = _facts(path, reader, problems)
    caption = _caption(path, config, problems)
    if facts is None or caption is None:
        return None
    return Item(path, facts, caption, fit_picture(facts.size, buckets, config.upscale, config.bucket_step))


def _facts(path: Path, reader: FactsReader, problems: list[str]) -> PictureFacts | None:
    try:
        return reader.read(path)
    except UserError as error:
        problems.append(str(error))
        return None


def _caption(path: Path, config: DatasetConfig, problems: list[str]) -> Caption | None:
    try:
        return read_caption(path, config)
    except UserError as error:
        problems.append(str(error))
        return None
