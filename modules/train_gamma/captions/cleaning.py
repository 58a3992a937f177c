r"""Cleaning captions: what taggers and captioners leave behind, each kind by itself and only when asked for.

Among them are the rules of kohya-ss/sd-scripts finetune/clean_captions_and_tags.py (9d67f9d0), with their losses
repaired: a rating takes only itself out (there, every tag behind it goes, and one in front stays); all faces keep their
underscores (there, ``^_^`` alone); of the colours of several people, closed eyes are none; ``no hat`` is no kind of
``hat``; words of a caption are whole words (there, ``personal`` becomes ``girlal``) and keep their article right.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

from train_gamma.captions.change_set import ChangeSet, change_words
from train_gamma.captions.snapshot import Selection, Snapshot
from train_gamma.captions.tag_text import with_spaces
from train_gamma.captions.words import Tag, Words, new_tag, read_words
from train_gamma.errors import UserError


@dataclass(frozen=True, slots=True)
class Action:
    """One kind of cleaning.

    Attributes:
        name: by which it is asked for.
        help: what it does, in a sentence.
        on: tags: captions of tags; text: all captions, as text; sentences: captions that are plain text.
    """

    name: str
    help: str
    on: Literal["tags", "text", "sentences"] = "tags"


ACTIONS = (
    Action("lines", "Lines become one line, with commas between them.", "sentences"),
    Action("errors", "Take out <error>, which captioners write when they fail.", "text"),
    Action("signs", "Take out 'with a sign that says' and the like where nothing follows.", "text"),
    Action("underscores", "Blanks instead of underscores, but for faces such as ^_^."),
    Action("weights", "Take weights and emphasis off: (hat:1.1) becomes hat."),
    Action("escape", r"Write brackets of tags as \( and \), so that the prompt does not read them as emphasis."),
    Action("ratings", "Take out ratings: rating:safe, explicit and the like."),
    Action("duplicates", "Leave the first of equal tags."),
    Action("general", "Take out a tag where a closer one is there: shirt beside white shirt."),
    Action(
        "people",
        "With several girls or boys, take out colours and lengths of hair, eyes, sleeves and hair styles of which the "
        "caption has more than one kind: nobody knows whose they are.",
    ),
    Action("spacing", "One comma and one blank between tags, none at the ends."),
    Action("caption words", "In sentences, one word for woman, lady, anime character and the like: girl.", "sentences"),
)
"""In the order in which they are done."""

_SEVERAL = re.compile(r"(?:\d+\+?|multiple) ?(?:girls|boys)")
RATING = re.compile(
    r"rating[ :]\s*(?:safe|general|sensitive|questionable|explicit|[gsqe])|general|sensitive|questionable|explicit"
)
_KINDS = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?:very |absurdly )?(?:long|short|medium) hair",
        r"(?:bob|hime) cut",
        r"(?!closed |half-closed |empty |rolling |wide-|one )[\w\-]+ eyes",
        r"[\w\-]+ sleeves|sleeveless",
        r"(?:[\w\-]+ )?(?:braid|hair bun|side bun|bun)|ponytail|ahoge|twintails|two side up|two tails|sidelocks",
        r"(?!(?:long|short|medium) )[\w\-]+ hair",
    )
)
"""What tags of which kinds go when several people are there, and a caption has two or more of one kind."""

ERROR = re.compile(r"\s*,?\s*<\s*error\s*>", re.IGNORECASE)
SIGN = re.compile(
    r"""
    \s*,?\s*
    (?: (?: \b(?:with|and|holding|has)\s+(?:an?|the|some)\s+(?:sign|words?|captions?|text|writing)(?:\s+on\s+it)?\s+ )?
        \b(?:that|which)\s+(?:says?|reads?)
      | \bwith\s+the\s+(?:words?|text|numbers?|letters?)
      | \bsaying )
    [\s"'“”‘’]*(?=[,.]|\Z)
    """,
    re.IGNORECASE | re.VERBOSE,
)
_OF_SIGNS = ("say", "read", "the")  # almost no caption has one, so the expression is hardly ever asked
_TWO_WORDS = "hair ornament"  # the one tag of two words that kohya's rule takes for a general one
_PHRASE = re.compile(r"\b(?:(an?) )?((?:(?:young|anime|cartoon) )*)([\w-]+)", re.IGNORECASE)
_PERSONS = {"lady": "girl", "woman": "girl", "person": "girl", "ladies": "girls", "women": "girls", "people": "girls"}
_DRAWN_PERSONS = {"female": "girl", "character": "girl", "females": "girls", "characters": "girls"}
_PICTURES = ("image", "picture", "drawing", "figure", "girl", "girls")


def clean(captions: Snapshot, actions: Sequence[str], selection: Selection = None) -> ChangeSet:
    """Clean captions.

    Args:
        captions: the dataset.
        actions: names of ``ACTIONS``, in any order.
        selection: the pictures.

    Raises:
        UserError: if there is no such action.
    """
    unknown = [name for name in actions if name not in {action.name for action in ACTIONS}]
    if unknown:
        known = ", ".join(action.name for action in ACTIONS)
        raise UserError(f"There is no cleaning called '{unknown[0]}'. There are: {known}.")
    chosen = [action for action in ACTIONS if action.name in actions]
    groups = groupby(chosen, key=lambda action: action.name in _ON_EACH)
    steps = [step for each, group in groups for step in _steps(list(group), each)]

    def edit(words: Words) -> Words:
        cleaned = words
        for step in steps:
            cleaned = step(cleaned)
        return words if cleaned.text == words.text else cleaned

    plain = any(action.on != "tags" for action in chosen)
    return change_words(captions, selection, edit, plain)


def _steps(actions: Sequence[Action], each: bool) -> list[Callable[[Words], Words]]:
    """What does actions that follow each other; those on each tag by itself all at once."""
    if each:
        return [_on_tags(_of_each([_ON_EACH[action.name] for action in actions]))]
    return [_step(action) for action in actions]


def _step(action: Action) -> Callable[[Words], Words]:
    if action.on != "tags":
        return lambda words: _on_text(action, words)
    return _spaced if action.name == "spacing" else _on_tags(_ON_TAGS[action.name])


def _on_tags(edit: Callable[[Sequence[Tag]], Sequence[Tag]]) -> Callable[[Words], Words]:
    return lambda words: words if words.plain else words.with_tags(edit(words.tags))


def _of_each(changes: Sequence[Callable[[Tag], Tag | None]]) -> Callable[[Sequence[Tag]], Sequence[Tag]]:
    """Change or take out every tag, each worked out once: captions have the same few over and over."""
    known: dict[str, Tag | None] = {}

    def change(tag: Tag) -> Tag | None:
        new: Tag | None = tag
        for one in changes:
            new = None if new is None else one(new)
        return new

    def edit(tags: Sequence[Tag]) -> Sequence[Tag]:
        for tag in tags:
            if tag.text not in known:
                known[tag.text] = change(tag)
        return [new for tag in tags if (new := known[tag.text]) is not None]

    return edit


def _on_text(action: Action, words: Words) -> Words:
    if action.on == "sentences" and not words.plain:
        return words
    old = words.text
    text = _ON_TEXT[action.name](old)
    return words if text == old else read_words(text)


def _lines(text: str) -> str:
    lines = (line.strip().strip(",").strip() for line in text.splitlines())
    return ", ".join(line for line in lines if line)


def _without_errors(text: str) -> str:
    return ERROR.sub("", text).lstrip(", ") if "error" in text.lower() and ERROR.search(text) else text


def _without_signs(text: str) -> str:
    lower = text.lower()
    return SIGN.sub("", text) if any(word in lower for word in _OF_SIGNS) else text


def _caption_words(text: str) -> str:
    return re.sub(r"\b(girls?)(?: girls?)+\b", r"\1", _PHRASE.sub(_plainer, text))


def _plainer(match: re.Match[str]) -> str:
    article, adjectives, noun = match[1] or "", match[2].lower(), match[3]
    drawn = "anime" in adjectives or "cartoon" in adjectives
    new = _PERSONS.get(noun.lower()) or (_DRAWN_PERSONS.get(noun.lower()) if drawn else None) or noun
    kept = "" if new != noun or noun.lower() in _PICTURES else adjectives.replace("young ", "")
    phrase = kept + new
    if phrase == adjectives + noun:
        return match[0]
    if article:
        article = article[0] + ("n " if phrase[0].lower() in "aeiou" else " ")
    return article + phrase


def _with_blanks(tag: Tag) -> Tag:
    name = with_spaces(tag.name)
    return tag if name == tag.name else replace(tag, name=name, text=tag.text.replace("_", " "))


def _without_weight(tag: Tag) -> Tag:
    return tag if tag.wrap == ("", "") else new_tag(tag.name, "\\" in tag.text)


def _escaped(tag: Tag) -> Tag:
    return new_tag(tag.name, True, tag.wrap)


def _unless_rating(tag: Tag) -> Tag | None:
    return None if RATING.fullmatch(tag.key) else tag


def _without_duplicates(tags: Sequence[Tag]) -> Sequence[Tag]:
    first: dict[str, Tag] = {}
    for tag in tags:
        first.setdefault(tag.key, tag)
    return list(first.values())


def _without_general(tags: Sequence[Tag]) -> Sequence[Tag]:
    """What ends with a tag, as another whole word, and does not deny it, is closer."""
    closer = [tag.key for tag in tags if " " in tag.key and not tag.key.startswith("no ")]
    general = {key.rpartition(" ")[2] for key in closer}
    if _TWO_WORDS in (tag.key for tag in tags) and any(key.endswith(f" {_TWO_WORDS}") for key in closer):
        general.add(_TWO_WORDS)
    return [tag for tag in tags if tag.key not in general]


def _without_mixed(tags: Sequence[Tag]) -> Sequence[Tag]:
    if not any(_SEVERAL.fullmatch(tag.key) for tag in tags if tag.key.endswith(("girls", "boys"))):
        return tags
    keys = {tag.key for tag in tags}
    gone: set[str] = set()
    for kind in _KINDS:
        found = {key for key in keys if kind.fullmatch(key)}
        gone |= found if len(found) > 1 else set()
    return [tag for tag in tags if tag.key not in gone]


def _spaced(words: Words) -> Words:
    spaced = Words(words.tags, tail=words.tail)
    return words if words.plain or spaced.text == words.text else spaced


_ON_EACH: dict[str, Callable[[Tag], Tag | None]] = {
    "underscores": _with_blanks,
    "weights": _without_weight,
    "escape": _escaped,
    "ratings": _unless_rating,
}
_ON_TAGS: dict[str, Callable[[Sequence[Tag]], Sequence[Tag]]] = {
    "duplicates": _without_duplicates,
    "general": _without_general,
    "people": _without_mixed,
}
_ON_TEXT: dict[str, Callable[[str], str]] = {
    "lines": _lines,
    "errors": _without_errors,
    "signs": _without_signs,
    "caption words": _caption_words,
}
