"""What is known of the pictures of a folder, in memory, so that any question about settings is answered at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train_gamma.tagging.choosing import Chooser, Tag
from train_gamma.tagging.config import TagConfig
from train_gamma.tagging.interrogator import Floats, Label
from train_gamma.tagging.rows import Row


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of one picture; None is not known yet.

    Attributes:
        row: of a tagger.
        sentence: of a captioner.
    """

    row: Row | None = None
    sentence: str | None = None


class TaggedSet:
    """The known pictures of a folder as one matrix.

    Labels that no picture shows are left out of it, which changes no caption: they count as probability 0 anyway.

    Args:
        labels: what the rows are about.
        thresholds: the recommended ones per category.
        seen: of each picture, None for one that is not known.

    Attributes:
        labels: what the columns of ``matrix`` are.
        thresholds: the recommended ones per category.
        matrix: (K, C) probabilities of the K known pictures.
        known: the indices of those pictures, ascending.
    """

    def __init__(self, labels: Sequence[Label], thresholds: Mapping[str, float], seen: Sequence[Seen | None]) -> None:
        self.thresholds = dict(thresholds)
        self.known = [index for index, one in enumerate(seen) if one is not None]
        found = [one for one in seen if one is not None]
        rows = [one.row or _EMPTY for one in found]
        columns = _columns(labels, rows)
        self.labels = [labels[column] for column in columns]
        self.matrix = _matrix(rows, columns, len(labels))
        self._sentences = [one.sentence or "" for one in found]
        self._place = {index: place for place, index in enumerate(self.known)}

    def __contains__(self, picture: int) -> bool:
        return picture in self._place

    def choices(self, config: TagConfig) -> "Choices":
        """What settings make of these pictures.

        Raises:
            UserError: if a setting cannot be used.
        """
        return Choices(self, Chooser(self.labels, self.thresholds, config), config)

    def row(self, picture: int) -> Floats:
        """(C,) probabilities of a known picture."""
        row: Floats = self.matrix[self._place[picture]]
        return row

    def sentence(self, picture: int) -> str:
        """What is said of a known picture, "" for nothing."""
        return self._sentences[self._place[picture]]


class Choices:
    """What settings make of the pictures of a set."""

    def __init__(self, tagged: TaggedSet, chooser: Chooser, config: TagConfig) -> None:
        self.tagged, self.chooser = tagged, chooser
        self._by_frequency = config.sort == "frequency"
        self._counts: NDArray[np.int64] | None = None

    def tags(self, picture: int) -> list[Tag]:
        """The tags of a known picture, in the order in which they are written."""
        if self._by_frequency and self._counts is None:
            self._counts = self.chooser.counts(self.tagged.matrix)
        return self.chooser.choose(self.tagged.row(picture), self._counts)

    def captions(self) -> dict[int, str]:
        """The captions of all known pictures."""
        chosen = self.chooser.choose_all(self.tagged.matrix)
        return {
            picture: self.chooser.caption(tags, self.tagged.sentence(picture))
            for picture, tags in zip(self.tagged.known, chosen, strict=True)
        }


_EMPTY = Row(np.zeros(0, np.uint32), np.zeros(0, np.float32))


def _columns(labels: Sequence[Label], rows: Sequence[Row]) -> list[int]:
    used = np.zeros(len(labels), bool)
    for row in rows:
        used[row.indices] = True
    return [int(column) for column in np.flatnonzero(used)]


def _matrix(rows: Sequence[Row], columns: Sequence[int], num_labels: int) -> Floats:
    places = np.zeros(num_labels, np.int64)
    places[columns] = np.arange(len(columns))
    matrix = np.zeros((len(rows), len(columns)), np.float32)
    for row, found in zip(matrix, rows, strict=True):
        row[places[found.indices]] = found.values
    return matrix
