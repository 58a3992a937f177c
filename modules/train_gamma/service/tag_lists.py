"""Lists of all tags there are, with how many pictures have them: for autocomplete, and to tell what is rare.

Those of the extension tagcomplete (DominikDoom/a1111-sd-webui-tagcomplete, tags/*.csv) have a tag in each line, without
a headline: name, category, count, and aliases with commas between them in quotes. Those of taggers are their labels.
"""

import csv
import logging
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from train_gamma.captions.background import NOTHING, Background
from train_gamma.captions.implications import read_implications
from train_gamma.captions.tag_text import normal
from train_gamma.dataset.text_files import read_text
from train_gamma.errors import UserError
from train_gamma.service.completion import Completer, Known
from train_gamma.tagging.cache import Stamp, stamp_of
from train_gamma.tagging.catalogue import Catalogue
from train_gamma.tagging.interrogator import RATING, Label

BEST = "danbooru"
"""How the list that people use most begins."""
OTHER_LISTS = ("englishdictionary", "extra", "chants", "demo", "temp", "wildcard")
"""How files beside it begin that are no lists of tags."""
ENOUGH = 0.5
"""A list that knows a smaller share of a set's tags is about other pictures."""
_COLUMNS = 3

log = logging.getLogger("train_gamma")


@dataclass(frozen=True, slots=True)
class TagList:
    """The labels of a tagger, and what they say of how frequent tags are."""

    name: str
    labels: Sequence[Label]
    background: Background


class TagLists:
    """The lists on this machine, read when they are needed. Every method may be called from any thread.

    Args:
        folders: where users have lists, as the host's settings have it now.
        catalogue: of taggers.
    """

    def __init__(self, folders: Callable[[], Iterable[Path]], catalogue: Catalogue) -> None:
        self._folders, self._catalogue = folders, catalogue
        self._lock = threading.Lock()
        self._completer: tuple[object, Completer] | None = None
        self._taggers: dict[str, tuple[str, TagList]] = {}
        self._implications: dict[Path, tuple[Stamp, dict[str, frozenset[str]]]] = {}

    def completer(self) -> Completer:
        """What completes tags: the user's list if there is one, else that of the tagger that knows most."""
        with self._lock:
            path = _users_list(self._folders())
            key: object = (path, stamp_of(path)) if path is not None else self._newest_stamps()
            if self._completer is None or self._completer[0] != key:
                self._completer = key, self._read_completer(path)
            return self._completer[1]

    def background(self, tags: Collection[str]) -> tuple[str, Background]:
        """The list of a tagger that knows the most of a set's tags, given as they are compared, and its name.

        Of two that know as many, the one with more tags. A list that knows less than half is of another world.
        """
        with self._lock:
            lists = [one for one in self._of_taggers() if one.background.total]
        known = [(sum(tag in one.background.counts for tag in tags), len(one.labels), one) for one in lists]
        most, _, best = max(known, key=lambda entry: entry[:2], default=(0, 0, None))
        if best is None or most < ENOUGH * max(1, len(tags)):
            return "", NOTHING
        return best.name, best.background

    def implications(self) -> dict[str, frozenset[str]]:
        """What tags imply, from the tables among the user's lists: files with "implication" in their name."""
        found: dict[str, frozenset[str]] = {}
        with self._lock:
            for path in _files(self._folders(), (".csv", ".json")):
                if "implication" in path.stem.lower():
                    for child, parents in self._implied(path).items():
                        found[child] = found.get(child, frozenset()) | parents
        return found

    def _implied(self, path: Path) -> dict[str, frozenset[str]]:
        stamp, known = stamp_of(path), self._implications.get(path)
        if stamp is None:
            return {}
        if known is None or known[0] != stamp:
            try:
                known = stamp, read_implications(path)
            except UserError as error:
                log.warning("%s", error)
                known = stamp, {}
            self._implications[path] = known
        return known[1]

    def _read_completer(self, path: Path | None) -> Completer:
        if path is not None:
            try:
                return Completer(path.name, _rows(path))
            except UserError as error:
                log.warning("%s", error)
        lists = self._of_taggers()
        best = max(lists, key=lambda one: len(one.labels), default=None)
        if best is None:
            return Completer("", ())
        return Completer(best.name, (Known(one.name, one.count) for one in best.labels if one.category != RATING))

    def _of_taggers(self) -> list[TagList]:
        found = []
        for name, stamp in self._newest_stamps():
            known = self._taggers.get(name)
            if known is None or known[0] != stamp:
                with suppress(UserError):  # its entry in the list of taggers says what is wrong
                    labels = self._catalogue.labels(name)
                    known = self._taggers[name] = stamp, TagList(name, labels, Background.of(labels))
            if known is not None and known[0] == stamp:
                found.append(known[1])
        return found

    def _newest_stamps(self) -> list[tuple[str, str]]:
        return self._catalogue.lists()


def _users_list(folders: Iterable[Path]) -> Path | None:
    """The list to complete from: one of Danbooru if there is one, the longest of several."""
    found = []
    for path in _files(folders, (".csv",)):
        stem = path.stem.lower()
        stamp = stamp_of(path)
        if stamp is not None and "implication" not in stem and not stem.startswith(OTHER_LISTS):
            found.append((stem.startswith(BEST), stamp.size, path))
    return max(found, default=(False, 0, None))[2]


def _files(folders: Iterable[Path], endings: Sequence[str]) -> Iterator[Path]:
    for folder in folders:
        try:
            found = sorted(folder.iterdir())
        except OSError:  # not there
            continue
        yield from (path for path in found if path.suffix.lower() in endings and path.is_file())


def _rows(path: Path) -> list[Known]:
    """The tags of a list; lines that are none are left out.

    Raises:
        UserError: if it cannot be read, or has no tags.
    """
    found = []
    try:
        for row in csv.reader(StringIO(read_text(path), newline="")):
            if len(row) >= _COLUMNS and row[0].strip() and row[2].strip().isdecimal():
                aliases = row[3].split(",") if len(row) > _COLUMNS else []
                named = tuple(alias.strip() for alias in aliases if normal(alias))
                found.append(Known(row[0].strip(), int(row[2]), named))
    except csv.Error as error:
        raise UserError(f"'{path}' is no list of tags: {error}. Download it again.") from error
    if not found:
        raise UserError(f"'{path}' has no tags: its lines are not of the form name,category,count,\"aliases\".")
    return found
