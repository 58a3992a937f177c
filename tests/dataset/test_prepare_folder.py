"""The new folder of prepared pictures: never the originals', and nothing in it is replaced."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.captions.sets import files
from tests.dataset.drawn import noise
from train_gamma import atomic
from train_gamma.dataset import prepare_sources
from train_gamma.dataset.prepare import plan, prepare
from train_gamma.dataset.prepare_config import PrepareConfig
from train_gamma.dataset.srgb import open_as_srgb
from train_gamma.errors import UserError
from train_gamma.training.flat_reading import read_flat


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "set"
    path.mkdir()
    for number in range(6):
        noise(20, 20, number).save(path / f"{number}.png")
        (path / f"{number}.txt").write_text(f"tag {number}")
    return path


def settings(folder: Path, into: Path | str | None = None, **changes: Any) -> PrepareConfig:
    target = folder.parent / "new" if into is None else into
    return PrepareConfig(folder=str(folder), into=str(target), **changes)


@pytest.mark.parametrize(
    ("into", "text"),
    [
        ("", "New folder is not set"),
        ("  ", "New folder is not set"),
        ("set", "which stays as it is"),
        ("set/.", "which stays as it is"),
        ("set/new", "inside the pictures' folder"),
        ("set/../set/a/b", "inside the pictures' folder"),
        (".", "is inside of New folder"),
        ("set/0.png", "is a file"),
        ("link", "which stays as it is"),
        ("link/new", "inside the pictures' folder"),
    ],
)
def test_the_new_folder_is_apart_from_the_pictures(folder: Path, into: str, text: str) -> None:
    (folder.parent / "link").symlink_to(folder, target_is_directory=True)
    before = files(folder)
    target = into if not into.strip() else folder.parent / into
    with pytest.raises(UserError, match=text):
        prepare(settings(folder, target))
    assert files(folder) == before


def test_folders_that_cannot_be_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not set"):
        plan(PrepareConfig())
    with pytest.raises(UserError, match="does not exist"):
        plan(PrepareConfig(folder=str(tmp_path / "gone")))
    with pytest.raises(UserError, match="has no pictures"):
        plan(PrepareConfig(folder=str(tmp_path)))


def test_doing_it_again_writes_nothing(folder: Path) -> None:
    first = prepare(settings(folder))
    assert (len(first.written), len(first.unchanged)) == (12, 0)
    before = files(folder.parent / "new")
    again = prepare(settings(folder))
    assert (again.pictures, len(again.written), len(again.unchanged)) == (6, 0, 12)
    assert files(folder.parent / "new") == before


def test_more_copies_can_be_added_to_a_folder(folder: Path) -> None:
    prepare(settings(folder))
    more = prepare(settings(folder, flipped=True))
    assert (len(more.written), len(more.unchanged)) == (12, 12)


@pytest.mark.parametrize("name", ["3.png", "3.txt"])
def test_other_files_of_the_same_names_are_never_replaced(folder: Path, name: str) -> None:
    new = folder.parent / "new"
    new.mkdir()
    (new / name).write_bytes(b"precious")
    with pytest.raises(
        UserError, match=rf"other files of the names that would be written: '{name}'.*Nothing was written"
    ):
        prepare(settings(folder))
    assert {path: data for path, (data, _) in files(new).items()} == {name: b"precious"}


def test_a_caption_that_was_corrected_in_the_new_folder_is_safe(folder: Path) -> None:
    prepare(settings(folder))
    (folder.parent / "new" / "3.txt").write_text("corrected")
    before = files(folder.parent / "new")
    with pytest.raises(UserError, match=r"3\.txt"):
        prepare(settings(folder, flipped=True))
    assert files(folder.parent / "new") == before


def test_a_link_to_nowhere_is_in_the_way(folder: Path) -> None:
    new = folder.parent / "new"
    new.mkdir()
    (new / "3.txt").symlink_to(folder.parent / "nowhere")
    with pytest.raises(UserError, match=r"3\.txt"):
        prepare(settings(folder))
    assert not (folder.parent / "nowhere").exists()


def test_files_that_are_no_copies_stay_and_are_told(folder: Path) -> None:
    new = folder.parent / "new"
    new.mkdir()
    (new / "note.md").write_text("mine")
    done = prepare(settings(folder))
    assert (new / "note.md").read_text() == "mine"
    assert any("other files before (1)" in note for note in done.notes)


def add_pictures(folder: Path, total: int) -> None:
    for number in range(6, total):
        noise(20, 20, number).save(folder / f"{number}.png")


def stop_after(count: int) -> tuple[Callable[[int, int], None], Callable[[], bool]]:
    seen: list[int] = []
    return lambda done, total: seen.append(done), lambda: len(seen) >= count


def test_what_was_stopped_goes_on(folder: Path) -> None:
    add_pictures(folder, 40)
    progress, stop = stop_after(3)
    first = prepare(settings(folder), progress, stop)
    assert first.stopped
    assert 3 <= first.pictures < 40
    there = files(folder.parent / "new")
    assert len(there) == len(first.written)
    told: list[tuple[int, int]] = []
    second = prepare(settings(folder), lambda *counts: told.append(counts))
    assert not second.stopped
    assert second.pictures == 40
    assert set(second.unchanged) == set(first.written)
    assert told[-1] == (40, 40)
    assert told == sorted(told)
    after = files(folder.parent / "new")
    assert {name: after[name] for name in there} == there


def test_a_plan_can_be_stopped(folder: Path) -> None:
    add_pictures(folder, 40)
    assert 2 <= len(plan(settings(folder), *stop_after(2))) < 40


def test_a_file_that_cannot_be_written_is_told_and_leaves_nothing_behind(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        if path.name == "3.png":
            raise OSError(28, "No space left on device")
        write(path, data)

    write = atomic.write_bytes
    monkeypatch.setattr(atomic, "write_bytes", full)
    done = prepare(settings(folder))
    assert [(one.path.name, "No space left" in one.reason) for one in done.skipped] == [("3.png", True)]
    new = folder.parent / "new"
    assert sorted(path.name for path in new.iterdir() if path.suffix == ".png") == [f"{n}.png" for n in (0, 1, 2, 4, 5)]
    monkeypatch.undo()
    assert len(prepare(settings(folder)).written) == 1


def test_every_picture_has_its_caption_from_the_first_moment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, alone = threading.Lock(), []

    def look(path: Path, data: bytes) -> None:
        write(path, data)
        with lock:
            alone.extend(p for p in path.parent.glob("*.png") if not p.with_suffix(".txt").exists())

    write = atomic.write_bytes
    monkeypatch.setattr(atomic, "write_bytes", look)
    prepare(settings(folder, flipped=True))
    assert alone == []


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"format": "gif"}, "Format must be one of"),
        ({"brightness": 5}, "Brightness must be at most"),
        ({"brightness": "nan"}, "Brightness"),
        ({"overlap": 0.95}, "Overlap of pieces must be at most"),
        ({"quality": 0}, "Quality must be at least 1"),
        ({"quality": "best"}, r"Quality \(quality\) must be a whole number"),
        ({"boxes": "a.png"}, "must be written as"),
        ({"background": "no colour"}, "is not a colour"),
        ({"unknown": 1}, "Unknown key 'unknown'"),
        ({"bucket_step": 12}, "multiple of 8"),
        ({"bucket_min": 1024, "bucket_max": 512}, "Bucket minimum"),
    ],
)
def test_settings_that_cannot_work_are_refused(folder: Path, values: dict[str, Any], text: str) -> None:
    with pytest.raises(UserError, match=text):
        plan(read_flat(values, settings(folder)))


def test_settings_are_read_from_plain_values() -> None:
    config = read_flat(
        {"folder": "x", "flipped": True, "contrast": 2, "boxes": ["a.png = 1, 2, 3, 4"]}, PrepareConfig()
    )
    assert config == PrepareConfig(folder="x", flipped=True, contrast=2.0, boxes=("a.png = 1, 2, 3, 4",))


def test_large_pictures_are_opened_one_at_a_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_work, most = 0, 0
    lock = threading.Lock()

    def slowly(*arguments: Any) -> Any:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        time.sleep(0.01)
        try:
            return open_as_srgb(*arguments)
        finally:
            with lock:
                at_work -= 1

    monkeypatch.setattr(prepare_sources, "open_as_srgb", slowly)
    monkeypatch.setattr(prepare_sources, "MANY_PIXELS", 399)  # the pictures have 400
    assert prepare(settings(folder, flipped=True)).pictures == 6
    assert most == 1


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="rights mean nothing here")
def test_a_new_folder_without_rights_is_told(folder: Path) -> None:
    new = folder.parent / "new"
    new.mkdir(mode=0o500)
    done = prepare(settings(folder))
    assert len(done.skipped) == 6
    assert "cannot be written" in done.skipped[0].reason
