"""Completing what somebody types to a tag, from a long list and from the tags of the dataset."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from train_gamma.captions.snapshot import Snapshot
from train_gamma.captions.tag_text import escaped, normal, with_spaces

MOST = 200
_END = "\n"


@dataclass(frozen=True, slots=True)
class Known:
    """A tag of a list: its name, how many pictures of the booru have it (0 unknown), and other names for it."""

    name: str
    count: int
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Completed:
    """A tag that fits what was typed.

    Attributes:
        tag: raw, with blanks.
        insert: what is typed into a caption for it, brackets escaped.
        count: in the list, 0 when it is not there or unknown.
        in_set: pictures of the dataset that have it.
        alias: the other name that fits, "" if the tag itself does.
    """

    tag: str
    insert: str
    count: int
    in_set: int
    alias: str = ""


class _Names:
    """Names in an order, to be searched all at once: one text in which each has a line."""

    def __init__(self, names: Iterable[str], owners: Iterable[int]) -> None:
        listed = list(names)
        self.names, self.owners = listed, list(owners)
        self._text = _END + "".join(name + _END for name in listed)
        self._starts: list[int] = []
        at = 1
        for name in listed:
            self._starts.append(at)
            at += len(name) + 1

    def beginning(self, key: str) -> Iterator[int]:
        """Where names begin with a text, in order."""
        return self._lines(_END + key)

    def containing(self, key: str) -> Iterator[int]:
        """Where names contain a text, in order."""
        return self._lines(key)

    def _lines(self, text: str) -> Iterator[int]:
        at = self._text.find(text)
        while at >= 0:
            place = bisect_right(self._starts, at + (text[0] == _END)) - 1
            yield place
            at = self._text.find(text, self._starts[place] + len(self.names[place]))  # from the end of this line on


class Completer:
    """Completes tags from a list. Never changed, so any thread may use it.

    Attributes:
        source: the name of the list, "" if there is none.
    """

    def __init__(self, source: str, known: Iterable[Known]) -> None:
        self.source = source
        self._known = sorted(known, key=lambda one: -one.count)
        keys = [normal(one.name) for one in self._known]
        self._places = {key: place for place, key in reversed(list(enumerate(keys)))}
        self._names = _Names(keys, range(len(keys)))
        aliases = [
            (key, place)
            for place, one in enumerate(self._known)
            for alias in one.aliases
            if (key := normal(alias)) and _END not in key
        ]
        self._aliases = _Names((key for key, _ in aliases), (place for _, place in aliases))

    def complete(self, text: str, captions: Snapshot, limit: int = 20) -> list[Completed]:
        """The tags that fit a text: those that begin with it, that contain it, that have an alias that begins with it.

        In each of the three those of the dataset come first, then those of the list; the more frequent ones first.
        """
        key, limit = normal(text), max(0, min(limit, MOST))
        if not key or _END in key:
            return []
        counts = {tag: len(having) for tag, having in captions.index.items()}
        found: dict[str, Completed] = {}
        for one in self._fitting(key, counts, captions):
            if len(found) >= limit:
                break
            found.setdefault(normal(one.tag), one)
        return list(found.values())

    def _fitting(self, key: str, counts: Mapping[str, int], captions: Snapshot) -> Iterator[Completed]:
        own = sorted((tag for tag in counts if key in tag), key=lambda tag: (-counts[tag], tag))
        yield from (self._own(tag, counts, captions) for tag in own if tag.startswith(key))
        yield from (self._listed(place, counts) for place in self._names.beginning(key))
        yield from (self._own(tag, counts, captions) for tag in own if not tag.startswith(key))
        yield from (self._listed(place, counts) for place in self._names.containing(key))
        for at in self._aliases.beginning(key):
            yield self._listed(self._aliases.owners[at], counts, self._aliases.names[at])

    def _own(self, key: str, counts: Mapping[str, int], captions: Snapshot) -> Completed:
        name = next(tag.name for tag in captions.words[min(captions.index[key])].tags if tag.key == key)
        place = self._places.get(key)
        return Completed(name, escaped(name), 0 if place is None else self._known[place].count, counts[key])

    def _listed(self, place: int, counts: Mapping[str, int], alias: str = "") -> Completed:
        known = self._known[place]
        name = with_spaces(known.name)
        return Completed(name, escaped(name), known.count, counts.get(normal(name), 0), alias)
