"""How sure a tagger was of the tags of a picture, from what it said when it looked at it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from train_gamma.captions.tag_text import normal, with_spaces
from train_gamma.service.tag_sets import TagSets
from train_gamma.tagging.asking import view_of
from train_gamma.tagging.cache import Cache
from train_gamma.tagging.interrogator import RATING, Entry
from train_gamma.tagging.rows import unpacked
from train_gamma.tagging.thresholds import SEEN


@dataclass(frozen=True, slots=True)
class Confidences:
    """What a tagger saw in a picture.

    Attributes:
        tagger: its name, "" if none has looked at the picture.
        of: the probability, 0..1, of each tag, by the tag as it is compared.
        names: of these tags, as captions have them.
    """

    tagger: str = ""
    of: Mapping[str, float] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


def confidences_of(
    picture: Path, taggers: Iterable[Entry], background: str, sets: TagSets, cache: Cache
) -> Confidences:
    """What the first of these taggers that has looked at a picture saw in it.

    Args:
        picture: the file.
        taggers: in the order of preference.
        background: behind transparent pictures, which is part of what was looked at.
        sets: knows the taggers.
        cache: of what they said.
    """
    digest = cache.digests([picture]).get(picture)
    if digest is None:
        return Confidences()
    for entry in taggers:
        if entry.kind != "tagger" or cache.model(entry.name) is None:
            continue
        known = sets.known(entry)
        answer = None if known is None else cache.answers(view_of(known.identity, background), [digest]).get(digest)
        row = None if known is None or answer is None else unpacked(answer, len(known.labels))
        if known is None or row is None:
            continue
        found: dict[str, float] = {}
        names: dict[str, str] = {}
        for index, value in zip(row.indices.tolist(), row.values.tolist(), strict=True):
            label = known.labels[index]
            if label.category != RATING and value >= SEEN:
                found[normal(label.name)] = float(value)
                names[normal(label.name)] = with_spaces(label.name)
        return Confidences(entry.name, found, names)
    return Confidences()
