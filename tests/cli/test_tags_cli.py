"""``train-gamma tags`` as a user types it: on files, byte for byte, and back."""

import json
import random
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.captions.sets import files, write_set
from train_gamma.captions.backups import RETENTION
from train_gamma.captions.files import list_backups, write_captions
from train_gamma.captions.replacing import Rule
from train_gamma.captions.rules import RuleSet, RuleSets
from train_gamma.cli import main
from train_gamma.demo.samples import balanced_scenes
from train_gamma.demo.world import IDENTITY, random_character
from train_gamma.demo.world import tags as world_tags

CAPTIONS: dict[str, str | bytes | None] = {
    "1": "1girl, red hair, night\n",
    "2": b"\xef\xbb\xbf1girl,red_hair ,  smile,(hat:1.1)\r\n",
    "3": "A girl stands on a hill. It is night.",
    "4": "solo, miku \\(cosplay\\), >:(, ^_^",
    "5": b"",
    "6": None,
    "7": b"\xff\xfe1\x00g\x00,\x00 \x00h\x00a\x00t\x00",
    "8": b"caf\xe9, red hair",
}


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return write_set(tmp_path / "[set] x.png", CAPTIONS)


def tags(tmp_path: Path, command: str, folder: Path, *arguments: str) -> int:
    data = [] if command in ("list", "export") else ["--data", str(tmp_path / "data")]
    return main(["tags", command, str(folder), *data, *arguments])


def told(capsys: pytest.CaptureFixture[str]) -> Any:
    shown = capsys.readouterr()
    assert shown.err == ""
    return json.loads(shown.out)


def contents(folder: Path) -> dict[str, bytes]:
    return {name: data for name, (data, _) in files(folder).items() if name.endswith(".txt")}


def changed(before: dict[str, tuple[bytes, int]], folder: Path) -> dict[str, bytes]:
    """Captions that are not what they were, and only those; of all others not even the time may differ."""
    after = files(folder)
    return {name: data for name, (data, when) in after.items() if before.get(name) != (data, when)}


@pytest.mark.parametrize(
    ("command", "arguments", "expected"),
    [
        ("remove", ["Red_Hair"], {"1": "1girl, night\n", "2": "1girl, smile, (hat:1.1)\r\n"}),
        ("remove", ["1girl, night"], {"1": "red hair\n", "2": "red_hair, smile, (hat:1.1)\r\n"}),
        ("remove", ["nothing"], {}),
        ("remove", ["miku (cosplay)", ">:("], {"4": "solo, ^_^"}),
        ("add", ["a (b)", "--with", "solo"], {"4": "solo, miku \\(cosplay\\), >:(, ^_^, a \\(b\\)"}),
        ("add", ["a (b)", "--with", "solo", "--no-escape"], {"4": "solo, miku \\(cosplay\\), >:(, ^_^, a (b)"}),
        ("add", ["x, y", "--position", "1", "--with", "night"], {"1": "1girl, x, y, red hair, night\n"}),
        ("add", ["x", "--before", "night", "--with", "night"], {"1": "1girl, red hair, x, night\n"}),
        ("add", ["x", "--after", "red hair", "--with", "night"], {"1": "1girl, red hair, x, night\n"}),
        ("add", ["x", "--untagged"], {"5": "x", "6": "x"}),
        ("replace", ["night, smile -> dark"],
         {"1": "1girl, red hair, dark\n", "2": "1girl, red_hair, dark, (hat:1.1)\r\n"}),
        ("replace", ["night -> dark", "smile ->"],
         {"1": "1girl, red hair, dark\n", "2": "1girl, red_hair, (hat:1.1)\r\n"}),
        ("replace", ["^red (.*) -> blue \\1", "--kind", "regex", "--with", "night"],
         {"1": "1girl, blue hair, night\n"}),
        ("replace", [", night ->", "--kind", "substring", "--whole-caption"], {"1": "1girl, red hair\n"}),
        ("replace", ["hill -> hat", "--kind", "substring", "--whole-caption", "--sentences"],
         {"3": "A girl stands on a hat. It is night."}),
        ("replace", ["night -> night"], {}),
        ("rename", ["1girl", "woman", "--without", "smile", "--with", "night"], {"1": "woman, red hair, night\n"}),
        ("front", ["smile", "hat"], {"2": "smile, (hat:1.1), 1girl, red_hair\r\n", "7": "hat, 1g"}),
        ("sort", ["--keep-first", "1", "--backwards", "--with-any", "night"], {}),
        ("sort", ["--by", "reverse", "--with-any", "night", "--with-any", "nope"], {"1": "night, red hair, 1girl\n"}),
        ("truncate", ["--tags", "2"],
         {"1": "1girl, red hair\n", "2": "1girl, red_hair\r\n", "4": "solo, miku \\(cosplay\\)"}),
        ("clean", ["weights", "underscores"], {"2": "1girl, red hair, smile, hat\r\n"}),
        ("unique", [], {}),
    ],
)  # fmt: skip
def test_edits_change_these_files_to_these_bytes_and_no_others(
    pictures: Path, tmp_path: Path, command: str, arguments: list[str], expected: dict[str, str]
) -> None:
    before = files(pictures)
    assert tags(tmp_path, command, pictures, *arguments, "--dry-run") == 0
    assert files(pictures) == before
    assert not (tmp_path / "data" / "kept" / "captions").exists()
    assert tags(tmp_path, command, pictures, *arguments) == 0
    assert changed(before, pictures) == {f"{name}.txt": text.encode() for name, text in expected.items()}
    if expected:
        assert tags(tmp_path, "undo", pictures) == 0
        assert contents(pictures) == {name: data for name, (data, _) in before.items() if name.endswith(".txt")}


