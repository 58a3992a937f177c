"""Undo and redo over zips, against a plain list of states."""

import random
from pathlib import Path

import pytest

from tests.captions.sets import write_set
from train_gamma.captions.backups import folder_of
from train_gamma.captions.files import write_captions
from train_gamma.captions.saved_steps import FILE, read_steps, redo, undo
from train_gamma.errors import UserError

NAMES = ("a", "b", "c")


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.glob("*.txt"))}


def can(step: object, backups: Path, folder: Path) -> bool:
    try:
        step(backups, folder)  # type: ignore[operator]
    except UserError:
        return False
    return True


@pytest.mark.parametrize("seed", range(12))
def test_any_saves_undos_and_redos_are_those_of_a_list_of_states(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    folder, backups = write_set(tmp_path / "set", {"a": "one", "b": "", "c": None}), tmp_path / "backups"
    states, now = [contents(folder)], 0
    for number in range(10):
        action = rng.choice(("save", "undo", "undo", "redo"))
        if action == "save":
            chosen = rng.sample(NAMES, rng.randint(1, 3))
            write_captions({folder / f"{name}.txt": f"{name}{number}" for name in chosen}, backups, folder)
            states, now = [*states[: now + 1], contents(folder)], now + 1
        elif action == "undo":
            assert can(undo, backups, folder) == (now > 0)
            now = max(0, now - 1)
        else:
            assert can(redo, backups, folder) == (now < len(states) - 1)
            now = min(len(states) - 1, now + 1)
        assert contents(folder) == states[now]


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"back": 1, "forth": [], "spent": []}', '{"back": []}'])
def test_a_damaged_note_makes_every_zip_a_step_back(tmp_path: Path, damage: str) -> None:
    folder, backups = write_set(tmp_path / "set", {"a": "one"}), tmp_path / "backups"
    write_captions({folder / "a.txt": "two"}, backups, folder)
    undo(backups, folder)
    (folder_of(backups, folder) / FILE).write_text(damage)
    assert len(read_steps(backups, folder).back) == 2
    undo(backups, folder)
    assert contents(folder) == {"a.txt": "two"}


def test_what_was_changed_by_hand_since_is_in_the_way_back(tmp_path: Path) -> None:
    folder, backups = write_set(tmp_path / "set", {"a": "one"}), tmp_path / "backups"
    write_captions({folder / "a.txt": "two"}, backups, folder)
    (folder / "a.txt").write_text("by hand")
    undo(backups, folder)
    assert contents(folder) == {"a.txt": "one"}
    redo(backups, folder)
    assert contents(folder) == {"a.txt": "by hand"}


def test_datasets_have_steps_of_their_own(tmp_path: Path) -> None:
    one, other = write_set(tmp_path / "one", {"a": "x"}), write_set(tmp_path / "other", {"a": "x"})
    write_captions({one / "a.txt": "y"}, tmp_path / "backups", one)
    with pytest.raises(UserError, match="nothing to undo"):
        undo(tmp_path / "backups", other)
