"""``train-gamma crop`` as a user types it."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from tests.captions.sets import files
from tests.dataset.drawn import noise
from train_gamma.cli import main, make_parser
from train_gamma.cli.options import given
from train_gamma.dataset.prepare import plan, prepare
from train_gamma.dataset.prepare_config import PrepareConfig
from train_gamma.training.flat_reading import read_flat

SMALL = ["--width", "96", "--height", "96", "--bucket-step", "16", "--bucket-min", "64", "--bucket-max", "128"]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "[set] x.png"
    folder.mkdir()
    for number, size in enumerate(((300, 100), (100, 140), (96, 96))):
        noise(*size, number).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_bytes(b"tag\r\n")
    return folder


def test_copies_are_those_of_the_page(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(pictures)
    arguments = ["--flipped", "--boxes", "1.png = 0, 0, 90, 90", "--format", "jpeg", "--quality", "80"]
    assert main(["crop", str(pictures), "--into", str(tmp_path / "new"), *SMALL, *arguments]) == 0
    assert f"3 pictures prepared. 12 files written to '{tmp_path / 'new'}'." in capsys.readouterr().out
    config = PrepareConfig(
        folder=str(pictures),
        into=str(tmp_path / "other"),
        width=96,
        height=96,
        bucket_step=16,
        bucket_min=64,
        bucket_max=128,
        flipped=True,
        boxes=("1.png = 0, 0, 90, 90",),
        format="jpeg",
        quality=80,
    )
    prepare(config)
    made = {name: data for name, (data, _) in files(tmp_path / "new").items()}
    assert made == {name: data for name, (data, _) in files(tmp_path / "other").items()}
    assert len(made) == 12
    assert files(pictures) == before


def test_a_plan_is_a_table_and_writes_nothing(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pictures / "bad.png").write_bytes(b"no picture")
    before = files(tmp_path)
    assert main(["crop", str(pictures), "--plan", *SMALL, "--split"]) == 1
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert lines[0].startswith("Picture")
    assert "300 x 100" in lines[1]
    assert sum("in pieces" in line for line in lines) == 4  # 1 + ceil(200 / 80) squares of 100 with a fifth shared
    assert lines[5].startswith("1.png")
    assert "80 x 112" in lines[5]
    assert "bad.png" in told.err
    assert files(tmp_path) == before


def test_json_is_one_object_and_nothing_else(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["crop", str(pictures), "--plan", "--json", *SMALL]) == 0
    told = capsys.readouterr()
    shown = json.loads(told.out)
    assert told.err == ""
    config = read_flat(given(make_parser().parse_args(["crop", str(pictures), *SMALL]), PrepareConfig), PrepareConfig())
    for one, planned in zip(shown["pictures"], plan(config), strict=True):
        box = planned.cuts[0].box
        assert one["cuts"][0]["box"] == [box.x, box.y, box.width, box.height]
        assert (one["name"], one["lost"]) == (planned.name, planned.lost)
    assert main(["crop", str(pictures), "--into", str(tmp_path / "new"), "--json", *SMALL]) == 0
    told = capsys.readouterr()
    assert len(json.loads(told.out)["written"]) == 6
    assert told.err == ""


def test_a_bad_picture_has_exit_code_1_and_the_others_are_written(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pictures / "1.png").write_bytes(b"no picture")
    assert main(["crop", str(pictures), "--into", str(tmp_path / "new"), *SMALL]) == 1
    told = capsys.readouterr()
    assert "1.png" in told.err
    assert "2 pictures prepared; 1 could not be prepared. 4 files written" in told.out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "New folder is not set"),
        (["--into", "{set}/new"], "inside the pictures' folder"),
        (["--into", "{set}"], "stays as it is"),
        (["--into", "new", "--brightness", "9"], "Brightness must be at most"),
        (["--into", "new", "--boxes", "9.png = 0, 0, 1, 1"], "not in the folder"),
    ],
)
def test_mistakes_have_exit_code_2(
    pictures: Path, arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(pictures)
    assert main(["crop", str(pictures), *(part.format(set=pictures) for part in arguments)]) == 2
    assert text in capsys.readouterr().err
    assert files(pictures) == before


def typed(value: Any) -> list[str]:
    return list(value) if isinstance(value, tuple) else [str(value)]


def test_every_setting_is_an_option() -> None:
    changed = {
        "recursive": True, "into": "new", "caption_extensions": (".a", ".b"), "crop": "none", "focus": "middle",
        "boxes": ("a.png = 1, 2, 3, 4",), "split": True, "split_above": 3.5, "overlap": 0.5, "size": "longest",
        "longest_side": 99, "upscale": True, "width": 256, "height": 128, "bucket_step": 32, "bucket_min": 96,
        "bucket_max": 640, "flipped": True, "brightness": 1.5, "contrast": 0.5, "saturation": 2.0,
        "transparency": "keep", "background": "red", "format": "webp", "quality": 7,
    }  # fmt: skip
    assert {"folder", *changed} == {f.name for f in dataclasses.fields(PrepareConfig)}
    arguments = ["crop", "set"]
    for name, value in changed.items():
        arguments += [f"--{name.replace('_', '-')}", *([] if value is True else typed(value))]
    parsed = make_parser().parse_args(arguments)
    assert read_flat(given(parsed, PrepareConfig), PrepareConfig()) == PrepareConfig(folder="set", **changed)
