"""Which tag says what another one says too: ``black gloves`` are ``gloves``."""

import csv
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from train_gamma.captions.tag_text import normal
from train_gamma.dataset.text_files import read_text
from train_gamma.errors import UserError

COLUMNS = ("antecedent_name", "consequent_name")
"""Of Danbooru's table of implications; a table without these headings has child and parent in its first two columns."""


@dataclass(frozen=True, slots=True)
class Implications:
    """Known implications, and a rule for what is not known.

    Attributes:
        parents: what a tag implies, as tags are compared.
        is_tag: whether a text is a tag at all, for the rule.
    """

    parents: Mapping[str, frozenset[str]]
    is_tag: Callable[[str], bool]

    def of(self, tag: str) -> frozenset[str]:
        """Every tag that this one implies, through others too, without itself.

        By the table, and by the words: ``X Y`` implies ``Y`` where ``Y`` is a tag of its own. The rule by words is true
        of nearly all of Danbooru's clothes and body parts, and only ever used to *suggest*.
        """
        found: set[str] = set()
        waiting = [normal(tag)]
        while waiting:
            key = waiting.pop()
            fresh = (self.parents.get(key, frozenset()) | self._by_words(key)) - found
            found |= fresh
            waiting += fresh
        return frozenset(found - {normal(tag)})

    def _by_words(self, key: str) -> frozenset[str]:
        words = key.split()
        shorter = (" ".join(words[start:]) for start in range(1, len(words)))
        return frozenset(text for text in shorter if self.is_tag(text))


def read_implications(path: Path) -> dict[str, frozenset[str]]:
    """Read a table of implications: a CSV of child and parent, or a JSON object of child to parent or parents.

    Raises:
        UserError: if the file cannot be read or is neither.
    """
    text = read_text(path)
    try:
        pairs = list(_json_pairs(json.loads(text)) if path.suffix.lower() == ".json" else _csv_pairs(text))
    except (ValueError, TypeError, csv.Error) as error:
        raise UserError(
            f"'{path}' is no table of implications ({error}). It needs a child and a parent in each row."
        ) from error
    found: defaultdict[str, set[str]] = defaultdict(set)
    for child, parent in pairs:
        if normal(child) and normal(parent) and normal(child) != normal(parent):
            found[normal(child)].add(normal(parent))
    return {child: frozenset(parents) for child, parents in found.items()}


def _json_pairs(content: object) -> Iterable[tuple[str, str]]:
    if not isinstance(content, Mapping):
        raise TypeError("not an object of child and parents")
    for child, parents in content.items():
        for parent in [parents] if isinstance(parents, str) else parents:
            if not isinstance(parent, str):
                raise TypeError(f"{parent!r} is no tag")
            yield child, parent


def _csv_pairs(text: str) -> Iterable[tuple[str, str]]:
    rows = [row for row in csv.reader(StringIO(text, newline="")) if row]
    child, parent = 0, 1
    if rows and set(COLUMNS) <= set(rows[0]):
        child, parent = (rows[0].index(column) for column in COLUMNS)
        rows = rows[1:]
    for row in rows:
        if len(row) <= max(child, parent):
            raise ValueError(f"a row has only {len(row)} columns")
        yield row[child], row[parent]
