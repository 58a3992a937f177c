"""Tags as text, against the rules by which the WebUI reads a prompt."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.captions.host_emphasis import host_reading
from tests.captions.odd_tags import ODD_TAGS
from train_gamma.captions.tag_text import (
    KAOMOJI,
    Piece,
    escaped,
    normal,
    pieces,
    read_list,
    read_tags,
    unescaped,
    unique,
    with_spaces,
    write_tags,
)

NASTY = st.text(st.sampled_from("\\()[]{}:,. 1_aB\"'|<>é\n"), max_size=16)
TAG = st.text(st.sampled_from("\\()[]{}:. 1_aB\"'|<>é"), min_size=1).map(lambda text: " ".join(text.split()))


@settings(deadline=None, max_examples=60)
@given(st.one_of(st.text(), NASTY))
@example("\\m/")
@example("\\\\(")
def test_what_is_escaped_is_unescaped_to_the_same(text):
    assert unescaped(escaped(text)) == text


@settings(deadline=None, max_examples=60)
@given(NASTY)
@example(">:(")
@example("a:1.2)")
@example("(o)_(o), \\m/, :1)")
def test_the_webui_reads_an_escaped_text_as_it_was_at_weight_1(text):
    assert host_reading(escaped(text)) == [(sign, 1.0) for sign in text]


def test_unescaped_a_face_would_weigh_upon_the_rest_of_the_caption():
    assert host_reading(">:(, hat")[-1] == ("t", 1.1)
    assert host_reading(r"\m/") == [("m", 1.0), ("/", 1.0)]


@settings(deadline=None, max_examples=60)
@given(st.lists(TAG.filter(bool), max_size=5))
def test_a_caption_reads_as_the_tags_it_was_written_from(tags):
    assert read_tags(write_tags(tags, escape=True)) == tags


@pytest.mark.parametrize("escape", [True, False])
def test_odd_tags_survive_reading_and_writing_twice(escape, tmp_path):
    tags = [tag for tag in ODD_TAGS if escape or "\\(" not in tag]
    caption = write_tags(tags, escape)
    for _ in range(2):
        (tmp_path / "a.txt").write_bytes(caption.encode())
        read = read_tags((tmp_path / "a.txt").read_bytes().decode())
        assert read == tags
        assert write_tags(read, escape) == caption


def test_odd_tags_weigh_1_in_the_webui():
    caption = write_tags(ODD_TAGS, escape=True)
    assert host_reading(caption) == [(sign, 1.0) for sign in ", ".join(ODD_TAGS)]


def test_there_are_19_kaomoji_and_they_keep_their_underscores():
    assert len(KAOMOJI) == 19
    assert {with_spaces(face) for face in KAOMOJI} == KAOMOJI
    assert {normal(face.upper()) for face in KAOMOJI} == KAOMOJI


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("long_hair", "long hair"),
        ("hatsune_miku_(cosplay)", "hatsune miku (cosplay)"),
        ("^_^", "^_^"),
        (";_;", ";_;"),
        ("3_3", "3_3"),
        ("3_girls", "3 girls"),
        ("^_^_(meme)", "^ ^ (meme)"),
        ("\\m/", "\\m/"),
        ("", ""),
    ],
)
def test_underscores_become_blanks_but_for_faces(name, shown):
    assert with_spaces(name) == shown


@pytest.mark.parametrize("written", ["long hair", "long_hair", "Long Hair", "  LONG_hair ", "long  hair", "long\nhair"])
def test_every_way_to_write_a_tag_is_the_same(written):
    assert normal(written) == "long hair"


@pytest.mark.parametrize("written", ["miku_(cosplay)", r"miku \(cosplay\)", r"Miku \\\(cosplay\\\)"])
def test_escaped_however_often_a_tag_is_the_same(written):
    assert normal(written) == "miku (cosplay)"


@settings(deadline=None, max_examples=60)
@given(NASTY)
def test_comparison_does_not_depend_on_escapes_or_on_being_done_before(text):
    assert normal(escaped(text)) == normal(text)
    assert normal(normal(text)) == normal(text)


@pytest.mark.parametrize(
    ("caption", "tags"),
    [
        ("", []),
        (" , ,\n", []),
        ("1girl, rating:safe, smile", ["1girl", "rating:safe", "smile"]),
        ("a,b ,  c\r\n", ["a", "b", "c"]),
        ("a girl,\r\n standing  up", ["a girl", "standing up"]),
        (r"miku \(cosplay\), >:\(, \\m/", ["miku (cosplay)", ">:(", "\\m/"]),
        (r"miku_(cosplay), >:(, \m/, :)", ["miku_(cosplay)", ">:(", "\\m/", ":)"]),
        ("(hat:1.1), [bag], {x}", ["hat", "bag", "{x}"]),
        ("((hat)), ([bag]:0.5), ((shoe:1.2):1.1)", ["hat", "bag", "shoe"]),
        (r"(miku \(cosplay\):0.98), (:d:1.2)", ["miku (cosplay)", ":d"]),
        ("(hat, long hair:1.2), bag", ["hat", "long hair", "bag"]),
        ("(o)_(o), (a) and (b), a (b, c)", ["(o)_(o)", "(a) and (b)", "a (b", "c)"]),
        ("(hat, bag", ["(hat", "bag"]),
        ("hat), bag:1.1)", ["hat)", "bag:1.1)"]),
        ("[name], ([name]:1.1), [hat]", ["[name]", "[name]", "hat"]),
        ("()", []),
    ],
)
def test_captions_of_all_kinds_are_read(caption, tags):
    assert read_tags(caption) == tags


def test_pieces_keep_what_is_written():
    assert pieces(" (hat, Bag :1.2) ,shoe,, [name]\n") == [
        Piece("(hat, Bag :1.2)", ("hat", "Bag"), emphasis=True),
        Piece("shoe", ("shoe",)),
        Piece("[name]", ("[name]",)),
    ]


@settings(deadline=None, max_examples=60)
@given(NASTY)
def test_pieces_are_in_the_caption_one_after_the_other(caption):
    position = 0
    for piece in pieces(caption):
        position = caption.index(piece.text, position) + len(piece.text)
        assert all(piece.tags)


def test_thousands_of_brackets_are_read_too():
    assert read_tags("(" * 5000 + "hat" + ")" * 5000) == ["hat"]
    assert len(read_tags("(a," * 5000)) == 5000


def test_lists_may_be_typed_line_by_line():
    assert [piece.text for piece in read_list("a, b\r\nc\n\n, d")] == ["a", "b", "c", "d"]


def test_the_placeholder_is_never_escaped():
    assert write_tags(["[name]", "[names]"], escape=True) == r"[name], \[names\]"


def test_three_equal_tags_leave_one_and_others_alone():
    assert unique(["b", "Long_Hair", "a", "long hair", "long_hair", "A "]) == ["b", "Long_Hair", "a"]
