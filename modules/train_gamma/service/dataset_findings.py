"""What the doctor found in a dataset that is open, with pictures by their index."""

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from train_gamma.doctor.examine import Examination
from train_gamma.doctor.findings import Finding, Level
from train_gamma.doctor.fixes import BY_HAND
from train_gamma.service.open_dataset import OpenDataset
from train_gamma.service.repairs import Kept

_LEVELS: Mapping[str, Level] = {"errors": "error", "warnings": "warning", "notes": "note"}


@dataclass(frozen=True, slots=True)
class FindingView:
    """A finding as the page has it.

    Attributes:
        index: of the finding.
        kind: what it is in a word.
        level: error, warning or note.
        message: what is wrong.
        fix: what to do.
        action: the fix that there is.
        fixable: whether the program can make it.
        fixed: whether something was done about it.
        pictures: whom it is about, by index.
        files: names of those that are no pictures of the dataset now.
    """

    index: int
    kind: str
    level: str
    message: str
    fix: str
    action: str
    fixable: bool
    fixed: bool
    pictures: tuple[int, ...]
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PairView:
    """Two pictures that are the same or nearly so, by index."""

    one: int
    other: int
    kind: str
    bits: int


@dataclass(frozen=True, slots=True)
class FixView:
    """Something that was done about a finding: its id, what, when (ISO 8601), how many files, and what did not work."""

    id: str
    action: str
    when: str
    files: int
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """What is known of a dataset's faults.

    Attributes:
        version: of the captions.
        examined: whether there was an examination.
        examination: its number.
        outdated: whether something was saved, read again or fixed since.
        stopped: whether it was ended early.
        findings: errors first.
        pairs: to be looked at side by side.
        counts: of errors, warnings and notes.
        fixes: what was done and can be taken back, the newest last.
    """

    version: int
    examined: bool = False
    examination: int = 0
    outdated: bool = False
    stopped: bool = False
    findings: tuple[FindingView, ...] = ()
    pairs: tuple[PairView, ...] = ()
    counts: dict[str, int] | None = None
    fixes: tuple[FixView, ...] = ()


def counts_of(examination: Examination) -> dict[str, int]:
    """How many errors, warnings and notes."""
    levels = Counter(finding.level for finding in examination.findings)
    return {name: levels[level] for name, level in _LEVELS.items()}


def findings_of(dataset: OpenDataset) -> Findings:
    """What was found, with pictures by their index of now."""
    fixes = tuple(fix_view(kept) for kept in dataset.repairs.all())
    version, examined = dataset.store.version, dataset.examined
    if examined is None:
        return Findings(version, fixes=fixes)
    indices, folder, found = indices_of(dataset), dataset.store.folder, examined.examination
    pairs = [(indices.get(key_of(pair.one)), indices.get(key_of(pair.other)), pair) for pair in found.pairs]
    return Findings(
        version=version,
        examined=True,
        examination=examined.number,
        outdated=examined.outdated,
        stopped=found.stopped,
        findings=tuple(
            _finding_view(index, finding, indices, folder, examined.is_fixed(index))
            for index, finding in enumerate(found.findings)
        ),
        pairs=tuple(
            PairView(one, other, pair.kind, pair.bits)
            for one, other, pair in pairs
            if one is not None and other is not None
        ),
        counts=counts_of(found),
        fixes=fixes,
    )


def _finding_view(index: int, finding: Finding, indices: dict[str, int], folder: Path, fixed: bool) -> FindingView:
    found = [(path, indices.get(key_of(path))) for path in finding.pictures]
    return FindingView(
        index=index,
        kind=finding.kind,
        level=finding.level,
        message=finding.message,
        fix=finding.fix,
        action=finding.action,
        fixable=finding.action not in BY_HAND,
        fixed=fixed,
        pictures=tuple(picture for _, picture in found if picture is not None),
        files=tuple(shown_name(path, folder) for path, picture in found if picture is None),
    )


def fix_view(kept: Kept) -> FixView:
    """A repair as the page has it."""
    return FixView(kept.id, kept.repair.action, kept.when, len(kept.repair.touched), kept.repair.problems)


def indices_of(dataset: OpenDataset) -> dict[str, int]:
    """The index of each picture, by ``key_of`` its path."""
    return {key_of(path): index for index, path in enumerate(dataset.store.pictures)}


def key_of(path: Path) -> str:
    """A path as it is compared."""
    return os.path.normcase(os.path.abspath(path))  # noqa: PTH100 - links keep the name that the user knows


def shown_name(path: Path, folder: Path) -> str:
    """A file by its path inside the folder, or by its whole path."""
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
