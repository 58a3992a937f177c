"""``train-gamma tag`` as a user types it, with the shipped tagger on drawn pictures."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.service.small_host import SmallHost, done
from train_gamma.cli import main, make_parser
from train_gamma.cli.tagging import read_arguments
from train_gamma.demo.samples import SAMPLE_CHARACTER, write_dataset
from train_gamma.errors import UserError
from train_gamma.service import Service
from train_gamma.tagging.config import TagConfig

MODULES = Path(__file__).parents[2] / "modules"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "[drawn] x.png"
    for path in write_dataset(SAMPLE_CHARACTER, folder, captions="none")[6:]:
        path.unlink()
    return folder


def tag(tmp_path: Path, *arguments: str) -> int:
    return main(["tag", *arguments, "--data", str(tmp_path / "data")])


def captions(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.txt"))}


def test_captions_are_byte_for_byte_those_of_the_page(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--general-threshold", "0.3", "--sort", "frequency", "--replace-tags", "1girl -> a girl, solo"]
    assert tag(tmp_path, f"'{pictures}/'", "--model", "miniature", *arguments, "--exclude-tags", "Blue Skin") == 0
    told = capsys.readouterr()
    assert "6 captions written" in told.out
    assert "6 pictures, captions: 6 new." in told.err
    typed = captions(pictures)
    assert len(typed) == 6
    assert all(b"a girl, solo" in text for text in typed.values())
    service = Service(SmallHost(tmp_path / "page"))
    config = TagConfig(
        folder=str(pictures),
        model="miniature",
        general_threshold=0.3,
        sort="frequency",
        replace_tags=("1girl -> a girl, solo",),
        exclude_tags="Blue Skin",
        existing="overwrite",
    )
    for path in pictures.glob("*.txt"):
        path.write_text("something else")
    done(service.tagging.tag(config))
    assert captions(pictures) == typed


def test_a_dry_run_shows_the_captions_and_writes_nothing(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tag(tmp_path, str(pictures), "--model", "miniature", "--dry-run") == 0
    shown = capsys.readouterr().out
    assert captions(pictures) == {}
    assert tag(tmp_path, str(pictures), "--model", "miniature") == 0
    for name, text in captions(pictures).items():
        assert f"{pictures / Path(name).with_suffix('.png')}\n    {text.decode()}\n" in shown


def test_json_is_one_object_and_nothing_else(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pictures / "bad.png").write_bytes(b"no picture")
    assert tag(tmp_path, str(pictures), "--model", "miniature", "--json", "--dry-run") == 0
    told = capsys.readouterr()
    shown = json.loads(told.out)
    assert (shown["state"], shown["result"]["written"], len(shown["proposals"])) == ("finished", 0, 6)
    assert shown["result"]["failed"][0]["path"] == str(pictures / "bad.png")
    assert shown["proposals"][0]["caption_path"] == str(pictures / "001.txt")
    assert told.err == ""


def test_models_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tag(tmp_path, "--list-models") == 0
    assert "miniature" in capsys.readouterr().out
    assert tag(tmp_path, "--list-models", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert {"wd-vit-tagger-v3", "miniature"} <= {entry["name"] for entry in listed}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "Pictures is not set"),
        (["/nowhere/at/all"], "does not exist"),
        ([".", "--general-threshold", "2"], "General threshold must be at most 1.0"),
        ([".", "--max-tags", "x"], "Maximum tags (max_tags) must be a whole number"),
        ([".", "--model", "minature"], "Choose one of these: miniature"),
        ([".", "--dry-run", "--existing", "overwrite"], "--dry-run writes nothing"),
    ],
)
def test_mistakes_have_exit_code_2(
    arguments: list[str], text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tag(tmp_path, *arguments) == 2
    assert text in capsys.readouterr().err


def typed(value: Any) -> list[str]:
    return list(value) if isinstance(value, tuple) else [str(value)]


CHANGED: dict[str, Any] = {
    "recursive": True,
    "spaces": False,
    "escape": False,
    "weights": True,
    "make_room": True,
    "unload": True,
    "model": "m",
    "captioner": "c",
    "threshold_method": "mcut",
    "general_threshold": 0.1,
    "other_threshold": 0.3,
    "character_threshold": 0.2,
    "categories": ("general", "rating"),
    "sort": "alphabetical",
    "add_tags": "a, b",
    "add_position": "back",
    "keep_tags": "k",
    "exclude_tags": "e",
    "replace_tags": ("a -> b", "c, d -> e"),
    "max_tags": 5,
    "existing": "merge old first",
    "extension": ".caption",
    "background": "red",
    "batch_size": 2,
    "device": "cpu",
}


def test_every_setting_is_an_option() -> None:
    arguments = ["tag", "folder"]
    for name, value in CHANGED.items():
        option = name.replace("_", "-")
        arguments += [f"--{option}" if value else f"--no-{option}"] if isinstance(value, bool) else [f"--{option}"]
        arguments += [] if isinstance(value, bool) else typed(value)
    assert {"folder", *CHANGED} == {f.name for f in dataclasses.fields(TagConfig)}
    parse = make_parser().parse_args
    assert read_arguments(parse(arguments)) == TagConfig(folder="folder", **CHANGED)
    assert read_arguments(parse(["tag", "folder"])) == TagConfig(folder="folder")
    with pytest.raises(UserError):
        read_arguments(parse(["tag", "folder", "--batch-size", "0"]))


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows delivers Ctrl-C to the whole console")
def test_ctrl_c_keeps_what_is_done(pictures: Path, tmp_path: Path) -> None:
    originals = sorted(pictures.glob("*.png"))
    for k in range(3000):
        copy = pictures / f"copy-{k}.png"
        copy.write_bytes(originals[k % 6].read_bytes() + k.to_bytes(4, "big"))  # another file, the same picture
    command = [sys.executable, "-m", "train_gamma.cli", "tag", str(pictures), "--model", "miniature"]
    environment = {**os.environ, "PYTHONPATH": str(MODULES), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [*command, "--data", str(tmp_path / "data"), "--batch-size", "1"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + 120
        cache = tmp_path / "data" / "kept" / "tags.sqlite-wal"
        while not (cache.exists() and cache.stat().st_size > 200_000) and time.monotonic() < deadline:
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert out.startswith("Stopped after ")
    written = len(captions(pictures))
    assert 0 < written < 3006
    assert f"{written} captions written" in out