def test_how_many_files_change_is_said_first(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tags(tmp_path, "remove", pictures, "red hair", "--dry-run")
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["2 files would change.", "  - red hair (2)"]
    assert lines[2:5] == [str(pictures / "1.txt"), "    - 1girl, red hair, night", "    + 1girl, night"]
    tags(tmp_path, "remove", pictures, "red hair")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2 files will change."
    assert lines[1].startswith("2 captions written.")
    tags(tmp_path, "sort", pictures, "--dry-run")
    assert "2 are no lists of tags and are left alone" in capsys.readouterr().out


def test_json_says_the_same(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tags(tmp_path, "remove", pictures, "red hair", "--json", "--dry-run")
    shown = told(capsys)
    assert (shown["files"], shown["dry_run"], shown["written"], shown["backup"]) == (2, True, [], None)
    assert shown["removed"] == [["red hair", 2]]
    assert shown["examples"][0] == {
        "file": str(pictures / "1.txt"), "old": "1girl, red hair, night\n", "new": "1girl, night\n",
    }  # fmt: skip
    tags(tmp_path, "remove", pictures, "red hair", "--json")
    shown = told(capsys)
    assert shown["written"] == [str(pictures / "1.txt"), str(pictures / "2.txt")]
    assert Path(shown["backup"]).is_file()
    tags(tmp_path, "undo", pictures, "--json")
    assert told(capsys)["put_back"] == shown["written"]


def test_undo_and_redo_go_through_all_saves(pictures: Path, tmp_path: Path) -> None:
    states = [contents(pictures)]
    edits = (["remove", "1girl"], ["add", "x"], ["add", "y", "--position", "front"], ["sort"], ["add", "z"])
    for command, *arguments in edits:
        assert tags(tmp_path, command, pictures, *arguments) == 0
        states.append(contents(pictures))
    for state in reversed(states[:-1]):
        assert tags(tmp_path, "undo", pictures) == 0
        assert contents(pictures) == state
    assert tags(tmp_path, "undo", pictures) == 2
    for state in states[1:]:
        assert tags(tmp_path, "redo", pictures) == 0
        assert contents(pictures) == state
    assert tags(tmp_path, "redo", pictures) == 2
    assert tags(tmp_path, "undo", pictures) == 0
    assert tags(tmp_path, "undo", pictures) == 0
    assert contents(pictures) == states[3]
    tags(tmp_path, "remove", pictures, "smile")  # what was undone cannot be done again now
    assert tags(tmp_path, "redo", pictures) == 2
    assert tags(tmp_path, "undo", pictures) == 0
    assert contents(pictures) == states[3]
    assert tags(tmp_path, "undo", pictures) == 0
    assert contents(pictures) == states[2]


def test_a_save_of_another_program_part_can_be_undone_too(pictures: Path, tmp_path: Path) -> None:
    """The page and the tagger keep their zips at the same place."""
    original = contents(pictures)
    tags(tmp_path, "add", pictures, "x")
    tags(tmp_path, "undo", pictures)
    write_captions({pictures / "1.txt": "of the page"}, tmp_path / "data" / "kept" / "captions", pictures)
    assert tags(tmp_path, "redo", pictures) == 2
    assert tags(tmp_path, "undo", pictures) == 0
    assert contents(pictures) == original
    assert tags(tmp_path, "redo", pictures) == 0
    assert (pictures / "1.txt").read_text() == "of the page"


def test_undo_does_not_jump_over_zips_that_are_gone(pictures: Path, tmp_path: Path) -> None:
    """Only the first and the newest are kept for ever; the first is no step any more when others between are gone."""
    for number in range(RETENTION + 5):
        write_captions({pictures / "1.txt": str(number)}, tmp_path / "data" / "kept" / "captions", pictures)
    undone = 0
    while tags(tmp_path, "undo", pictures) == 0:
        undone += 1
        assert (pictures / "1.txt").read_text() == str(RETENTION + 4 - undone)
        assert undone < RETENTION
    assert undone >= RETENTION // 2


def test_backups_are_listed_and_restored(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    original = contents(pictures)
    tags(tmp_path, "add", pictures, "x", "--untagged")
    tags(tmp_path, "remove", pictures, "1girl")
    capsys.readouterr()
    tags(tmp_path, "backups", pictures, "--json")
    found = told(capsys)["backups"]
    assert [(one["changed"], one["created"]) for one in found] == [(2, 0), (1, 1)]
    kept = list_backups(tmp_path / "data" / "kept" / "captions", pictures)
    assert [one["name"] for one in found] == [backup.path.name for backup in kept]
    tags(tmp_path, "backups", pictures)
    assert "1 changed, 1 new" in capsys.readouterr().out
    for one in found:
        assert tags(tmp_path, "restore", pictures, one["name"]) == 0
    assert contents(pictures) == original
    assert tags(tmp_path, "restore", pictures, "other.zip") == 2
    assert "no backup 'other.zip'" in capsys.readouterr().err
    assert tags(tmp_path, "undo", pictures) == 0


def test_the_difference_to_a_backup(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tags(tmp_path, "diff", pictures) == 2
    tags(tmp_path, "replace", pictures, "night -> dark")
    (pictures / "1.txt").write_bytes(b"by hand")
    capsys.readouterr()
    assert tags(tmp_path, "diff", pictures) == 0
    assert capsys.readouterr().out.splitlines() == [
        "1 file changed since then.", "  - 1girl (1)", "  - night (1)", "  - red hair (1)", "  + by hand (1)",
        str(pictures / "1.txt"), "    - 1girl, red hair, night", "    + by hand",
    ]  # fmt: skip
    tags(tmp_path, "undo", pictures)
    capsys.readouterr()
    oldest = list_backups(tmp_path / "data" / "kept" / "captions", pictures)[-1].path.name
    assert tags(tmp_path, "diff", pictures, "--since", oldest, "--json") == 0
    assert told(capsys)["files"] == 0


def test_tags_are_listed(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tags(tmp_path, "list", pictures, "--json") == 0
    shown = told(capsys)
    assert shown["pictures"] == 8
    assert [(row["tag"], row["count"]) for row in shown["tags"][:3]] == [("1girl", 2), ("hat", 2), ("red hair", 2)]
    assert (shown["tags"][0]["share"], shown["tags"][0]["tokens"]) == (0.25, None)
    tags(tmp_path, "list", pictures, "--json", "--search", "^h", "--how", "regex", "--with", "smile")
    shown = told(capsys)
    assert (shown["pictures"], [row["tag"] for row in shown["tags"]]) == (1, ["hat"])
    tags(tmp_path, "list", pictures, "--sort", "length", "--limit", "2", "--json")
    assert [row["tag"] for row in told(capsys)["tags"]] == ["1g", ">:("]
    tags(tmp_path, "list", pictures)
    assert "8 pictures" in capsys.readouterr().out
    tags(tmp_path, "list", pictures, "--pictures", "--fewer-tags", "3", "--json")
    assert [Path(one["picture"]).stem for one in told(capsys)["captions"]] == ["5", "6", "7"]


def test_tokens_are_clips(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By CLIP's vocabulary, "red hair" and "night" are a token a word, and so is a comma."""
    tags(tmp_path, "list", pictures, "--tokens", "--with", "night", "--json")
    counted = {row["tag"]: row["tokens"] for row in told(capsys)["tags"]}
    assert (counted["red hair"], counted["night"]) == (2, 1)
    room = counted["1girl"] + 1 + 2  # "1girl, red hair"
    assert tags(tmp_path, "truncate", pictures, "--tokens", str(room), "--with", "night") == 0
    assert (pictures / "1.txt").read_text() == "1girl, red hair\n"
    capsys.readouterr()
    tags(tmp_path, "list", pictures, "--pictures", "--more-tokens", str(room), "--json")
    assert "1.png" not in [Path(one["picture"]).name for one in told(capsys)["captions"]]


def test_tokens_can_be_those_of_a_checkpoint(
    pictures: Path, tmp_path: Path, model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from train_gamma.hosts.load_checkpoint import load_backbone
    from train_gamma.training.config import ModelConfig

    backbone = load_backbone(ModelConfig(path=str(model_folder)))
    assert tags(tmp_path, "list", pictures, "--tokens", "--json", "--model", str(model_folder)) == 0
    for row in told(capsys)["tags"]:
        assert row["tokens"] == len(backbone.tokenize(row["tag"]))
    assert tags(tmp_path, "list", pictures, "--tokens", "--model", str(tmp_path / "gone.safetensors")) == 2


def test_subfolders_and_other_endings(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", {"1": "a", "2": None})
    write_set(folder / "in", {"3": "a"})
    (folder / "2.caption").write_text("a")
    assert tags(tmp_path, "add", folder, "x") == 0
    assert (folder / "2.caption").read_text() == "a, x"
    assert (folder / "in" / "3.txt").read_text() == "a"
    assert tags(tmp_path, "add", folder, "y", "--recursive", "--extension", "caption") == 0
    assert {name: text for name, text in files(folder).items() if name.endswith("caption")}.keys() == {
        "1.caption", "2.caption", "in/3.caption",
    }  # fmt: skip
    assert (folder / "1.txt").read_text() == "a, x"


def test_suggestions_are_a_characters_traits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a drawn character, whose captions are known to be right; one picture lacks a trait."""
    character = random_character(3)
    captions = [", ".join(world_tags(character, scene)) for scene in balanced_scenes(10, random.Random(3))]
    traits = world_tags(character, {}, IDENTITY)
    captions[4] = captions[4].replace(f"{traits[0]}, ", "")
    folder = write_set(tmp_path / "set", {str(number): text for number, text in enumerate(captions)})
    before = files(folder)
    assert tags(tmp_path, "suggest", folder, "--json", "--vectors", "3") == 0
    shown = told(capsys)
    assert sorted(shown["ticked"]) == sorted(traits)
    (missed,) = [one for one in shown["suggestions"] if one["tag"] == traits[0]]
    assert [Path(path).name for path in missed["without"]] == ["4.png"]
    assert shown["init_text"]["tokens"] <= 3
    assert tags(tmp_path, "suggest", folder) == 0
    out = capsys.readouterr().out
    assert "not in 4.png" in out
    (line,) = [line for line in out.splitlines() if line.startswith("train-gamma tags remove")]
    assert main([*shlex.split(line)[1:], "--data", str(tmp_path / "data"), "--dry-run"]) == 0
    assert "10 files would change" in capsys.readouterr().out
    assert files(folder) == before


def test_kohya_files_go_out_and_come_in(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "meta.json"
    assert tags(tmp_path, "export", pictures, str(target)) == 0
    metadata = json.loads(target.read_text())
    assert metadata["1"] == {"tags": "1girl, red hair, night"}
    assert metadata["3"] == {"caption": "A girl stands on a hill. It is night."}
    assert tags(tmp_path, "export", pictures, str(target)) == 2
    metadata = {"1": {"tags": "new, tags", "caption": "a girl"}, "5": {"tags": "filled"}, "stranger": {"tags": "x"}}
    target.write_text(json.dumps(metadata))
    before = files(pictures)
    capsys.readouterr()
    assert tags(tmp_path, "import", pictures, str(target), "--part", "tags", "--mode", "fill empty") == 0
    assert "1 names in" in capsys.readouterr().err
    assert changed(before, pictures) == {"5.txt": b"filled"}
    assert tags(tmp_path, "import", pictures, str(target), "--without", "filled") == 0
    assert (pictures / "1.txt").read_text() == "a girl, new, tags"
    assert tags(tmp_path, "export", pictures, str(target), "--merge", "--json") == 0
    assert json.loads(target.read_text())["stranger"] == {"tags": "x"}


def test_saved_rules_are_used(pictures: Path, tmp_path: Path) -> None:
    (pictures / "1.txt").write_text("1girl, nude, nipples, topless")
    RuleSets(lambda: tmp_path / "data" / "kept" / "rules").save(RuleSet("mine", (Rule("topless", "bare"),)))
    assert tags(tmp_path, "apply", pictures, "NSFW") == 0
    assert (pictures / "1.txt").read_text() == "1girl, nsfw, topless"
    assert tags(tmp_path, "apply", pictures, "mine") == 0
    assert (pictures / "1.txt").read_text() == "1girl, nsfw, bare"


@pytest.mark.parametrize(
    ("command", "arguments", "text"),
    [
        ("add", [" , "], "There is no tag to add"),
        ("add", ["x", "--position", "middle"], "--position must be"),
        ("replace", [" -> x"], "nothing to search for"),
        ("replace", ["a b"], "has no arrow"),
        ("replace", ["( -> x", "--kind", "regex"], "not a regular expression"),
        ("replace", ["a -> b", "c -> d", "--whole-caption"], "one rule at a time"),
        ("apply", ["gone"], "no rule set 'gone'"),
        ("rename", ["a", "b, c"], "one new name"),
        ("sort", ["--keep-first", "-1"], "Keep first must be 0 or more"),
        ("import", ["gone.json"], "cannot be read"),
        ("list", ["--search", "(", "--how", "regex"], "not a regular expression"),
        ("undo", [], "nothing to undo"),
        ("redo", [], "do again"),
    ],
)
def test_mistakes_have_exit_code_2_and_change_nothing(
    pictures: Path, tmp_path: Path, command: str, arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(pictures)
    assert tags(tmp_path, command, pictures, *arguments) == 2
    shown = capsys.readouterr().err
    assert text in shown
    assert shown.startswith("train-gamma tags: ")
    assert files(pictures) == before


def test_nothing_is_kept_among_the_pictures(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(pictures)
    assert main(["tags", "add", str(pictures), "x", "--data", str(pictures / "data")]) == 2
    assert "kept among the pictures" in capsys.readouterr().err
    assert files(pictures) == before


def test_the_folder_of_now_is_the_same_dataset(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path and an absolute one have the same backups."""
    original = contents(pictures)
    monkeypatch.chdir(pictures.parent)
    assert main(["tags", "add", f"./{pictures.name}/", "x", "--data", str(tmp_path / "data")]) == 0
    assert tags(tmp_path, "undo", pictures) == 0
    assert contents(pictures) == original
