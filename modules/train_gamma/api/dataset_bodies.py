"""What requests about datasets carry, beside those in ``service.dataset_requests``."""

from dataclasses import dataclass, field

from train_gamma.api.bodies import Flat
from train_gamma.service.dataset_requests import RuleRequest


@dataclass
class OpenRequest:
    """A folder of pictures to open; extension: of new caption files."""

    folder: str
    recursive: bool = False
    extension: str = ".txt"


@dataclass
class VersionRequest:
    """The version of the captions that the user has seen; null for whoever does not care."""

    version: int | None = None


@dataclass
class DiffRequest:
    """How many files to show as old and new text."""

    most: int = 20


@dataclass
class SaveRequest:
    """on_conflict: refuse, overwrite, merge or reload files that another program has changed."""

    version: int | None = None
    on_conflict: str = "refuse"


@dataclass
class RestoreNameRequest:
    """The backup to put back."""

    name: str
    version: int | None = None


@dataclass
class UndoFixRequest:
    """The fix to take back, null for the last."""

    id: str | None = None
    version: int | None = None


@dataclass
class RulesRequest:
    """A set of rules to keep."""

    rules: list[RuleRequest] = field(default_factory=list)
    note: str = ""


@dataclass
class PrepareRequest:
    """Settings for preparing pictures; what is missing has its default. See /datasets/prepare/options."""

    config: Flat = field(default_factory=dict)


@dataclass
class PlanRequest:
    """The same, and which part of the pictures."""

    config: Flat = field(default_factory=dict)
    offset: int = 0
    limit: int = 60


@dataclass
class LookRequest:
    """The same, which picture, which piece of it where it is split, and how large, in pixels a side."""

    index: int
    config: Flat = field(default_factory=dict)
    piece: int = 0
    size: int = 512
