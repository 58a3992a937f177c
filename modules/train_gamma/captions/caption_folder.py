"""The caption files of a folder of pictures: where they are and what they hold."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from train_gamma.captions.backups import fingerprint
from train_gamma.captions.words import NO_WORDS, Words, read_words
from train_gamma.dataset.pictures import find_pictures
from train_gamma.dataset.text_files import decode_text
from train_gamma.errors import UserError


@dataclass(frozen=True, slots=True)
class OnDisk:
    """What is known of a caption file.

    Attributes:
        words: that it holds.
        sha: of its bytes, None if there is no file.
    """

    words: Words
    sha: str | None

    @property
    def exists(self) -> bool:
        """Whether there is a file."""
        return self.sha is not None


@dataclass(frozen=True, slots=True)
class CaptionFolder:
    """Pictures and their caption files.

    Attributes:
        pictures: in natural order.
        files: the caption file of each, which may not exist yet.
        first: for each picture, the first one with the same file.
    """

    pictures: tuple[Path, ...]
    files: tuple[Path, ...]
    first: tuple[int, ...]


def list_captions(folder: Path, recursive: bool, extensions: Sequence[str]) -> CaptionFolder:
    """Find the pictures of a folder and where their captions are.

    The first file that exists with the picture's stem and one of the extensions counts, as in training; a new one gets
    the first extension.

    Raises:
        UserError: if the folder has no pictures or cannot be read, or there is no extension.
    """
    endings = _endings(extensions)
    pictures = find_pictures(folder, recursive)
    files = [_caption_file(picture, endings) for picture in pictures]
    first: dict[str, int] = {}
    owners = [first.setdefault(key, index) for index, key in enumerate(_keys(files))]
    return CaptionFolder(tuple(pictures), tuple(files[owner] for owner in owners), tuple(owners))


def read_caption_file(path: Path) -> OnDisk:
    """Read a caption file. One that cannot be read has its ``problem`` said, and nothing else."""
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return OnDisk(NO_WORDS, None)
    except OSError as error:
        return OnDisk(Words(raw="", problem=f"'{path}' cannot be read: {error.strerror or error}."), "")
    try:
        text = decode_text(data, path)
    except UserError as error:
        return OnDisk(Words(raw="", problem=str(error)), fingerprint(data))
    return OnDisk(read_words(text), fingerprint(data))


def sha_of(path: Path) -> str | None:
    """The ``OnDisk.sha`` of a caption file as it is now."""
    try:
        return fingerprint(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return ""


def _endings(extensions: Iterable[str]) -> list[str]:
    trimmed = [ending.strip() for ending in extensions if ending.strip()]
    if not trimmed:
        raise UserError("Caption files need an extension. Give at least one, such as .txt")
    return [ending if ending.startswith(".") else f".{ending}" for ending in trimmed]


def _caption_file(picture: Path, endings: Sequence[str]) -> Path:
    paths = [picture.with_name(picture.stem + ending) for ending in endings]
    return next((path for path in paths if path.is_file()), paths[0])


def _keys(files: Sequence[Path]) -> Iterator[str]:
    """A text for each file, the same for the same: where capitals make no difference, two names can be of one file."""
    folded: dict[str, Path] = {}
    for file in files:
        other = folded.setdefault(str(file).casefold(), file)
        yield os.path.normcase(other if other != file and _same_file(other, file) else file)


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
