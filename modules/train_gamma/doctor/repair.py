"""Changing files of a dataset so that nothing is lost: what was done is written down and can be taken back.

Nothing is ever deleted. What is taken out of a dataset is moved to ``<folder>_rejected``, what is replaced is copied
to ``<folder>_originals`` first, both beside the dataset and with the same folders inside.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from train_gamma import atomic
from train_gamma.errors import UserError, raise_all

REJECTED, ORIGINALS = "_rejected", "_originals"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was done to one file.

    Attributes:
        kind: a file was moved, or written.
        path: where it is now.
        before: of a moved file where it was; of a written one where the file that it replaced is kept, None if there
            was none.
        sha256: of what was written, "" for a moved file.
    """

    kind: Literal["moved", "written"]
    path: Path
    before: Path | None
    sha256: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        before = None if self.before is None else str(self.before)
        return {"kind": self.kind, "path": str(self.path), "before": before, "sha256": self.sha256}


@dataclass(frozen=True, slots=True)
class Repair:
    """What was done.

    Attributes:
        action: the fix, see ``Finding.action``.
        steps: in the order they were done.
        problems: what could not be done, a sentence each; those files are as they were.
    """

    action: str
    steps: tuple[Step, ...]
    problems: tuple[str, ...] = ()

    @property
    def touched(self) -> tuple[Path, ...]:
        """Every file that is now another one, or somewhere else, as it was called before."""
        moved = (step.before if step.kind == "moved" and step.before is not None else step.path for step in self.steps)
        return tuple(dict.fromkeys(moved))

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values, to be kept until it is taken back."""
        steps = [step.to_dict() for step in self.steps]
        return {"action": self.action, "steps": steps, "problems": list(self.problems)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Repair":
        """What ``to_dict`` gave.

        Raises:
            UserError: if it is not that.
        """
        try:
            steps = [
                Step(step["kind"], Path(step["path"]), step["before"] and Path(step["before"]), step["sha256"])
                for step in content["steps"]
            ]
            return cls(content["action"], tuple(steps), tuple(content["problems"]))
        except (KeyError, TypeError) as error:
            raise UserError("The record of what was done is damaged, so it cannot be taken back from it.") from error


@dataclass
class Workbench:
    """Does the steps of a repair and writes them down.

    Attributes:
        folder: of the dataset, absolute.
        note: hears of each step when it is done, to write it down at once.
        steps: done so far.
        problems: what could not be done so far.
    """

    folder: Path
    note: Callable[[Step], None] = lambda _step: None
    steps: list[Step] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def put_away(self, path: Path, ending: str) -> None:
        """Move a file of the dataset to the folder beside it.

        Raises:
            OSError: if it cannot be moved.
        """
        target = _free(self._beside(path, ending))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, target)
        self._done(Step("moved", target, path))

    def write(self, path: Path, data: bytes) -> None:
        """Write a file of the dataset; what it replaces is copied to the originals first.

        Raises:
            OSError: if one of them cannot be written.
        """
        kept = None
        if path.exists():
            kept = _free(self._beside(path, ORIGINALS))
            old = path.read_bytes()
            atomic.write_bytes(kept, old)
            shutil.copystat(path, kept)
        atomic.write_bytes(path, data)
        self._done(Step("written", path, kept, hashlib.sha256(data).hexdigest()))

    def done(self, action: str) -> Repair:
        """The record."""
        return Repair(action, tuple(self.steps), tuple(self.problems))

    def _done(self, step: Step) -> None:
        self.steps.append(step)
        self.note(step)

    def _beside(self, path: Path, ending: str) -> Path:
        return beside(self.folder, ending) / path.relative_to(self.folder)


def beside(folder: Path, ending: str) -> Path:
    """The folder beside a dataset whose name has ``ending`` behind it.

    Raises:
        UserError: if the dataset has nothing beside it.
    """
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 - of '..' it has the name, and links keep theirs
    if not folder.name:
        raise UserError(f"'{folder}' has no folder above it to put files beside it. Move the pictures into a folder.")
    return folder.with_name(folder.name + ending)


def take_back(repair: Repair) -> list[Path]:
    """Undo a repair: every file is what and where it was. All of it is undone, or nothing.

    Returns:
        The files that are back, in the order they were put back.

    Raises:
        UserError: if a file was changed, moved or replaced since; every one is named.
    """
    raise_all([problem for step in repair.steps if (problem := _obstacle(step))])
    for step in reversed(repair.steps):
        try:
            _reverse(step)
        except OSError as error:
            raise UserError(
                f"'{step.path}' could not be put back: {error.strerror or error}. Nothing is lost: what is not back is "
                f"in the folders '{REJECTED}' and '{ORIGINALS}' beside the dataset. Fix the rights and move it by hand."
            ) from error
    return list(repair.touched)


def _reverse(step: Step) -> None:
    if step.kind == "moved" and step.before is not None:
        step.before.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(step.path, step.before)
    elif step.before is not None:
        step.before.replace(step.path)
    else:
        step.path.unlink()


def _obstacle(step: Step) -> str:
    if not step.path.is_file():
        return f"'{step.path}' is not there any more, so it cannot be put back. Look for it and put it there."
    if step.kind == "moved":
        if step.before is not None and step.before.exists():
            return f"There is another '{step.before}' now. Move it away first."
        return ""
    if hashlib.sha256(step.path.read_bytes()).hexdigest() != step.sha256:
        return f"'{step.path}' was changed since. Keep that or the original, by hand."
    if step.before is not None and not step.before.is_file():
        return f"The original '{step.before}' is not there any more."
    return ""


def _free(path: Path) -> Path:
    """The path, or one with a number if there is a file already."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return free
