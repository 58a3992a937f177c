"""From how probable on a tag counts as seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train_gamma.tagging.config import TagConfig
from train_gamma.tagging.interrogator import CHARACTER, GENERAL, RATING, Floats, Label

SEEN = 0.05
"""What is less probable counts as not seen at all, whatever the thresholds are: it is not kept for later either."""

DEFAULTS = {GENERAL: 0.35, CHARACTER: 0.85}
"""For a tagger without a recommendation: those of SmilingWolf's own page for the WD taggers."""

_LEAST_FOR_NAMES = 0.15
"""The least that MCut may give for anything but general tags, as on SmilingWolf's page."""


@dataclass(frozen=True, slots=True)
class Categories:
    """The categories of a tagger's labels.

    Attributes:
        names: each once.
        index: (T,) for each label, which of ``names`` it has.
    """

    names: tuple[str, ...]
    index: NDArray[np.intp]

    @classmethod
    def of(cls, labels: Sequence[Label]) -> "Categories":
        """The categories of these labels, in the order in which they come up."""
        numbers: dict[str, int] = {}
        index = [numbers.setdefault(label.category, len(numbers)) for label in labels]
        return cls(tuple(numbers), np.array(index, dtype=np.intp))


@dataclass(frozen=True, slots=True)
class Seen:
    """The labels that were seen at all, one after the other, picture by picture.

    Attributes:
        pictures: (K,) which picture, ascending.
        labels: (K,) which label, ascending for each picture.
        probabilities: (K,) float32, ``SEEN`` or more.
    """

    pictures: NDArray[np.intp]
    labels: NDArray[np.intp]
    probabilities: Floats

    @classmethod
    def of(cls, probabilities: Floats) -> "Seen":
        """Those in a table of N pictures and T labels."""
        flat = np.flatnonzero(probabilities >= np.float32(SEEN))
        pictures, labels = np.divmod(flat, max(probabilities.shape[1], 1))
        return cls(pictures, labels, probabilities.reshape(-1)[flat])

    @classmethod
    def joined(cls, parts: Sequence["Seen"]) -> "Seen":
        """Several of them, one behind the other."""
        if not parts:
            return cls(np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0, np.float32))
        return cls(
            np.concatenate([part.pictures for part in parts]),
            np.concatenate([part.labels for part in parts]),
            np.concatenate([part.probabilities for part in parts]),
        )

    def where(self, chosen: NDArray[np.bool_]) -> "Seen":
        """Those of them for which ``chosen``, (K,), is true."""
        return Seen(self.pictures[chosen], self.labels[chosen], self.probabilities[chosen])


def mcut(probabilities: Floats) -> float:
    """The middle of the largest gap between two probabilities that are next to each other in order.

    Largeron, Moulin & Géry 2012, "MCut: a thresholding strategy for multi-label classification" (IDA 2012). With
    fewer than two probabilities there is no gap, nor if all are the same: then it is 0.5. Of equal gaps the upper one
    counts.

    Args:
        probabilities: (T,) in any order.
    """
    ordered = np.sort(np.asarray(probabilities, dtype=np.float64))[::-1]
    gaps = ordered[:-1] - ordered[1:]
    if not gaps.size or gaps.max() <= 0:
        return 0.5
    widest = int(gaps.argmax())
    return float((ordered[widest] + ordered[widest + 1]) / 2)


def fixed_threshold(category: str, recommended: Mapping[str, float], config: TagConfig) -> float:
    """The threshold of a category: of the settings, or where that is 0, what the model recommends.

    A model that says nothing about a category has the recommendation for general tags there, and 0.85 for characters.
    """
    settings = {GENERAL: config.general_threshold, CHARACTER: config.character_threshold}
    chosen = settings.get(category, config.other_threshold)
    if chosen > 0:
        return chosen
    general = recommended.get(GENERAL, DEFAULTS[GENERAL])
    return recommended.get(category, DEFAULTS[CHARACTER] if category == CHARACTER else general)


def limits(
    seen: Seen, num_pictures: int, categories: Categories, recommended: Mapping[str, float], config: TagConfig
) -> NDArray[np.floating]:
    """(N, C) the threshold of each category for each of N pictures, to be compared with ``seen.probabilities``.

    With MCut each category of each picture has its own, for all but general tags at least 0.15, and infinite where
    nothing was seen. What was not seen at all counts as probability 0 there. Ratings have no threshold: it is 0.
    """
    if config.threshold_method == "mcut":
        return _cut_limits(seen, num_pictures, categories)
    fixed = [0.0 if name == RATING else fixed_threshold(name, recommended, config) for name in categories.names]
    return np.broadcast_to(np.array(fixed, dtype=np.float32), (num_pictures, len(fixed)))


def _cut_limits(seen: Seen, num_pictures: int, categories: Categories) -> NDArray[np.float64]:
    """(N, C) by MCut; see ``mcut`` for what it is, of which this is the same for many pictures at once."""
    num_categories = len(categories.names)
    group = seen.pictures * num_categories + categories.index[seen.labels]
    order = np.lexsort((-seen.probabilities, group))
    group, values = group[order], seen.probabilities[order].astype(np.float64)
    last = np.append(group[1:] != group[:-1], True)[: len(group)]
    num_seen = np.bincount(group, minlength=num_pictures * num_categories)
    num_labels = np.bincount(categories.index, minlength=num_categories)[group % num_categories]
    end = np.where(num_seen[group] < num_labels, 0.0, values)  # no gap below the last one if all were seen
    below = np.where(last, end, np.append(values[1:], 0.0)[: len(values)])
    by_gap = np.lexsort((below - values, group))  # stable, so of equal gaps the upper one is first
    winner = by_gap[np.append(True, group[1:] != group[:-1])[: len(group)]]
    middle = np.where(values > below, (values + below) / 2, 0.5)
    limits = np.full(num_pictures * num_categories, np.inf)
    limits[group[winner]] = middle[winner]
    least = [0.0 if name in (GENERAL, RATING) else _LEAST_FOR_NAMES for name in categories.names]
    table: NDArray[np.float64] = np.maximum(limits.reshape(num_pictures, num_categories), np.array(least))
    table[:, [name == RATING for name in categories.names]] = 0.0
    return table
