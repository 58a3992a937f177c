"""What the doctor found in a dataset, and what was done about it and can be taken back."""

import json
import logging
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from train_gamma import atomic
from train_gamma.doctor.examine import Examination
from train_gamma.doctor.repair import Repair
from train_gamma.errors import UserError

MOST_KEPT = 50

log = logging.getLogger("train_gamma")


@dataclass
class Examined:
    """An examination that is kept until the next one.

    Attributes:
        number: no other examination of this dataset has it.
        examination: what was found.
        fixed: indices of the findings that something was done about.
        outdated: whether pictures or captions may have changed since.
    """

    number: int
    examination: Examination
    fixed: set[int] = field(default_factory=set)
    outdated: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """A repair with its name and its time in UTC, as ISO 8601."""

    id: str
    when: str
    repair: Repair


class Repairs:
    """The repairs of one dataset that were not taken back, in a file. Its owner uses it from one thread at a time."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._kept: list[Kept] | None = None

    def all(self) -> list[Kept]:
        """The oldest first."""
        if self._kept is None:
            self._kept = _read(self._file)
        return list(self._kept)

    def add(self, repair: Repair) -> Kept:
        """Keep what was done."""
        kept = Kept(secrets.token_hex(4), datetime.now(timezone.utc).isoformat(timespec="seconds"), repair)
        self._write([*self.all(), kept][-MOST_KEPT:])
        return kept

    def remove(self, name: str) -> None:
        """Forget a repair that was taken back."""
        self._write([one for one in self.all() if one.id != name])

    def _write(self, kept: list[Kept]) -> None:
        self._kept = kept
        content = [{"id": one.id, "when": one.when, "repair": one.repair.to_dict()} for one in kept]
        try:
            atomic.write_text(self._file, json.dumps(content, indent=1) + "\n")
        except OSError as error:  # it can still be taken back as long as the program runs
            log.warning("What was done to the files cannot be kept in '%s': %s", self._file, error)


def _read(file: Path) -> list[Kept]:
    try:
        content: list[dict[str, Any]] = json.loads(file.read_text("utf-8"))
        return [Kept(str(one["id"]), str(one["when"]), Repair.from_dict(one["repair"])) for one in content]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, UserError) as error:
        log.warning("What was done to files before cannot be read from '%s': %s", file, error)
        return []
