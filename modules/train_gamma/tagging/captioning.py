"""From chosen tags to the text of a caption."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from train_gamma.captions.tag_text import Piece, escaped, normal, read_list, with_spaces, write_tags
from train_gamma.tagging.config import TagConfig
from train_gamma.tagging.replacing import read_rules


@dataclass(frozen=True, slots=True)
class Tag:
    """One label that was chosen for a picture.

    Attributes:
        name: as in the model's list.
        probability: 0..1.
        category: see ``interrogator.GENERAL``.
    """

    name: str
    probability: float
    category: str


class CaptionWriter:
    """Writes captions by settings.

    - Rules of Replace tags put other tags in the place of the model's. What results and is among Exclude tags is left
      out, unless a tag that is always kept became it.
    - Spaces for underscores are for the model's tags. What the user has typed stays as typed, in Additional tags and
      in rules: the name of an embedding may have underscores. Of these, ``(hat:1.2)`` keeps its weight, and
      ``[name]`` stays the placeholder.
    - Additional tags are in every caption, excluded or not, once and where they were asked for, even if the model
      found them as well. In front means before the sentence too.
    - Every tag is there once, the first of those that are the same by ``tag_text.normal``.
    - With weights a tag is ``(tag:0.98)``; brackets in tags are then always escaped. What was added has no weight.
    """

    def __init__(self, config: TagConfig) -> None:
        self._config = config
        self._rules, _ = read_rules(config.replace_tags)
        self._excluded = _keys(config.exclude_tags)
        self._kept = _keys(config.keep_tags)
        self._added = _fresh(self._word(piece) for piece in read_list(config.add_tags))
        self._known: dict[str, tuple[_Word, ...]] = {}

    @property
    def added(self) -> dict[str, str]:
        """The raw additional tags, by what they are compared by."""
        return {key: tag for word in self._added for key, tag in word.tags.items()}

    def written_for(self, name: str) -> list[str]:
        """The raw tags that are written for a label: replaced, and with spaces if the settings want them."""
        return list(self.keyed_for(name).values())

    def keyed_for(self, name: str) -> dict[str, str]:
        """The same by what they are compared by, which is ``normal`` of each."""
        return {key: tag for word in self._words(name) for key, tag in word.tags.items()}

    def sorting_key(self, name: str) -> str:
        """What a label is sorted by alphabetically: the tag that is written for it, in any case."""
        return next(iter(self.keyed_for(name)), name)

    def caption(self, tags: Sequence[Tag], sentence: str = "") -> str:
        """The caption.

        Args:
            tags: in the order in which they are to be written.
            sentence: about the picture, comes before the tags found; raw, on one line or several.
        """
        words = " ".join(sentence.split()).strip(" ,")
        opening = [escaped(words) if self._config.escape else words] if words else []
        seen = {normal(part) for part in words.split(",") if words}
        seen.update(*(word.tags for word in self._added))
        found = []
        for tag in tags:
            for word in self._words(tag.name):
                if not word.tags.keys() <= seen:
                    seen.update(word.tags)
                    found.append(self._weighted(word, tag.probability))
        added = [word.text for word in self._added]
        parts = [added, opening, found] if self._config.add_position == "front" else [opening, found, added]
        return ", ".join(text for part in parts for text in part)

    def _words(self, name: str) -> tuple["_Word", ...]:
        if name not in self._known:
            self._known[name] = tuple(self._word(piece) for piece in self._pieces(name))
        return self._known[name]

    def _pieces(self, name: str) -> Sequence[Piece]:
        replaced = self._rules.get(normal(name)) if self._rules else None
        if replaced is None:
            text = with_spaces(name) if self._config.spaces else name
            return (Piece(text, (text,)),)
        if normal(name) in self._kept:
            return replaced
        return [piece for piece in replaced if not all(normal(tag) in self._excluded for tag in piece.tags)]

    def _word(self, piece: Piece) -> "_Word":
        escape = self._config.escape or self._config.weights
        text = piece.text if piece.emphasis else write_tags(piece.tags, escape)
        return _Word(text, {normal(tag): tag for tag in piece.tags}, piece.emphasis)

    def _weighted(self, word: "_Word", probability: float) -> str:
        return f"({word.text}:{probability:.2f})" if self._config.weights and not word.emphasis else word.text


@dataclass(frozen=True, slots=True)
class _Word:
    """A piece of a caption, ready to be written: its text, and its raw tags by what they are compared by."""

    text: str
    tags: Mapping[str, str]
    emphasis: bool


def _keys(listed: str) -> set[str]:
    return {normal(tag) for piece in read_list(listed) for tag in piece.tags}


def _fresh(words: Iterable[_Word]) -> tuple[_Word, ...]:
    """Those with a tag that is in none before."""
    seen: set[str] = set()
    fresh = []
    for word in words:
        if not word.tags.keys() <= seen:
            seen.update(word.tags)
            fresh.append(word)
    return tuple(fresh)
