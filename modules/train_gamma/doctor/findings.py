"""What the doctor says about a dataset."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Level = Literal["error", "warning", "note"]
LEVELS: tuple[Level, ...] = ("error", "warning", "note")
Action = Literal[
    "", "exclude", "convert", "rotate", "flatten", "reencode", "downscale", "crop", "tag", "clean", "escape", "review"
]

REFUSED_KINDS = ("unreadable", "too_large", "encoding")
"""Kinds with which no training can begin: a file cannot be read."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or that one should know.

    Attributes:
        kind: what it is in a word, for programs; a dataset has few findings of a kind.
        level: errors spoil the result, warnings probably do, notes inform.
        message: what is wrong, for people.
        fix: what to do about it, for people.
        pictures: whom it concerns, as far as it concerns files; for "exclude" those that can go.
        action: which fix can be made by the program, see ``fixes``; "tag" and "review" are for people and the tagger.
    """

    kind: str
    level: Level
    message: str
    fix: str = ""
    pictures: tuple[Path, ...] = ()
    action: Action = ""

    def __str__(self) -> str:
        """The message and the fix in one sentence after the other."""
        return f"{self.message} {self.fix}".strip()


def by_level(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Errors first, otherwise in the order they came."""
    return tuple(sorted(findings, key=lambda finding: LEVELS.index(finding.level)))


def listed(names: Sequence[str], most: int = 5) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
