"""Captions that are missing, say nothing or are badly written; and what taggers leave in them."""

from pathlib import Path
from typing import Any

import pytest

from tests.dataset.drawn import draw_folder, noise
from tests.doctor.faults import CAPTION
from tests.doctor.folders import clean_folder, config_of, examined, kinds
from train_gamma.captions.tag_text import pieces
from train_gamma.doctor.examine import examine
from train_gamma.doctor.residues import clean_caption, prefers_spaces

SIZES = [(64, 64), (64, 60), (60, 64), (64, 62)]


def found(folder: Path, **changes: Any) -> str:
    return "\n".join(map(str, examined(folder, name="gamma", **changes).findings))


def test_few_pictures_are_counted(tmp_path: Path) -> None:
    assert "Only 4 pictures" in found(draw_folder(tmp_path / "four", SIZES))
    assert "Only 1 picture:" in found(draw_folder(tmp_path / "one", SIZES[:1]))
    assert found(draw_folder(tmp_path / "ten", SIZES[:1] * 10)) == ""


def test_pictures_without_words_are_named(tmp_path: Path) -> None:
    folder = draw_folder(tmp_path, SIZES, ["a", "", "b", "c"])
    (folder / "3.txt").unlink()  # its name is a number, which is no caption
    assert "No caption for 1 of 4 pictures (3.png): their prompts are the template without" in found(folder)
    assert "Empty caption for 1 of 4 pictures (1.png)" in found(folder)


def test_a_name_in_place_of_a_missing_caption_is_told(tmp_path: Path) -> None:
    folder = draw_folder(tmp_path, SIZES)
    noise(64, 64, 50).save(folder / "girl with hat.png")
    assert "No caption for 1 of 5 pictures (girl with hat.png): their file names are taken as captions." in found(
        folder
    )
    assert "without [filewords]" in found(folder, filename_captions=False)


@pytest.mark.parametrize(
    "name",
    [
        "IMG_1234",
        "DSC00012",
        "P1010012",
        "Screenshot 2024-01-02 at 10.11.12",
        "a3f9c2d41b7e8f60",
        "WhatsApp Image 2023-05-06 at 7.08",
        "PXL_20230101_120000",
        "image (3)",
        "untitled",
    ],
)
def test_names_of_cameras_are_no_captions(name: str, tmp_path: Path) -> None:
    noise(64, 64).save(tmp_path / f"{name}.png")
    assert "File names that describe nothing are taken as captions: 1 of 1 pictures" in found(tmp_path)


@pytest.mark.parametrize("name", ["girl with hat", "photo of a cat", "deadbeef band", "Imgur cat", "p"])
def test_names_that_say_something_are_captions(name: str, tmp_path: Path) -> None:
    noise(64, 64).save(tmp_path / f"{name}.png")
    assert ("File names that describe nothing" in found(tmp_path)) is (name == "p")
    assert "No caption" not in found(tmp_path)


def test_the_name_in_captions_is_told_as_a_word_and_as_a_placeholder(tmp_path: Path) -> None:
    draw_folder(tmp_path, SIZES[:3], ["Gamma, hat", "[name] sitting", "gammas"])
    assert "'gamma' is in the captions of 2 of 3 pictures (0.png, 1.png) already" in found(tmp_path)


def test_short_captions_throughout_are_how_they_are_meant(tmp_path: Path) -> None:
    folder = draw_folder(tmp_path, SIZES[:1] * 10, ["night"] * 5 + ["a, b", "a, b, c"] * 2 + ["d"])
    assert found(folder) == ""


def test_a_sentence_is_no_short_list_of_tags(tmp_path: Path) -> None:
    folder = clean_folder(tmp_path / "set")
    (folder / "00.txt").write_text("a girl with red hair stands in front of a dark forest at night")
    assert kinds(examined(folder)) == []


@pytest.mark.parametrize(
    ("kind", "caption", "clean"),
    [
        ("ratings", CAPTION, CAPTION),
        ("ratings", "1girl,smile , night", "1girl,smile , night"),
        ("ratings", "1girl, rating:safe, smile", "1girl, smile"),
        ("ratings", "rating_explicit, 1girl", "1girl"),
        ("ratings", "general, 1girl", "1girl"),
        ("ratings", "general store, 1girl", "general store, 1girl"),
        ("ratings", "(red hat:1.2), rating:safe, a_b, a_b, <error>", "(red hat:1.2), a_b, a_b, <error>"),
        ("error_text", "1girl, <error>, smile", "1girl, smile"),
        ("error_text", "[name], hat, <error>", "[name], hat"),
        ("weights", "1girl, (smile:0.98), [night]", "1girl, smile, night"),
        ("weights", r"(miku \(cosplay\):1.1), hat", r"miku \(cosplay\), hat"),
        ("weights", "(red hair, smile:1.2), Smile, hat", "red hair, smile, Smile, hat"),
        ("repeated_tags", "smile, hat, Smile, smile", "smile, hat"),
        ("repeated_tags", "(smile:1.2), hat, hat", "(smile:1.2), hat"),
        ("dangling", "a girl with a sign that says,", ""),
        ("dangling", "hat, a shirt with the words, night", "hat, night"),
        ("dangling", 'hat, a sign that says "open", night', 'hat, a sign that says "open", night'),
        ("underscores", "red_hair, ^_^, long hair", "red hair, ^_^, long hair"),
        ("underscores", "[name] sitting, hat", "[name] sitting, hat"),
    ],
)
def test_leftovers_of_a_kind_are_cleaned_and_the_rest_stays(kind: str, caption: str, clean: str) -> None:
    assert clean_caption(caption, kind, spaces=True) == clean
    assert clean_caption(clean, kind, spaces=True) == clean


@pytest.mark.parametrize(
    ("captions", "spaces"),
    [
        (["red hair, long hair", "blue_eyes"], True),
        (["red_hair, long_hair", "blue eyes"], False),
        (["red_hair, long_hair"], None),
        (["red hair, ^_^, o_o"], None),
        ([], None),
    ],
)
def test_the_usual_way_of_writing_wins(captions: list[str], spaces: bool | None) -> None:
    assert prefers_spaces(map(pieces, captions)) is spaces


def test_underscores_win_where_they_are_usual() -> None:
    assert clean_caption("red hair, blue_eyes", "underscores", spaces=False) == "red_hair, blue_eyes"


def test_the_template_file_in_the_folder_is_no_orphan(tmp_path: Path) -> None:
    folder = clean_folder(tmp_path / "set")
    (folder / "templates.txt").write_text("[name], [filewords]\n")
    config = config_of(folder, template_file=str(folder / "templates.txt"))
    assert examine(config).findings == ()
    assert kinds(examined(folder)) == ["orphan_caption"]


def test_a_caption_in_other_capitals_than_its_picture_is_explained(tmp_path: Path) -> None:
    folder = clean_folder(tmp_path / "set")
    (folder / "anna.txt").write_text(CAPTION)
    noise(64, 64).save(folder / "Anna.png")
    (folder / "Anna.txt").write_text(CAPTION)
    (finding,) = examined(folder).findings
    assert finding.kind == "orphan_caption"
    assert "but for capitals" in finding.message


def test_pictures_in_folders_below_are_named_with_them(tmp_path: Path) -> None:
    folder = clean_folder(tmp_path / "set")
    (folder / "deep").mkdir()
    noise(64, 64, 3).save(folder / "deep" / "x.png")
    assert examined(folder).findings == ()
    assert "deep/x.png" in examined(folder, recursive=True).of("caption_missing")[0].message
