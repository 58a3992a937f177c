"""Metadata files of kohya's scripts: read, written, and joined with captions."""

import json
from pathlib import Path

import pytest

from train_gamma.captions import kohya
from train_gamma.captions.snapshot import snapshot_of_texts
from train_gamma.errors import UserError

PICTURES = [Path("/set/a.png"), Path("/set/sub/b.v1.png"), Path("/set/c.png")]
TEXTS = ["1girl, smile", r"hat, miku \(x\)", "A girl sits on a bench."]


@pytest.fixture
def captions():
    return snapshot_of_texts(TEXTS)


def taken(captions, metadata, **options):
    found = kohya.import_metadata(captions, PICTURES, metadata, **options)
    return [found.change.new.get(i, words).text for i, words in enumerate(captions.words)], found


def as_kohyas_scripts_write(folder, full_path):
    """What merge_captions_to_metadata.py and merge_dd_tags_to_metadata.py (9d67f9d0) make of a folder, retold."""
    metadata = {}
    for ending, part in ((".caption", "caption"), (".txt", "tags")):
        for picture in sorted(folder.glob("*.png")):
            text = picture.with_suffix(ending).read_text(encoding="utf-8").strip()
            metadata.setdefault(str(picture) if full_path else picture.stem, {})[part] = text
    return metadata


@pytest.mark.parametrize("full_path", [True, False])
def test_exports_are_those_of_kohyas_scripts(tmp_path, full_path):
    for name, tags, sentence in (("a", "1girl, hat\n", "A girl."), ("b", r"x \(y\)", "A boy is on a horse.\n")):
        (tmp_path / f"{name}.png").write_bytes(b"")
        (tmp_path / f"{name}.txt").write_text(tags)
        (tmp_path / f"{name}.caption").write_text(sentence)
    pictures = sorted(tmp_path.glob("*.png"))
    metadata = {}
    for ending, part in ((".caption", "caption"), (".txt", "tags")):
        texts = [picture.with_suffix(ending).read_text() for picture in pictures]
        metadata = kohya.export_metadata(snapshot_of_texts(texts), pictures, metadata, full_path, part)
    assert metadata == as_kohyas_scripts_write(tmp_path, full_path)
    kohya.write_metadata(tmp_path / "meta.json", metadata)
    assert json.loads((tmp_path / "meta.json").read_text(encoding="utf-8")) == metadata
    assert kohya.read_metadata(tmp_path / "meta.json") == metadata


def test_tags_and_sentences_are_told_apart(captions):
    assert kohya.export_metadata(captions, PICTURES) == {
        "a": {"tags": "1girl, smile"},
        "b.v1": {"tags": r"hat, miku \(x\)"},
        "c": {"caption": "A girl sits on a bench."},
    }


def test_an_export_into_a_file_keeps_what_else_is_in_it(captions):
    before = {"a": {"train_resolution": [512, 640], "tags": "old", "caption": "kept"}, "z": {"tags": "other"}}
    merged = kohya.export_metadata(captions, PICTURES, before)
    assert merged["a"] == {"train_resolution": [512, 640], "tags": "1girl, smile", "caption": "kept"}
    assert merged["z"] == {"tags": "other"}
    assert before["a"]["tags"] == "old"


def test_an_export_finds_pictures_under_the_names_that_they_have_there(captions):
    merged = kohya.export_metadata(captions, PICTURES, {"D:\\elsewhere\\a.png": {"tags": "old"}})
    assert merged["D:\\elsewhere\\a.png"] == {"tags": "1girl, smile"}
    assert "a" not in merged


def test_pictures_without_a_caption_are_not_named():
    assert kohya.export_metadata(snapshot_of_texts(["", "a", " "]), PICTURES) == {"b.v1": {"tags": "a"}}


def test_two_pictures_of_one_name_need_whole_paths():
    pictures = [Path("/set/a.png"), Path("/set/sub/a.png")]
    with pytest.raises(UserError, match="whole path"):
        kohya.export_metadata(snapshot_of_texts(["x", "y"]), pictures)
    assert kohya.export_metadata(snapshot_of_texts(["x", "y"]), pictures, full_path=True) == {
        "/set/a.png": {"tags": "x"},
        "/set/sub/a.png": {"tags": "y"},
    }
    shared = [Path("/set/a.jpg"), Path("/set/a.png")]
    assert kohya.export_metadata(snapshot_of_texts(["x", "x"]), shared) == {"a": {"tags": "x"}}


@pytest.mark.parametrize(
    "name", ["a", "a.png", "/set/a.png", "/set/a", "set/a.png", "D:\\somewhere\\set\\a.png", "/old/place/a"]
)
def test_names_of_pictures(captions, name):
    texts, found = taken(captions, {name: {"tags": "new"}})
    assert texts == ["new", *TEXTS[1:]]
    assert (found.matched, found.unmatched) == (1, ())


def test_names_that_are_no_picture_or_several_are_told():
    pictures = [Path("/set/a.png"), Path("/set/sub/a.png"), Path("/set/sub/b.png")]
    metadata = {"a": {"tags": "new"}, "sub/a": {"tags": "yes"}, "gone": {"tags": "new"}}
    found = kohya.import_metadata(snapshot_of_texts(["", "", ""]), pictures, metadata)
    assert (found.matched, found.unmatched) == (1, ("a", "gone"))
    assert {picture: words.text for picture, words in found.change.new.items()} == {1: "yes"}


def test_parts_and_modes(captions):
    metadata = {"a": {"caption": "a girl", "tags": "smile, 1girl, new"}, "b.v1": {"tags": ""}}
    assert taken(captions, metadata)[0] == ["a girl, smile, 1girl, new", "", TEXTS[2]]
    assert taken(captions, metadata, part="tags")[0] == ["smile, 1girl, new", "", TEXTS[2]]
    assert taken(captions, metadata, part="caption")[0] == ["a girl", *TEXTS[1:]]
    assert taken(captions, metadata, part="tags", mode="append")[0] == ["1girl, smile, new", *TEXTS[1:]]
    assert taken(captions, metadata, mode="fill empty")[0] == TEXTS
    empty = snapshot_of_texts(["", " ", "x"])
    assert taken(empty, {"a": {"tags": "n"}, "c": {"tags": "n"}}, mode="fill empty")[0] == ["n", " ", "x"]
    with pytest.raises(UserError, match="Part is one of"):
        taken(captions, metadata, part="both")


def test_nothing_is_put_behind_a_sentence(captions):
    texts, found = taken(captions, {"c": {"tags": "new"}}, mode="append")
    assert texts == TEXTS
    assert found.change.left_alone == 1


def test_an_export_and_import_change_nothing(captions):
    assert len(kohya.import_metadata(captions, PICTURES, kohya.export_metadata(captions, PICTURES)).change) == 0


def test_an_import_into_a_selection(captions):
    metadata = {"a": {"tags": "new"}, "b.v1": {"tags": "new"}}
    assert taken(captions, metadata, selection=[1])[0] == [TEXTS[0], "new", TEXTS[2]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "no JSON file"),
        ("[]", "holds a list"),
        ('{"a": "tags"}', "it is a text"),
        ('{"a": null}', "it is nothing"),
        ('{"a": {"tags": ["x"]}}', "its tags are no text"),
        ('{"a": {"caption": 3}}', "its caption"),
    ],
)
def test_files_that_are_no_metadata(tmp_path, content, message):
    path = tmp_path / "meta.json"
    path.write_text(content)
    with pytest.raises(UserError, match=message):
        kohya.read_metadata(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        kohya.read_metadata(tmp_path / "gone.json")
