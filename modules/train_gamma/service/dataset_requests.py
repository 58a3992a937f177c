"""What is asked of a dataset that is open. Plain dataclasses: the API takes them as they are."""

from dataclasses import dataclass, field
from typing import Any

from train_gamma.captions.filters import Filter


@dataclass
class FilterRequest:
    """Which pictures: those that pass all of it. Nothing of it set means all pictures.

    all, any, none: tags that a caption has all of, one or more of, none of. untagged, plain, changed: captions that are
    empty, no lists of tags, not saved. more_tokens, fewer_tags: than this. text: somewhere in the caption. only: these
    pictures, by index.
    """

    all: list[str] = field(default_factory=list)
    any: list[str] = field(default_factory=list)
    none: list[str] = field(default_factory=list)
    untagged: bool = False
    plain: bool = False
    changed: bool = False
    more_tokens: int | None = None
    fewer_tags: int | None = None
    text: str = ""
    only: list[int] | None = None

    @property
    def of_captions(self) -> Filter:
        """The part that is about captions."""
        return Filter(
            all_of=tuple(self.all),
            any_of=tuple(self.any),
            none_of=tuple(self.none),
            untagged=self.untagged,
            more_tokens=self.more_tokens,
            fewer_tags=self.fewer_tags,
            text=self.text,
            plain=self.plain,
        )


@dataclass
class TagsRequest:
    """Which rows of the list of tags. mode: substring, prefix, suffix or regex. sort: count, name, length or tokens."""

    search: str = ""
    mode: str = "substring"
    sort: str = "count"
    descending: bool = True
    filter: FilterRequest = field(default_factory=FilterRequest)
    offset: int = 0
    limit: int = 200


@dataclass
class PicturesRequest:
    """Which page of the pictures that pass a filter."""

    filter: FilterRequest = field(default_factory=FilterRequest)
    offset: int = 0
    limit: int = 60


@dataclass
class RuleRequest:
    """A rule for replacing. kind: exact, substring or regex."""

    search: str = ""
    replacement: str = ""
    kind: str = "exact"


@dataclass
class EditRequest:
    """An edit of captions, with the fields that its action needs; see the description of the route.

    scope: all, filtered (by ``filter``) or selected (the pictures of ``selected``). version: of the captions that the
    user has seen; the edit is refused when it is not the current one. preview: tell what would change, and change
    nothing.
    """

    action: str
    version: int | None = None
    preview: bool = False
    scope: str = "all"
    filter: FilterRequest = field(default_factory=FilterRequest)
    selected: list[int] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    position: Any = "back"
    beside: str = ""
    rules: list[RuleRequest] = field(default_factory=list)
    plain: bool = False
    name: str = ""
    tag: str = ""
    new: str = ""
    order: str = "alphabetical"
    keep: int = 0
    backwards: bool = False
    count: int | None = None
    picture: int | None = None
    text: str = ""
    mode: str = "replace"
    actions: list[str] = field(default_factory=list)
    having: list[int] = field(default_factory=list)
    lacking: list[int] = field(default_factory=list)


@dataclass
class ImportRequest:
    """A metadata file of kohya's scripts to take captions from. See /options for parts and modes."""

    path: str
    version: int | None = None
    preview: bool = False
    scope: str = "all"
    filter: FilterRequest = field(default_factory=FilterRequest)
    selected: list[int] = field(default_factory=list)
    part: str = "caption and tags"
    mode: str = "replace"


@dataclass
class ExportRequest:
    """A metadata file to write the captions into; without a path they are in the answer.

    merge: into what the file holds. overwrite: whatever it holds.
    """

    path: str = ""
    full_path: bool = False
    part: str | None = None
    merge: bool = False
    overwrite: bool = False


@dataclass
class PruneRequest:
    """What the embedding will be; tags: those that the initialization text is made of, if they are chosen already."""

    name: str = ""
    num_vectors: int = 1
    tags: list[str] | None = None


@dataclass
class ExamineRequest:
    """What is to be learned, as far as it is known; config: settings of a run, of which "dataset" is used."""

    name: str = ""
    num_vectors: int = 1
    init_text: str = ""
    config: dict[str, Any] = field(default_factory=dict)


@dataclass
class FixRequest:
    """A finding to do something about: its index, for all of its pictures or these.

    examination: the number of the one it is of. action: "" for the finding's own, or exclude. into: a new folder for
    pictures that are written anew.
    """

    finding: int
    examination: int | None = None
    version: int | None = None
    pictures: list[int] | None = None
    action: str = ""
    into: str = ""
