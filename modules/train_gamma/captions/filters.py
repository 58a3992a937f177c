"""Which pictures have a caption of some kind, and the tags of a dataset, counted."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from train_gamma.captions.snapshot import Selection, Snapshot
from train_gamma.captions.tag_text import normal
from train_gamma.captions.words import Words
from train_gamma.errors import UserError

CountTokens: TypeAlias = Callable[[str], int]
"""Tokens of a text. It is asked about every caption or tag, so let it remember what it was asked before."""

Column = Literal["count", "name", "length", "tokens"]
Search = Literal["substring", "prefix", "suffix", "regex"]


@dataclass(frozen=True, slots=True)
class Filter:
    """What a picture's caption must be like. Every condition that is set counts.

    Attributes:
        all_of: it has all of these tags.
        any_of: it has one or more of these tags.
        none_of: it has none of these tags.
        untagged: it has nothing at all.
        more_tokens: it has more tokens than this.
        fewer_tags: it has fewer tags than this; plain text has none, and is not meant.
        text: it contains this, in any case, as it is written.
        plain: it is plain text: a sentence, several lines or the like.
    """

    all_of: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()
    untagged: bool = False
    more_tokens: int | None = None
    fewer_tags: int | None = None
    text: str = ""
    plain: bool = False


@dataclass(frozen=True, slots=True)
class TagRow:
    """One tag of a dataset.

    Attributes:
        tag: raw, as it is spelled in the first picture that has it.
        key: as it is compared.
        count: number of pictures that have it.
        share: of the pictures, from 0 to 1.
        tokens: it has as text, None if nothing counts them.
    """

    tag: str
    key: str
    count: int
    share: float
    tokens: int | None


def find(
    captions: Snapshot, wanted: Filter, count_tokens: CountTokens | None = None, selection: Selection = None
) -> list[int]:
    """The pictures that pass a filter, ascending.

    Raises:
        UserError: if tokens are wanted and cannot be counted.
    """
    if wanted.more_tokens is not None and count_tokens is None:
        raise UserError("Tokens cannot be counted: no checkpoint or tokenizer is loaded. Load one, or filter by tags.")
    checks = _checks(wanted, count_tokens)
    found = sorted(_by_tags(captions, wanted, selection))
    return [picture for picture in found if all(check(captions.words[picture]) for check in checks)]


def tag_table(captions: Snapshot, selection: Selection = None, count_tokens: CountTokens | None = None) -> list[TagRow]:
    """Every tag of the pictures, all or a selection, the most frequent first; equally frequent ones by name."""
    chosen = None if selection is None else frozenset(selection)
    total = len(captions) if chosen is None else len(chosen)
    rows = []
    for key, having in captions.index.items():
        among = having if chosen is None else having & chosen
        if among:
            name = _name(captions, key, having)
            tokens = None if count_tokens is None else count_tokens(name)
            rows.append(TagRow(name, key, len(among), len(among) / total, tokens))
    return sort_rows(rows, "count", descending=True)


def sort_rows(rows: Iterable[TagRow], by: Column, descending: bool = False) -> list[TagRow]:
    """Rows in another order; those that are equal in it by name.

    Raises:
        UserError: if there is no such column, or tokens were not counted.
    """
    ranks: dict[str, Callable[[TagRow], int]] = {
        "count": lambda row: row.count,
        "length": lambda row: len(row.tag),
        "tokens": _tokens,
    }
    if by not in get_args(Column):
        raise UserError(f"Sort by one of {', '.join(get_args(Column))}, got '{by}'.")
    if by == "name":
        return sorted(rows, key=lambda row: row.key, reverse=descending)
    rank, sign = ranks[by], -1 if descending else 1
    return sorted(rows, key=lambda row: (sign * rank(row), row.key))


def search_rows(rows: Iterable[TagRow], text: str, how: Search = "substring") -> list[TagRow]:
    """Rows whose tag contains, begins or ends with a text, or fits a regular expression; all of them for no text.

    Raises:
        UserError: if the expression is not valid, or there is no such way.
    """
    fits = _fits(text, how)
    return [row for row in rows if fits(row)]


def _fits(text: str, how: Search) -> Callable[[TagRow], bool]:
    key = normal(text)
    ways: dict[str, Callable[[TagRow], bool]] = {
        "substring": lambda row: key in row.key,
        "prefix": lambda row: row.key.startswith(key),
        "suffix": lambda row: row.key.endswith(key),
    }
    if how in ways:
        return ways[how]
    if how != "regex":
        raise UserError(f"Search by one of {', '.join(get_args(Search))}, got '{how}'.")
    try:
        expression = re.compile(text, re.IGNORECASE)
    except re.error as error:
        raise UserError(
            f"'{text}' is not a regular expression: {error}. Correct it, or search for plain text."
        ) from error
    return lambda row: expression.search(row.tag) is not None or expression.search(row.key) is not None


def _by_tags(captions: Snapshot, wanted: Filter, selection: Selection) -> Iterable[int]:
    found = frozenset(captions.chosen(selection))
    for tag in filter(normal, wanted.all_of):
        found &= captions.having(tag)
    any_of = [normal(tag) for tag in wanted.any_of if normal(tag)]
    if any_of:
        found &= captions.among(any_of)
    return found - captions.among([normal(tag) for tag in wanted.none_of])


def _checks(wanted: Filter, count_tokens: CountTokens | None) -> Sequence[Callable[[Words], bool]]:
    checks: list[Callable[[Words], bool]] = []
    fewer, more, text = wanted.fewer_tags, wanted.more_tokens, wanted.text.lower()
    if wanted.untagged:
        checks.append(lambda words: not words.tags and not words.plain and not words.problem)
    if wanted.plain:
        checks.append(lambda words: words.plain)
    if fewer is not None:
        checks.append(lambda words: len(words.tags) < fewer and words.editable)
    if text:
        checks.append(lambda words: text in words.text.lower())
    if more is not None and count_tokens is not None:
        checks.append(lambda words: count_tokens(words.text) > more)
    return checks


def _name(captions: Snapshot, key: str, having: frozenset[int]) -> str:
    return next(tag.name for tag in captions.words[min(having)].tags if tag.key == key)


def _tokens(row: TagRow) -> int:
    if row.tokens is None:
        raise UserError("Tokens cannot be counted: no checkpoint or tokenizer is loaded. Sort by another column.")
    return row.tokens
