"""How frequent a tag is everywhere: what it takes to tell a trait of this set from what all pictures have."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from train_gamma.captions.tag_text import normal

RATING = "rating"


class Counted(Protocol):
    """A label of a tagger's list."""

    @property
    def name(self) -> str:
        """As in the list."""

    @property
    def category(self) -> str:
        """Such as "general" or "rating"."""

    @property
    def count(self) -> int:
        """Of the pictures in the booru that have it, 0 when unknown."""


@dataclass(frozen=True, slots=True)
class Background:
    """The counts of a booru.

    Attributes:
        counts: of pictures by tag, as tags are compared.
        total: of pictures, 0 when unknown.
    """

    counts: Mapping[str, int]
    total: int = 0

    @classmethod
    def of(cls, labels: Iterable[Counted]) -> "Background":
        """From the list of a tagger: every picture has exactly one rating, so their counts add up to all pictures."""
        counts: dict[str, int] = {}
        total = 0
        for label in labels:
            if label.category == RATING:
                total += label.count
            else:
                counts[normal(label.name)] = label.count
        return cls(counts, total)

    def __contains__(self, tag: str) -> bool:
        return normal(tag) in self.counts

    def frequency(self, tag: str) -> float | None:
        """The share of all pictures that have a tag; None when that is unknown."""
        count = self.counts.get(normal(tag), 0)
        return count / self.total if count and self.total else None

    def lift(self, tag: str, share: float) -> float | None:
        """How many times more frequent a tag is in a set, where it has this share, than everywhere."""
        frequency = self.frequency(tag)
        return None if frequency is None else share / frequency

    def score(self, tag: str, share: float) -> float:
        """The share times log2(lift), in bits: how much a tag tells about this set. 0 where the lift is unknown."""
        lift = self.lift(tag, share)
        return 0.0 if lift is None or lift <= 0 else share * math.log2(lift)


NOTHING = Background({})
"""Where no list is at hand."""
