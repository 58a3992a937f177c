"""Suggests which tags to take out of the captions, so that the embedding learns what they say.

What is in a caption need not be learned; what is left out is what all pictures have in common, and becomes part of the
embedding. So the traits of a character go, and the scene stays. These are suggestions: nothing here changes a caption.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from train_gamma.captions.background import NOTHING, Background
from train_gamma.captions.filters import TagRow, tag_table
from train_gamma.captions.implications import Implications
from train_gamma.captions.snapshot import Snapshot
from train_gamma.captions.tag_classes import TagClass, head_and_colour, tag_class
from train_gamma.captions.tag_text import normal

Band: TypeAlias = Literal["ticked", "sometimes", "look"]

ALWAYS, SOMETIMES = 0.85, 0.60
"""From the first share of the pictures on a trait is ticked; between the two it may be something that is taken off."""
NOTABLE_LIFT = 4.0
"""A tag of no known class that is in nearly all pictures is worth a look from this lift on."""
MIXED = 0.2
"""Of two colours of the same thing, the rarer is mentioned from this share on."""


@dataclass(frozen=True, slots=True)
class Relative:
    """A tag that says the same as a suggested one, or part of it."""

    tag: str
    count: int
    share: float
    ticked: bool


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A tag that may be taken out.

    Attributes:
        tag: raw.
        count: of pictures that have it.
        share: of the pictures that have tags, 0..1.
        lift: how many times more frequent than everywhere, None when unknown.
        tag_class: what it is about.
        band: ticked: suggested. sometimes: in many pictures only, so perhaps taken off. look: of no known class.
        reason: for people.
        relatives: tags of the set that imply it or are implied by it, and would go on telling of it.
        without: the pictures that have not got it: where the tagger may have missed it.
    """

    tag: str
    count: int
    share: float
    lift: float | None
    tag_class: TagClass
    band: Band
    reason: str
    relatives: tuple[Relative, ...] = ()
    without: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Advice:
    """What the assistant has to say about a dataset.

    Attributes:
        suggestions: those that are ticked first, then by how much they tell about this set.
        contradictions: sentences about things that have two colours: noise, or two characters.
        subject: the tag for who is in the pictures, such as "1girl"; "" when there is none in most of them.
    """

    suggestions: tuple[Suggestion, ...] = ()
    contradictions: tuple[str, ...] = field(default=())
    subject: str = ""

    @property
    def ticked(self) -> list[str]:
        """Every tag that is ticked, relatives too, each once."""
        found: dict[str, str] = {}
        for suggestion in self.suggestions:
            if suggestion.band == "ticked":
                found.setdefault(normal(suggestion.tag), suggestion.tag)
                found |= {normal(one.tag): one.tag for one in suggestion.relatives if one.ticked}
        return list(found.values())


def advise(captions: Snapshot, background: Background = NOTHING, implied: Implications | None = None) -> Advice:
    """Look at the tags of a dataset.

    Args:
        captions: of the dataset; those without any tag do not count.
        background: how frequent tags are everywhere.
        implied: which tags imply others; by their words when None.
    """
    tagged = [picture for picture, words in enumerate(captions.words) if words.tags]
    rows = {row.key: row for row in tag_table(captions, tagged)} if tagged else {}
    implied = implied or Implications({}, lambda text: text in rows or text in background)
    banded = {key: band for key, row in rows.items() if (band := _band(row, background)) is not None}
    parents = {key: implied.of(key) & rows.keys() for key in rows}
    suggestions = [
        Suggestion(
            row.tag,
            row.count,
            row.share,
            background.lift(row.key, row.share),
            tag_class(row.key),
            banded[row.key],
            _reason(row, banded[row.key]),
            _relatives(row.key, rows, parents),
            tuple(captions.lacking(row.key, tagged)),
        )
        for row in rows.values()
        if row.key in banded
    ]
    order = ("ticked", "sometimes", "look")
    suggestions.sort(key=lambda s: (order.index(s.band), -background.score(s.tag, s.share), -s.count, s.tag))
    return Advice(tuple(suggestions), tuple(_contradictions(rows.values())), _subject(rows.values()))


def _band(row: TagRow, background: Background) -> Band | None:
    kind = tag_class(row.key)
    if kind in ("trait", "outfit"):
        return "ticked" if row.share >= ALWAYS else "sometimes" if row.share >= SOMETIMES else None
    if kind == "other" and row.share >= ALWAYS and (background.lift(row.key, row.share) or 0) >= NOTABLE_LIFT:
        return "look"
    return None


def _reason(row: TagRow, band: Band) -> str:
    if band == "look":
        return "In nearly all pictures and rare elsewhere. Take it out if it belongs to what is learned."
    if band == "sometimes":
        return "In many pictures, not in all. Leave it if it may be taken off; then a prompt can ask for it."
    if tag_class(row.key) == "outfit":
        return "Worn in nearly all pictures. Leave it if you want to prompt for other clothes."
    return "In nearly all pictures, so the embedding is to know it."


def _relatives(key: str, rows: dict[str, TagRow], parents: dict[str, frozenset[str]]) -> tuple[Relative, ...]:
    """A tag that this one implies goes with it; one that implies it, too, unless it tells of a garment that changes."""
    children = {child for child, implied in parents.items() if key in implied}
    found = [(rows[other], True) for other in parents[key]]
    found += [(rows[other], tag_class(other) == "trait" or rows[other].share >= SOMETIMES) for other in children]
    found.sort(key=lambda pair: (-pair[0].count, pair[0].key))
    return tuple(Relative(row.tag, row.count, row.share, ticked) for row, ticked in found)


def _contradictions(rows: Iterable[TagRow]) -> list[str]:
    by_head: defaultdict[str, list[TagRow]] = defaultdict(list)
    for row in rows:
        coloured = head_and_colour(row.key)
        if coloured is not None and tag_class(row.key) == "trait":
            by_head[coloured[0]].append(row)
    told = []
    for head, found in sorted(by_head.items()):
        often = sorted((row for row in found if row.share >= MIXED), key=lambda row: -row.count)
        if len(often) > 1:
            shares = ", ".join(f"{row.tag} {row.share:.0%}" for row in often)
            told.append(
                f"The {head} are not of one colour: {shares}. Correct the tags, or take out pictures of somebody else."
            )
    return told


def _subject(rows: Iterable[TagRow]) -> str:
    people = ("1girl", "1boy", "1other", "solo")
    found = [row for row in rows if row.key in people and row.share > 0.5]
    return min(found, key=lambda row: people.index(row.key)).tag if found else ""
