"""From the probabilities of pictures to the tags of their captions.

The steps, in this order:

1. Of the ratings only the most probable one is looked at. Other tags count from the threshold of their category on.
2. Categories that are not to be written are left out, and the excluded tags.
3. The tags that are always kept come back, if they were seen at all: the last two steps do not count for them.
4. If there are more than the maximum, the least probable go, never those that are always kept.
5. They are put in order; then ``captioning`` replaces, adds, and writes them.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from train_gamma.captions.tag_text import normal, read_list
from train_gamma.errors import raise_all
from train_gamma.tagging.captioning import CaptionWriter, Tag
from train_gamma.tagging.config import TagConfig
from train_gamma.tagging.interrogator import RATING, Floats, Label
from train_gamma.tagging.replacing import read_rules
from train_gamma.tagging.thresholds import Categories, Seen, limits

__all__ = ["Chooser", "Tag", "problems"]

_AT_ONCE = 256
"""Pictures looked at in one go, so that a table full of high probabilities does not need many times its memory."""


def problems(config: TagConfig) -> list[str]:
    """A sentence for everything in the settings that ``Chooser`` refuses."""
    return read_rules(config.replace_tags)[1]


class Chooser:
    """Chooses tags and writes captions by settings. Everything that is the same for all pictures is prepared once.

    Raises:
        UserError: if a rule of Replace tags is malformed.
    """

    def __init__(self, labels: Sequence[Label], recommended: Mapping[str, float], config: TagConfig) -> None:
        """Prepare.

        Args:
            labels: what the columns of probabilities are.
            recommended: the model's own threshold per category.
            config: the settings.
        """
        raise_all(problems(config))
        self._labels = tuple(labels)
        self._recommended = dict(recommended)
        self._config = config
        self._writer = CaptionWriter(config)
        self._categories = Categories.of(labels)
        wanted = {category.strip().lower() for category in config.categories}
        written = np.array([name in wanted for name in self._categories.names], dtype=np.bool_)
        self._kept = self._named(config.keep_tags)
        self._offered = written[self._categories.index] & ~self._named(config.exclude_tags)
        self._is_rating = np.array([name == RATING for name in self._categories.names], dtype=np.bool_)

    def choose(self, probabilities: Floats, counts: NDArray[np.int64] | None = None) -> list[Tag]:
        """The tags of one picture, in order.

        Args:
            probabilities: (T,) of the labels.
            counts: (T,) in how many pictures of the folder each label is, for the order "frequency", see ``counts``.
                Without them that order is the one by confidence.
        """
        return self._rows(np.asarray(probabilities)[np.newaxis], counts)[0]

    def choose_all(self, probabilities: Floats, counts: NDArray[np.int64] | None = None) -> list[list[Tag]]:
        """The tags of N pictures, in order; what ``choose`` gives for each, in much less time.

        Args:
            probabilities: (N, T).
            counts: as for ``choose``; when None, those of these N pictures.
        """
        if counts is None and self._config.sort == "frequency":
            counts = self.counts(probabilities)
        return self._rows(probabilities, counts)

    def mask(self, probabilities: Floats) -> NDArray[np.bool_]:
        """(N, T) which labels ``choose`` gives for each of N pictures, from (N, T) probabilities."""
        mask = np.zeros(probabilities.shape, dtype=np.bool_)
        chosen = self._chosen(probabilities)
        mask[chosen.pictures, chosen.labels] = True
        return mask

    def counts(self, probabilities: Floats) -> NDArray[np.int64]:
        """(T,) for how many of N pictures each label is chosen, from (N, T) probabilities."""
        return np.bincount(self._chosen(probabilities).labels, minlength=len(self._labels)).astype(np.int64)

    def tag_counts(self, probabilities: Floats) -> list[tuple[str, int]]:
        """The tags that are written for N pictures, with the number of pictures, the most frequent first.

        As they are in the captions, that is replaced and added too, but not escaped.

        Args:
            probabilities: (N, T).
        """
        chosen = self._chosen(probabilities)
        shown: dict[str, str] = {}
        by_key: dict[str, list[int]] = {}
        for label in np.unique(chosen.labels).tolist():
            for key, tag in self._writer.keyed_for(self._labels[label].name).items():
                shown.setdefault(key, tag)
                by_key.setdefault(key, []).append(label)
        single = np.bincount(chosen.labels, minlength=len(self._labels))
        found = {key: int(single[labels[0]]) for key, labels in by_key.items()}
        for key, labels in by_key.items():
            if len(labels) > 1:
                found[key] = len(np.unique(chosen.pictures[np.isin(chosen.labels, labels)]))
        if len(probabilities):
            shown |= self._writer.added
            found |= dict.fromkeys(self._writer.added, len(probabilities))
        return sorted(((shown[key], count) for key, count in found.items()), key=lambda item: (-item[1], item[0]))

    def limits(self, probabilities: Floats) -> dict[str, float]:
        """The threshold of each category for one picture, to be shown: from there on its tags count.

        Infinite where MCut finds no tag at all, 0 for ratings, which have none.

        Args:
            probabilities: (T,) of the labels.
        """
        seen = Seen.of(np.asarray(probabilities, dtype=np.float32)[np.newaxis])
        table = limits(seen, 1, self._categories, self._recommended, self._config)
        return dict(zip(self._categories.names, (round(limit, 6) for limit in table[0].tolist()), strict=True))

    def caption(self, tags: Sequence[Tag], sentence: str = "") -> str:
        """The caption for chosen tags, and a sentence before them; see ``CaptionWriter``."""
        return self._writer.caption(tags, sentence)

    def notes(self) -> list[str]:
        """A sentence for every tag and category in the settings that the model does not know: a slip, mostly."""
        known = {normal(label.name) for label in self._labels}
        rules, _ = read_rules(self._config.replace_tags)
        results = {normal(tag) for new in rules.values() for piece in new for tag in piece.tags}
        asked = [("Always keep", tag) for tag in _tags(self._config.keep_tags) if normal(tag) not in known]
        asked += [
            ("Exclude tags", tag) for tag in _tags(self._config.exclude_tags) if normal(tag) not in known | results
        ]
        asked += [("Replace tags", tag) for tag in rules if tag not in known]
        names = ", ".join(self._categories.names)
        return [f"{field}: the tagger knows no '{tag}'." for field, tag in asked] + [
            f"Categories to write: the tagger has no '{category}', only {names}."
            for category in self._config.categories
            if category.strip().lower() not in self._categories.names
        ]

    def _named(self, tags: str) -> NDArray[np.bool_]:
        """(T,) which labels are among these tags."""
        names = {normal(tag) for tag in _tags(tags)}
        if not names:
            return np.zeros(len(self._labels), dtype=np.bool_)
        return np.array([normal(label.name) in names for label in self._labels], dtype=np.bool_)

    def _chosen(self, probabilities: Floats) -> Seen:
        """The labels of N pictures that are chosen, not in order yet."""
        if probabilities.ndim != 2 or probabilities.shape[1] != len(self._labels):
            raise ValueError(f"expected (N, {len(self._labels)}) probabilities, got {probabilities.shape}")
        parts = [
            self._chosen_of(probabilities[start : start + _AT_ONCE], start)
            for start in range(0, len(probabilities), _AT_ONCE)
        ]
        return Seen.joined(parts)

    def _chosen_of(self, probabilities: Floats, start: int) -> Seen:
        seen = Seen.of(np.asarray(probabilities, dtype=np.float32))
        kept = self._kept[seen.labels]
        category = self._categories.index[seen.labels]
        table = limits(seen, len(probabilities), self._categories, self._recommended, self._config)
        passed = seen.probabilities >= table[seen.pictures, category]
        passed &= self._offered[seen.labels]
        rating = self._is_rating[category]
        passed &= ~rating | _best(seen, rating, 1)
        passed |= kept
        if self._config.max_tags:
            passed = kept | _best(seen, passed, self._config.max_tags, first=kept)
        chosen = seen.where(passed)
        return Seen(chosen.pictures + start, chosen.labels, chosen.probabilities)

    def _rows(self, probabilities: Floats, counts: NDArray[np.int64] | None) -> list[list[Tag]]:
        chosen = self._chosen(probabilities)
        if counts is None or self._config.sort != "frequency":
            counts = np.zeros(len(self._labels), dtype=np.int64)
        order = np.lexsort((chosen.labels, -chosen.probabilities, -counts[chosen.labels], chosen.pictures))
        rows: list[list[Tag]] = [[] for _ in range(len(probabilities))]
        columns = (chosen.pictures, chosen.labels, chosen.probabilities)
        for picture, label, probability in zip(*(column[order].tolist() for column in columns), strict=True):
            known = self._labels[label]
            rows[picture].append(Tag(known.name, probability, known.category))
        if self._config.sort == "alphabetical":
            for row in rows:
                row.sort(key=lambda tag: self._writer.sorting_key(tag.name))
        return rows


def _tags(listed: str) -> list[str]:
    return [tag for piece in read_list(listed) for tag in piece.tags]


def _best(seen: Seen, among: NDArray[np.bool_], most: int, first: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """(K,) the ``most`` most probable of each picture among some; those that are ``first`` go before all others."""
    places = np.flatnonzero(among)
    behind = np.zeros(len(places), dtype=np.bool_) if first is None else ~first[places]
    pictures = seen.pictures[places]
    order = np.lexsort((seen.labels[places], -seen.probabilities[places], behind, pictures))
    rank = np.arange(len(places)) - np.searchsorted(pictures, pictures)  # pictures is ascending, sorted or not
    best = np.zeros(len(among), dtype=np.bool_)
    best[places[order[rank < most]]] = True
    return best
