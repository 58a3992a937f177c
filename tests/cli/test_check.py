"""``train-gamma check`` on a folder: what it says, repairs and takes back."""

import json
from pathlib import Path

import pytest
from PIL import Image

from train_gamma.cli import main
from train_gamma.demo.samples import write_dataset

BUCKETS = {"width": 80, "height": 80, "bucket_step": 32, "bucket_min": 64, "bucket_max": 96}
SMALL = [f"--set=dataset.{key}={value}" for key, value in BUCKETS.items()]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A clean drawn dataset."""
    folder = tmp_path / "my [set]"
    write_dataset(5, folder, 12)
    return folder


def check(folder: Path, *more: str) -> int:
    return main(["check", str(folder), "--data", str(folder.parent / "data"), *SMALL, *more])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def break_two(folder: Path) -> None:
    """A truncated picture, and a caption that begins with a byte order mark."""
    (folder / "003.png").write_bytes((folder / "003.png").read_bytes()[:300])
    (folder / "004.txt").write_bytes(b"\xef\xbb\xbf" + (folder / "004.txt").read_bytes())


def test_a_clean_folder_has_exit_code_0(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(pictures)
    assert check(pictures) == 0
    assert capsys.readouterr().out == "Nothing is wrong with these 12 pictures.\n"
    assert contents(pictures) == before


def test_faults_are_said_with_their_repair(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    break_two(pictures)
    assert check(pictures) == 1
    error, note = capsys.readouterr().out.splitlines()
    assert error.startswith("error ")
    assert "003.png" in error
    assert error.endswith("[unreadable]")
    assert note.startswith("note ")
    assert note.endswith("[bom]")


def test_a_repair_is_made_and_taken_back(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clean = contents(pictures)
    break_two(pictures)
    broken = contents(pictures)
    assert check(pictures, "--fix", "bom", "--fix", "unreadable") == 1
    assert (pictures / "004.txt").read_bytes() == clean["004.txt"]
    rejected = pictures.with_name("my [set]_rejected")
    assert sorted(path.name for path in rejected.iterdir()) == ["003.png", "003.txt"]
    assert "--undo takes it back" in capsys.readouterr().out
    assert check(pictures) == 0
    assert check(pictures, "--undo") == 0
    assert check(pictures, "--undo") == 0
    assert contents(pictures) == broken
    assert check(pictures, "--undo") == 2
    assert "no fix to undo" in capsys.readouterr().err


def test_what_cannot_be_repaired_changes_nothing(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    break_two(pictures)
    before = contents(pictures)
    assert check(pictures, "--fix", "bom", "--fix", "no such fault") == 2
    assert "There are: unreadable, bom." in capsys.readouterr().err
    assert contents(pictures) == before


def test_json_and_a_report(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    break_two(pictures)
    assert check(pictures, "--json", "--report", str(tmp_path / "report")) == 1
    found = json.loads(capsys.readouterr().out)["findings"]
    assert [(one["kind"], one["level"], one["fixable"]) for one in found] == [
        ("unreadable", "error", True),
        ("bom", "note", True),
    ]
    assert "003.png" in (tmp_path / "report" / "report.html").read_text("utf-8")
    assert "003" in (tmp_path / "report" / "report.md").read_text("utf-8")


def test_limits_follow_the_training_size(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (40, 40), "red").save(pictures / "013.png")
    (pictures / "013.txt").write_text("1girl, red hair, night, sitting, smile")
    assert check(pictures) == 0
    assert "013.png" in capsys.readouterr().out
    assert main(["check", str(pictures), "--data", str(pictures.parent / "data")]) == 1
    assert "13 of 13 pictures" in capsys.readouterr().out


def test_options_of_a_folder_are_refused_for_a_configuration(
    configuration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(configuration), "--undo"]) == 2
    assert "--undo is for a folder of pictures" in capsys.readouterr().err
