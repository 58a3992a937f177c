"""Undo and redo of what was saved, over the zips that every save leaves: for programs that do not stay open.

A zip takes one step back. Putting it back leaves another zip, which takes the same step forward again. Which zip is for
which direction is noted in a file beside them; zips that it does not name are from a save that nobody has undone.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from train_gamma import atomic
from train_gamma.captions.backups import RETENTION, folder_of
from train_gamma.captions.files import Restored, list_backups, restore
from train_gamma.errors import UserError

FILE = "undo.json"


@dataclass(frozen=True, slots=True)
class Steps:
    """Names of zips, the oldest first.

    Attributes:
        back: each takes one step back, the last one first.
        forth: each takes one step forward, the last one first.
        spent: those that were put back. They stay where they are and are no step any more.
    """

    back: tuple[str, ...] = ()
    forth: tuple[str, ...] = ()
    spent: tuple[str, ...] = ()


def undo(backups: Path, dataset: Path) -> tuple[Path, Restored]:
    """Take the last save back. Returns the zip that was put back and what was done.

    Raises:
        UserError: if there is none, or it cannot be put back.
    """
    steps = read_steps(backups, dataset)
    if not steps.back:
        raise UserError(f"There is nothing to undo in '{dataset}': no saved change of its captions is kept.")
    path, done = _put_back(backups, dataset, steps.back[-1])
    forth = steps.forth if done.backup is None else (*steps.forth, done.backup.name)
    _write(backups, dataset, Steps(steps.back[:-1], forth, (*steps.spent, path.name)))
    return path, done


def redo(backups: Path, dataset: Path) -> tuple[Path, Restored]:
    """Do again what was undone last. Returns the zip that was put back and what was done.

    Raises:
        UserError: if there is nothing, or it cannot be put back.
    """
    steps = read_steps(backups, dataset)
    if not steps.forth:
        raise UserError(f"There is nothing to do again in '{dataset}': nothing was undone since the last save.")
    path, done = _put_back(backups, dataset, steps.forth[-1])
    back = steps.back if done.backup is None else (*steps.back, done.backup.name)
    _write(backups, dataset, Steps(back, steps.forth[:-1], (*steps.spent, path.name)))
    return path, done


def read_steps(backups: Path, dataset: Path) -> Steps:
    """What can be undone and done again now."""
    there = [backup.path.name for backup in reversed(list_backups(backups, dataset))]
    noted = _read(_file(backups, dataset))
    known = {*noted.back, *noted.forth, *noted.spent}
    fresh = [name for name in there if name not in known]
    if len(there) >= RETENTION and fresh[:1] == there[:1]:
        fresh = fresh[1:]  # the first zip is kept for ever, those between it and the others are not
    if fresh:  # somebody has saved, so what was undone cannot be done again
        noted = replace(noted, back=(*noted.back, *fresh), forth=(), spent=(*noted.spent, *noted.forth))
    spent = tuple(name for name in noted.spent if name in there)
    return Steps(_unbroken(noted.back, there), _unbroken(noted.forth, there), spent)


def _put_back(backups: Path, dataset: Path, name: str) -> tuple[Path, Restored]:
    path = folder_of(backups, dataset) / name
    return path, restore(path)


def _unbroken(names: Sequence[str], there: Sequence[str]) -> tuple[str, ...]:
    """The names behind the last one that is missing: a step cannot be taken back past one that cannot."""
    kept: list[str] = []
    for name in reversed(names):
        if name not in there:
            break
        kept.insert(0, name)
    return tuple(kept)


def _file(backups: Path, dataset: Path) -> Path:
    return folder_of(backups, dataset) / FILE


def _read(path: Path) -> Steps:
    try:
        content = json.loads(path.read_text("utf-8"))
        return Steps(*(tuple(map(str, content[key])) for key in ("back", "forth", "spent")))
    except (OSError, ValueError, KeyError, TypeError):
        return Steps()  # none yet, or damaged: then every zip is a step back


def _write(backups: Path, dataset: Path, steps: Steps) -> None:
    content = {"back": steps.back, "forth": steps.forth, "spent": steps.spent}
    path = _file(backups, dataset)
    try:
        atomic.write_text(path, json.dumps(content, indent=1) + "\n")
    except OSError as error:
        raise UserError(
            f"The captions are put back, but '{path}' cannot be written: {error.strerror or error}."
        ) from error
