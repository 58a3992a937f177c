"""What the doctor looks at: every picture of a folder with its caption, and what is to be learned from them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from train_gamma.captions.tag_text import Piece, normal, pieces
from train_gamma.dataset.buckets import Fit
from train_gamma.dataset.facts import PictureFacts
from train_gamma.doctor.caption_file import CaptionFile
from train_gamma.doctor.findings import listed
from train_gamma.training.config import DatasetConfig

CountTokens = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be learned.

    Attributes:
        name: of the embedding, "" when there is none yet.
        num_vectors: tokens that it takes in a prompt.
        init_text: the words it starts from, which are those pruned from the captions.
        count_tokens: tokens of a text, None when no model tells.
    """

    name: str = ""
    num_vectors: int = 1
    init_text: str = ""
    count_tokens: CountTokens | None = None


@dataclass(frozen=True)
class Subject:
    """A picture with what is known of it.

    Attributes:
        path: the file.
        name: its path inside the folder, with slashes.
        caption: its words.
        facts: None when it cannot be read.
        problem: why it cannot, "" when it can.
        too_large: whether its size is the reason.
        fit: how it is brought to its bucket, None when it cannot be read.
        enlarged: by what factor it would be enlarged to fill its bucket.
    """

    path: Path
    name: str
    caption: CaptionFile
    facts: PictureFacts | None = None
    problem: str = ""
    too_large: bool = False
    fit: Fit | None = None
    enlarged: float = 1.0

    @cached_property
    def pieces(self) -> list[Piece]:
        """What stands between the commas of its caption."""
        return pieces(self.caption.text)

    @cached_property
    def tags(self) -> tuple[str, ...]:
        """The raw tags of its caption."""
        return tuple(tag for piece in self.pieces for tag in piece.tags)

    @cached_property
    def normal_tags(self) -> frozenset[str]:
        """Its tags as they are compared."""
        return frozenset(map(normal, self.tags))


@dataclass(frozen=True, slots=True)
class Material:
    """A dataset as the doctor sees it.

    Attributes:
        folder: where it is.
        config: how it is read.
        target: what is to be learned.
        subjects: the pictures, in natural order.
        files: every file of the folder that is not hidden.
        templates: of the prompts.
    """

    folder: Path
    config: DatasetConfig
    target: Target
    subjects: Sequence[Subject]
    files: Sequence[Path]
    templates: Sequence[str]

    @property
    def readable(self) -> list[Subject]:
        """The pictures that can be opened."""
        return [subject for subject in self.subjects if subject.facts is not None]

    @property
    def with_words(self) -> list[Subject]:
        """The pictures that have a caption with words in it, from a file."""
        return [subject for subject in self.subjects if subject.caption.source == "file" and subject.caption.text]

    def out_of_all(self, subjects: Sequence[Subject]) -> str:
        """How many of all pictures, and which: ``2 of 40 pictures (a.png, b.png)``."""
        return f"{len(subjects)} of {len(self.subjects)} pictures ({named(subjects)})"


def named(subjects: Sequence[Subject]) -> str:
    """The names of a few pictures."""
    return listed([subject.name for subject in subjects])


def paths(subjects: Sequence[Subject]) -> tuple[Path, ...]:
    """The files of pictures."""
    return tuple(subject.path for subject in subjects)
