"""Cleaning captions, and what must not be lost by it."""

import pytest

from tests.captions.host_emphasis import host_reading
from tests.captions.odd_tags import ODD_TAGS
from tests.captions.test_edits import edit_one
from train_gamma.captions.cleaning import ACTIONS, clean
from train_gamma.captions.snapshot import snapshot_of_texts
from train_gamma.captions.tag_text import KAOMOJI
from train_gamma.errors import UserError


def cleaned(text, *actions):
    return edit_one(text, lambda c: clean(c, actions))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1girl, rating:safe, smile, outdoors", "1girl, smile, outdoors"),
        ("rating:explicit, 1girl", "1girl"),
        ("1girl, rating_safe, rating:q, rating: general, smile", "1girl, smile"),
        ("1girl, rating (object), ratings, smile", "1girl, rating (object), ratings, smile"),
        ("1girl, explicit, smile", "1girl, smile"),
        ("1girl,smile", "1girl,smile"),
    ],
)
def test_a_rating_takes_only_itself_out(text, wanted):
    assert cleaned(text, "ratings") == wanted


def test_underscores_go_and_faces_keep_theirs():
    faces = [face for face in sorted(KAOMOJI) if "_" in face]
    assert cleaned(", ".join(["long_hair", *faces, r"miku_\(cosplay\)", "(a_b:1.1)"]), "underscores") == ", ".join(
        ["long hair", *faces, r"miku \(cosplay\)", "(a b:1.1)"]
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2girls, red hair, blue hair, long hair, smile", "2girls, long hair, smile"),
        ("multiple_girls, red_hair, blue_hair, long hair, short hair", "multiple_girls"),
        ("2boys, blue eyes, closed eyes", "2boys, blue eyes, closed eyes"),
        ("6+girls, blue eyes, red eyes, closed eyes, wide-eyed", "6+girls, closed eyes, wide-eyed"),
        ("2girls, ponytail, twintails, hat", "2girls, hat"),
        ("2girls, braid, hat", "2girls, braid, hat"),
        ("2girls, long sleeves, sleeveless", "2girls"),
        ("1girl, red hair, blue hair", "1girl, red hair, blue hair"),
        ("magical girls, red hair, blue hair", "magical girls, red hair, blue hair"),
    ],
)
def test_with_several_people_what_is_mixed_goes(text, wanted):
    assert cleaned(text, "people") == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("shirt, white shirt, hat", "white shirt, hat"),
        ("white shirt, shirt, t-shirt", "white shirt, t-shirt"),
        ("hair ornament, star hair ornament", "star hair ornament"),
        ("ear, heart", "ear, heart"),
        ("no hat, hat", "no hat, hat"),
        ("long hair, very long hair", "long hair, very long hair"),
        ("Shirt, White_Shirt", "White_Shirt"),
    ],
)
def test_a_closer_tag_makes_the_general_one_needless(text, wanted):
    assert cleaned(text, "general") == wanted


def test_duplicates_weights_spacing():
    assert cleaned("a, b, A, (a:1.1), c", "duplicates") == "a, b, c"
    assert cleaned(r"(a:1.1), [b], ((c, d:1.2)), miku \(x\), (e \(f\):1.3)", "weights") == (
        r"a, b, c, d, miku \(x\), e \(f\)"
    )
    assert cleaned(" a ,b,,  c, ", "spacing") == "a, b, c"
    assert cleaned("a ,b\r\n", "spacing") == "a, b\r\n"


@pytest.mark.parametrize("tag", [tag for tag in ODD_TAGS if "\\(" not in tag])  # with one, it is escaped already
def test_what_is_escaped_is_read_as_it_is(tag):
    text = cleaned(f"a, {tag}, b", "escape")
    assert host_reading(text) == [(sign, 1.0) for sign in f"a, {tag}, b"]
    assert cleaned(text, "escape") == text


def test_escaping_keeps_emphasis():
    assert cleaned("(hat:1.1), [bow], miku (x)", "escape") == r"(hat:1.1), [bow], miku \(x\)"


def test_what_captioners_leave_behind():
    assert cleaned("1girl, smile, <error>", "errors") == "1girl, smile"
    assert cleaned("<error>", "errors") == ""
    assert cleaned("a girl sits on a bench with a sign that says", "signs") == "a girl sits on a bench"
    assert cleaned("a girl sits on a bench with a sign that says, 1girl, solo", "signs") == (
        "a girl sits on a bench, 1girl, solo"
    )
    assert cleaned("a girl holding a sign that says stop and go now", "signs") == (
        "a girl holding a sign that says stop and go now"
    )


def test_lines_become_tags():
    captions = snapshot_of_texts(["1girl\nlong hair,\r\n\nsmile"])
    change = clean(captions, ["lines"])
    assert change.new[0].text == "1girl, long hair, smile"
    assert [tag.name for tag in change.new[0].tags] == ["1girl", "long hair", "smile"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("an anime girl with a hat is on a table", "a girl with a hat is on a table"),
        ("a woman and her personal people are there", "a girl and her personal girls are there"),
        ("a young man is in a cartoon picture here", "a man is in a picture here"),
        ("a cartoon image of an anime character on it", "an image of a girl on it"),
        ("a young lady girl is in the anime style", "a girl is in the anime style"),
        ("The female knight is on a horse again", "The female knight is on a horse again"),
        ("A young artist is in the house", "An artist is in the house"),
    ],
)
def test_words_of_sentences_are_whole_words_with_their_article(text, wanted):
    assert cleaned(text, "caption words") == wanted


def test_sentences_are_left_alone_unless_they_are_meant():
    text = "A woman_x who is (really) on a bench, bench."
    every = [action.name for action in ACTIONS if action.on == "tags"]
    assert cleaned(text, *every) == text


def test_what_is_clean_is_left_as_it_is():
    text = r"1girl, long hair, smile, miku \(cosplay\), ^_^"
    captions = snapshot_of_texts([text, "A cat is on the mat, and sleeps."])
    assert len(clean(captions, [action.name for action in ACTIONS])) == 0


def test_the_order_is_fixed():
    text = "white_shirt, rating:safe, shirt, (SHIRT:1.1)"
    names = [action.name for action in ACTIONS]
    assert cleaned(text, *names) == cleaned(text, *reversed(names)) == "white shirt"


def test_an_action_that_is_not_there():
    with pytest.raises(UserError, match="no cleaning called 'polish'"):
        clean(snapshot_of_texts(["a"]), ["polish"])
