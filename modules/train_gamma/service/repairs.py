"""What the doctor found in a dataset, and what was done about it and can be taken back."""

import json
import logging
import secrets
import threading
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from train_gamma import atomic
from train_gamma.doctor.examine import Examination
from train_gamma.doctor.repair import Repair, Step
from train_gamma.errors import UserError

MOST_KEPT = 50

log = logging.getLogger("train_gamma")


@dataclass
class Examined:
    """An examination that is kept until the next one.

    Attributes:
        number: no other examination of this dataset has it.
        examination: what was found.
        done: by the index of a finding its pictures that were dealt with, and by which repair.
        outdated: whether pictures or captions may have changed since.
    """

    number: int
    examination: Examination
    done: dict[int, dict[Path, str]] = field(default_factory=dict)
    outdated: bool = False

    def is_fixed(self, index: int) -> bool:
        """Whether all pictures of a finding were dealt with, be it one after the other."""
        handled = self.done.get(index, {})
        return bool(handled) and handled.keys() >= set(self.examination.findings[index].pictures)

    def undone(self, repair: str) -> None:
        """A repair was taken back."""
        for of_finding in self.done.values():
            for path in [path for path, by in of_finding.items() if by == repair]:
                del of_finding[path]


@dataclass(frozen=True, slots=True)
class Kept:
    """A repair with its name and its time in UTC, as ISO 8601."""

    id: str
    when: str
    repair: Repair


class Repairs:
    """The repairs of one dataset that were not taken back, in a file. Every method may be called from any thread."""

    def __init__(self, file: Path) -> None:
        self._file, self._begun = file, file.with_suffix(".begun")
        self._lock = threading.RLock()
        self._kept: list[Kept] | None = None

    def all(self) -> list[Kept]:
        """The oldest first. One that the program did not survive is there as far as it came."""
        with self._lock:
            if self._kept is None:
                self._kept = _read(self._file)
                self.close()
            return list(self._kept)

    def note(self, action: str, step: Step) -> None:
        """Write down a step of a repair that is being made, in case that the program ends in the middle."""
        self.all()
        try:
            self._begun.parent.mkdir(parents=True, exist_ok=True)
            with self._begun.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"action": action, "step": step.to_dict()}) + "\n")
        except OSError as error:
            log.warning("What is done to the files cannot be written down in '%s': %s", self._begun, error)

    def close(self) -> None:
        """Keep a repair that did not come to its end."""
        with self._lock:
            repair = _read_begun(self._begun)
            if repair is not None:
                self.add(repair)

    def add(self, repair: Repair) -> Kept:
        """Keep what was done."""
        kept = Kept(secrets.token_hex(4), datetime.now(timezone.utc).isoformat(timespec="seconds"), repair)
        with self._lock:
            self._write([*self.all(), kept][-MOST_KEPT:])
            self._begun.unlink(missing_ok=True)
        return kept

    def remove(self, name: str) -> None:
        """Forget a repair that was taken back."""
        with self._lock:
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


def _read_begun(file: Path) -> Repair | None:
    """The repair that was being made when the program ended; its last line may be half of one."""
    try:
        lines = file.read_text("utf-8").splitlines()
    except OSError:
        return None
    steps, action = [], ""
    for line in lines:
        try:
            noted = json.loads(line)
            action = noted["action"]
            steps.append(noted["step"])
        except (ValueError, KeyError, TypeError):
            break
    if not steps:
        return None
    try:
        return Repair.from_dict({"action": action, "steps": steps, "problems": ["It did not come to its end."]})
    except UserError as error:
        log.warning("What was being done to files cannot be read from '%s': %s", file, error)
        return None
