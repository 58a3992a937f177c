import codecs
from pathlib import Path

import pytest

from train_gamma.dataset.captions import Caption, filename_words, read_caption
from train_gamma.errors import UserError
from train_gamma.training.config import DatasetConfig

CONFIG = DatasetConfig()


def test_the_caption_beside_the_picture_comes_first(tmp_path):
    (tmp_path / "cat girl.txt").write_text("1girl, hat", "utf-8")
    caption = read_caption(tmp_path / "cat girl.png", CONFIG)
    assert caption == Caption("1girl, hat", "file", tmp_path / "cat girl.txt")


def test_endings_are_tried_in_order_and_need_no_dot(tmp_path):
    (tmp_path / "a.txt").write_text("from txt", "utf-8")
    (tmp_path / "a.caption").write_text("from caption", "utf-8")
    assert read_caption(tmp_path / "a.png", CONFIG).text == "from txt"
    assert (
        read_caption(tmp_path / "a.png", DatasetConfig(caption_extensions=("caption", ".txt"))).text == "from caption"
    )


def test_only_the_last_ending_of_a_name_is_cut(tmp_path):
    (tmp_path / "v1.5 test.txt").write_text("right", "utf-8")
    (tmp_path / "v1.txt").write_text("wrong", "utf-8")
    assert read_caption(tmp_path / "v1.5 test.png", CONFIG).text == "right"


@pytest.mark.parametrize(
    "data",
    [
        "naïve, 猫".encode(),
        codecs.BOM_UTF8 + "naïve, 猫".encode(),
        codecs.BOM_UTF16_LE + "naïve, 猫".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "naïve, 猫".encode("utf-16-be"),
    ],
    ids=["utf-8", "utf-8 with mark", "utf-16 little", "utf-16 big"],
)
def test_every_common_unicode_file_is_read(tmp_path, data):
    (tmp_path / "a.txt").write_bytes(data)
    assert read_caption(tmp_path / "a.png", CONFIG).text == "naïve, 猫"


def test_lines_become_one_line(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"  a girl,\r\n standing\n\n in  a field \n")
    assert read_caption(tmp_path / "a.png", CONFIG).text == "a girl, standing in a field"


@pytest.mark.parametrize(("mark", "position", "line"), [(b"", 9, 2), (codecs.BOM_UTF8, 12, 2)])
def test_a_caption_that_is_not_utf8_names_the_byte(tmp_path, mark, position, line):
    (tmp_path / "a.txt").write_bytes(mark + "1girl,\nnaïve".encode("latin-1"))
    with pytest.raises(UserError, match=rf"a\.txt' is not UTF-8 text: byte {position} \(line {line}\) is 0xef"):
        read_caption(tmp_path / "a.png", CONFIG)


def test_utf16_without_a_mark_is_refused(tmp_path):
    (tmp_path / "a.txt").write_bytes("girl".encode("utf-16-le"))
    with pytest.raises(UserError, match="not plain text: byte 1 is 0x00"):
        read_caption(tmp_path / "a.png", CONFIG)


def test_an_empty_caption_file_is_meant_and_does_not_fall_back_to_the_name(tmp_path):
    (tmp_path / "cat.txt").write_bytes(b" \n")
    assert read_caption(tmp_path / "cat.png", CONFIG) == Caption("", "file", tmp_path / "cat.txt")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("00012-0-girl in a hat.png", "girl in a hat"),  # what A1111's preprocessing writes
        ("12-34 cat.jpg", "cat"),
        ("cat 2.png", "cat 2"),
        ("--.png", ""),
        ("0007.png", ""),
        ("_12 cat.png", "_12 cat"),
        ("a.b.png", "a.b"),
    ],
)
def test_file_names_are_read_as_a1111_does(name, words):
    assert filename_words(Path(name), CONFIG) == words


@pytest.mark.parametrize(
    ("regex", "join", "words"),
    [
        (r"[a-z]+", ", ", "red, hat, girl"),
        (r"[a-z]+", "", "redhatgirl"),
        (r"([a-z])[a-z]*", " ", "r h g"),
        (r"(r)(e)", "-", "r-e"),
    ],
)
def test_a_regex_picks_the_words_and_the_join_string_joins_them(regex, join, words):
    config = DatasetConfig(filename_regex=regex, filename_join=join)
    assert filename_words(Path("01-red_hat_girl.png"), config) == words


def test_file_names_can_be_left_alone(tmp_path):
    assert read_caption(tmp_path / "cat.png", DatasetConfig(filename_captions=False)) == Caption("", "none", None)
    assert read_caption(tmp_path / "0001.png", CONFIG) == Caption("", "none", None)
    assert read_caption(tmp_path / "cat.png", CONFIG) == Caption("cat", "file name", None)
