"""What the page and the API are shown of tagging."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TagPlan:
    """What a run would do. Nothing is loaded and nothing is written for it.

    Attributes:
        num_pictures: in the folder.
        num_needed: pictures whose tags the run needs; those that are skipped need none.
        num_known: of those needed, how many are in the cache already, so that no model runs for them.
        actions: pictures per action, in the order of ``captions``' own names: new, replaced, merged, filled,
            skipped, unchanged (those at 0 are left out).
        notes: what one should know before the run, a sentence each (captions that cannot be read, pictures that
            share a caption file, a model that must be downloaded first).
        problem: why it cannot run, "" when it can.
    """

    num_pictures: int = 0
    num_needed: int = 0
    num_known: int = 0
    actions: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Ranked:
    """One thing that was seen in a picture.

    Attributes:
        name: as the model calls it, with underscores.
        text: as a caption has it.
        category: such as "general".
        probability: 0..1.
        threshold: the one for it, 0..1.
        chosen: whether it is written at these settings.
    """

    name: str
    text: str
    category: str
    probability: float
    threshold: float
    chosen: bool


@dataclass(frozen=True, slots=True)
class TagCount:
    """One tag in the set: how many known pictures it would be written for, and their share (0..1)."""

    tag: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class Live:
    """What settings give, from the cache alone.

    Attributes:
        num_pictures: in the folder.
        num_known: of them, how many have been seen by this model already.
        counts: the tags that would be written for the known pictures, the most frequent first.
        mean_tags: tags a picture, over the known ones.
        picture: the index of the picture that is shown, -1 when there is none.
        path: its file.
        known: whether it has been seen by this model; if not, ``tags`` and ``caption`` are empty.
        tags: what is seen in it, the most probable first, down to 0.05.
        sentence: what the captioner says of it, "" without one.
        caption: the tags, as a caption by these settings.
        existing: the text of its caption file now, None when there is none.
        outcome: the text of its caption file after a run at these settings, None when there would be none.
        problem: why there is nothing to show, "" when there is.
    """

    num_pictures: int = 0
    num_known: int = 0
    counts: tuple[TagCount, ...] = ()
    mean_tags: float = 0.0
    picture: int = -1
    path: Path | None = None
    known: bool = False
    tags: tuple[Ranked, ...] = ()
    sentence: str = ""
    caption: str = ""
    existing: str | None = None
    outcome: str | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Single:
    """What one picture, dropped onto the page, shows.

    Attributes:
        tags: the most probable first, down to 0.05; ratings are among them, with their own category.
        rating: the most probable rating, "" when the model has none.
        ratings: the probability of each rating, 0 for less than 0.05.
        sentence: what the captioner says, "" without one.
        caption: by the settings.
        seconds: it took, without loading the model.
        device: where it ran, such as "CPU".
    """

    tags: tuple[Ranked, ...]
    rating: str
    ratings: Mapping[str, float]
    sentence: str
    caption: str
    seconds: float
    device: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a run would write for one picture.

    Attributes:
        path: the picture.
        caption_path: the file beside it.
        existing: its text now, None when there is none.
        caption: what the settings give for the picture, before any merging.
        outcome: its text after a run, None when there would be none.
        action: new, replaced, merged, filled, skipped or unchanged.
    """

    path: Path
    caption_path: Path
    existing: str | None
    caption: str
    outcome: str | None
    action: str


@dataclass(frozen=True, slots=True)
class Kept:
    """The captions of a folder as they were before a run.

    Attributes:
        name: what they are put back by.
        when: the run wrote, in UTC.
        changed: captions that the run changed.
        created: captions that it made, where there were none.
    """

    name: str
    when: datetime
    changed: int
    created: int
