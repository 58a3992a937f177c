"""The examination itself: what is kept between two, how it is stopped, and that limits follow the training size."""

import dataclasses
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.dataset.drawn import draw_folder, noise
from tests.doctor.faults import CAPTION, FAULTS, picture
from tests.doctor.folders import clean_folder, config_of, examined, kinds, words
from train_gamma.dataset import facts
from train_gamma.dataset.dataset import load_dataset
from train_gamma.doctor.examine import examine, examine_dataset
from train_gamma.doctor.findings import LEVELS
from train_gamma.doctor.material import Target
from train_gamma.errors import UserError


class Opened:
    """Counts the pictures that are decoded."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []
        decode = facts.decode_picture

        def counted(data: bytes, path: Path, *arguments: object) -> Image.Image:
            self.names.append(path.name)
            return decode(data, path, *arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(facts, "decode_picture", counted)

    def take(self) -> list[str]:
        names, self.names = sorted(self.names), []
        return names


def test_a_second_examination_opens_only_what_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, cache = clean_folder(tmp_path / "set"), tmp_path / "kept"
    FAULTS["CMYK"].make(folder)
    opened = Opened(monkeypatch)
    first = examine(config_of(folder), cache=cache)
    assert len(opened.take()) == 13
    again = examine(config_of(folder), cache=cache)
    assert opened.take() == []
    assert (again.findings, again.pairs, again.coverage) == (first.findings, first.pairs, first.coverage)
    assert [s.facts for s in again.material.subjects] == [s.facts for s in first.material.subjects]
    picture(5).save(folder / "03.png")
    before = (folder / "04.png").stat()
    os.utime(folder / "04.png", ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    (folder / "05.png").unlink()
    examine(config_of(folder), cache=cache)
    assert opened.take() == ["03.png", "04.png"]
    (file,) = cache.iterdir()
    assert str(folder / "05.png") not in json.loads(file.read_text())
    examine(config_of(folder, background="black"), cache=cache)
    assert len(opened.take()) == 12, "transparent pictures look otherwise on another background"


@pytest.mark.parametrize("damage", ["", "{", "[1]", '{"a": 1}', "null"])
def test_a_damaged_cache_is_made_anew(damage: str, tmp_path: Path) -> None:
    folder, cache = clean_folder(tmp_path / "set", 10), tmp_path / "kept"
    first = examine(config_of(folder), cache=cache)
    (file,) = cache.iterdir()
    whole = file.read_text()
    file.write_text(damage)
    assert examine(config_of(folder), cache=cache).findings == first.findings
    assert json.loads(file.read_text()) == json.loads(whole)
    broken = {name: {**record, "facts": {"size": 3}} for name, record in json.loads(whole).items()}
    file.write_text(json.dumps(broken))
    assert examine(config_of(folder), cache=cache).findings == first.findings


def test_a_cache_that_cannot_be_written_is_no_reason_to_fail(tmp_path: Path) -> None:
    folder = clean_folder(tmp_path / "set", 10)
    (tmp_path / "kept").write_text("a file where a folder should be")
    assert examine(config_of(folder), cache=tmp_path / "kept").findings == ()


def test_nothing_is_written_into_the_dataset(tmp_path: Path) -> None:
    folder = clean_folder(tmp_path / "set")
    for case in ("CMYK", "same file", "not UTF-8", "weights"):
        FAULTS[case].make(folder)
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    examined(folder)
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()} == before


def test_progress_goes_up_to_all_pictures_and_a_stop_keeps_what_was_seen(tmp_path: Path) -> None:
    folder, heard = clean_folder(tmp_path / "set"), []

    def hear(done: int, total: int) -> None:
        heard.append((done, total))

    assert not examine(config_of(folder), progress=hear).stopped
    assert heard == [(k, 12) for k in range(1, 13)]
    stopped = examine(config_of(folder), progress=hear, stop=lambda: heard[-1] == (5, 12) and len(heard) > 12)
    assert stopped.stopped
    assert len(stopped.material.subjects) == 5


def test_pictures_are_read_in_threads_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, seen = clean_folder(tmp_path / "set"), set()
    read = facts.read_picture

    def watched(path: Path) -> bytes:
        seen.add(threading.current_thread().name)
        return read(path)

    monkeypatch.setattr(facts, "read_picture", watched)
    examined(folder)
    assert threading.current_thread().name not in seen


@pytest.mark.parametrize(("side", "expected"), [(64, []), (96, ["small"]), (137, ["tiny"]), (15, ["oversized"])])
def test_limits_follow_the_training_size(side: int, expected: list[str], tmp_path: Path) -> None:
    folder = clean_folder(tmp_path / "set")
    found = examined(folder, width=side, height=side, bucket_min=8, bucket_max=512)
    assert kinds(found) == expected


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((512, 512), []),
        ((384, 384), []),
        ((383, 383), ["small"]),
        ((256, 256), ["small"]),
        ((255, 255), ["tiny"]),
        ((2048, 1600), []),
        ((2049, 1600), ["oversized"]),
        ((800, 400), []),
        ((810, 400), ["aspect"]),
        ((1200, 400), ["aspect"]),
        ((1210, 400), ["extreme_aspect"]),
    ],
)
def test_at_512_the_limits_are_those_of_the_guides(size: tuple[int, int], expected: list[str], squares: Path) -> None:
    Image.new("RGB", size, "navy").save(squares / "0.png")
    config = config_of(squares, width=512, height=512, bucket_step=64, bucket_min=256, bucket_max=1024)
    assert kinds(examine(config)) == expected


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine pictures of 512 x 512, and captions for ten."""
    folder = draw_folder(tmp_path_factory.mktemp("squares"), [(8, 8)] * 10)
    for number in range(1, 10):
        noise(8, 8, number).resize((512, 512), Image.Resampling.NEAREST).save(folder / f"{number}.png")
    return folder


def test_a_loaded_dataset_is_judged_as_its_folder_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = clean_folder(tmp_path / "set")
    for fault in FAULTS.values():
        if fault.kind not in ("unreadable", "too_large", "encoding", "huge"):
            fault.make(folder)
    config, target = config_of(folder, filename_captions=True), Target("zz-mika", 4, "", words)
    dataset = load_dataset(config, "zz-mika")
    opened = Opened(monkeypatch)
    examination = examine_dataset(dataset, target)
    assert opened.take() == []
    assert examination.findings == examine(config, target).findings
    assert [LEVELS.index(finding.level) for finding in examination.findings] == sorted(
        LEVELS.index(finding.level) for finding in examination.findings
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"folder": ""}, "Dataset folder is not set"),
        ({"folder": "/nowhere/at/all"}, "does not exist"),
        ({"background": "whitish"}, "is not a colour"),
        ({"filename_regex": "("}, "is not a regular expression"),
        ({"bucket_step": 12}, "must be a multiple of 8"),
        ({"templates": ("x",)}, "has no [name]"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, Any], told: str, tmp_path: Path) -> None:
    config = dataclasses.replace(config_of(draw_folder(tmp_path, [(64, 64)])), **changes)
    with pytest.raises(UserError) as error:
        examine(config)
    assert told in str(error.value)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no pictures"):
        examined(tmp_path)


def test_the_kinds_of_a_picture_are_known(tmp_path: Path) -> None:
    folder = clean_folder(tmp_path / "set")
    picture(1).convert("CMYK").save(folder / "x.jpg", quality=95)
    (folder / "x.txt").write_text(f"{CAPTION}, {CAPTION}")
    found = examined(folder).kinds_by_picture()
    assert found == {folder / "x.jpg": ["cmyk", "repeated_tags"]}
