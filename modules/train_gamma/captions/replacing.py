"""Replacing tags in many captions: by name, by a part of it, or by a regular expression; and text in whole captions."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from train_gamma.captions.change_set import ChangeSet, change_tags, change_words, keys_of
from train_gamma.captions.edits import put
from train_gamma.captions.snapshot import Selection, Snapshot
from train_gamma.captions.tag_text import read_tags, unescaped
from train_gamma.captions.words import Tag, Words, read_words, typed_tags
from train_gamma.errors import UserError, raise_all

Kind = Literal["exact", "substring", "regex"]

_Edit: TypeAlias = Callable[[Tag], Sequence[Tag] | None]


@dataclass(frozen=True, slots=True)
class Rule:
    r"""What is replaced by what.

    Attributes:
        search: exact: one or several tags with commas between them; substring: a part of a tag, a blank standing for an
            underscore too; regex: a regular expression. All of them in any case.
        replacement: exact: a tag, or several, or nothing to take the tags out. Otherwise a piece of text; in that of a
            regex, ``\1`` is the first group.
        kind: how ``search`` is read.
    """

    search: str
    replacement: str
    kind: Kind = "exact"


@dataclass(frozen=True, slots=True)
class Match:
    """What rules make of one tag.

    Attributes:
        tag: as it is spelled.
        becomes: the tags in its place, none if it is taken out.
        count: number of pictures that have it.
    """

    tag: str
    becomes: tuple[str, ...]
    count: int


def problems(rules: Sequence[Rule]) -> list[str]:
    """A sentence for each rule that cannot be used."""
    found = []
    for number, rule in enumerate(rules, 1):
        try:
            _compile(rule, True)
        except UserError as error:
            found.append(f"Rule {number}: {error}" if len(rules) > 1 else str(error))
    return found


def replace(captions: Snapshot, rules: Sequence[Rule], selection: Selection = None) -> ChangeSet:
    """Replace tags. The first rule that fits a tag counts, and none acts on what another has put there.

    A tag keeps its weight. If what takes its place is in the caption already, that one stays where it is and the other
    goes. A tag that is replaced by itself stays as it is.

    Raises:
        UserError: if a rule cannot be used; every one of them is named.
    """
    new = _changed_tags(captions, rules, selection)
    return change_tags(captions, selection, lambda tags: put(tags, new))


def matches(captions: Snapshot, rules: Sequence[Rule], selection: Selection = None) -> list[Match]:
    """Which tags the rules would replace by what, the most frequent first.

    Raises:
        UserError: if a rule cannot be used; every one of them is named.
    """
    new = _changed_tags(captions, rules, selection)
    counts: Counter[tuple[str, tuple[str, ...]]] = Counter()
    for picture in captions.chosen(selection):
        found = {tag.text: tag.name for tag in captions.words[picture].tags if tag.text in new}
        counts.update({(name, tuple(one.name for one in new[text])) for text, name in found.items()})
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [Match(tag, becomes, count) for (tag, becomes), count in ranked]


def replace_text(captions: Snapshot, rule: Rule, plain: bool = False, selection: Selection = None) -> ChangeSet:
    """Search and replace in whole captions as they are written, commas and backslashes included.

    Args:
        captions: the dataset.
        rule: of kind substring, where a blank is just a blank here, or regex.
        plain: whether sentences and the like are searched too; they are left alone otherwise.
        selection: the pictures.

    Raises:
        UserError: if the rule cannot be used.
    """
    if rule.kind == "exact":
        raise UserError("In whole captions, search for a part of the text or a regular expression.")
    pattern = _pattern(rule, re.escape)

    def edit(words: Words) -> Words:
        text = pattern(words.text)
        return words if text == words.text else read_words(text)

    return change_words(captions, selection, edit, plain)


def _changed_tags(captions: Snapshot, rules: Sequence[Rule], selection: Selection) -> dict[str, Sequence[Tag]]:
    """What becomes of the tags that change, by how they are written: captions have the same few over and over."""
    raise_all(problems(rules))
    if not rules:
        raise UserError("There is no rule. Give at least what to search for.")
    edits = [_compile(rule, captions.escape) for rule in rules]
    tags = {tag.text: tag for picture in captions.chosen(selection) for tag in captions.words[picture].tags}
    changed = {}
    for text, tag in tags.items():
        new = next((found for edit in edits if (found := edit(tag)) is not None), None)
        if new is not None and list(new) != [tag]:
            changed[text] = new
    return changed


def _compile(rule: Rule, escape: bool) -> _Edit:
    if rule.kind not in get_args(Kind):
        raise UserError(f"A rule is one of {', '.join(get_args(Kind))}, got '{rule.kind}'.")
    if rule.kind == "exact":
        return _exact(rule, escape)
    pattern = _pattern(rule, _loose)

    def edit(tag: Tag) -> Sequence[Tag] | None:
        name = pattern(tag.name)
        if name == tag.name:
            return None
        return [tag.renamed(part, escape) for part in _names(name)]

    return edit


def _exact(rule: Rule, escape: bool) -> _Edit:
    keys = keys_of(read_tags(rule.search)) | keys_of([rule.search] if "," not in rule.search else [])
    if not keys:
        raise UserError(_empty(rule))
    new = typed_tags([rule.replacement], escape)
    return lambda tag: [tag.becoming(one, escape) for one in new] if tag.key in keys else None


def _pattern(rule: Rule, literal: Callable[[str], str]) -> Callable[[str], str]:
    """What replaces in a text; matches of nothing, as of ``x*`` between any two letters, are left."""
    if not rule.search:
        raise UserError(_empty(rule))
    if rule.kind == "substring":
        expression = re.compile(literal(rule.search), re.IGNORECASE)
        text = unescaped(rule.replacement) if literal is _loose else rule.replacement
        return lambda string: expression.sub(lambda _: text, string)
    expression = _regex(rule)
    return lambda string: expression.sub(lambda match: match.expand(rule.replacement) if match.group() else "", string)


def _regex(rule: Rule) -> re.Pattern[str]:
    try:
        expression = re.compile(rule.search, re.IGNORECASE)
    except re.error as error:
        raise UserError(f"'{rule.search}' is not a regular expression: {error}. Correct it.") from error
    try:
        expression.sub(rule.replacement, "")
    except (re.error, IndexError) as error:
        raise UserError(
            f"'{rule.replacement}' cannot take the place of what '{rule.search}' finds: {error}. "
            r"\1 is the first group in brackets, and a backslash is written as \\."
        ) from error
    return expression


def _loose(search: str) -> str:
    """An expression for a text in which blanks and underscores are the same."""
    return "[ _]+".join(re.escape(part) for part in re.split("[ _]+", unescaped(search)))


def _names(text: str) -> Iterable[str]:
    parts = (" ".join(part.split()) for part in text.split(","))
    return (part for part in parts if part)


def _empty(rule: Rule) -> str:
    return f"There is nothing to search for, to be replaced by '{rule.replacement}'. Type a tag or a part of one."
