from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dataset.drawn import rng
from train_gamma.dataset.templates import contains_word, keeps_word, load_templates, render_prompt
from train_gamma.errors import UserError
from train_gamma.training.config import DatasetConfig

PLAIN = DatasetConfig(shuffle_tags=False)
TAG = st.text("abcde ()\\_", min_size=1, max_size=6).map(lambda text: " ".join(text.split())).filter(bool)
CAPTION = st.text("ab ,\\()[]", max_size=30)


def render(template, caption, config=PLAIN, name="gam-ma", seed=0):
    return render_prompt(template, name, caption, config, rng(seed))


@pytest.mark.parametrize(
    ("template", "caption", "prompt"),
    [
        ("[name], [filewords]", "1girl, red hat", "gam-ma, 1girl, red hat"),
        ("a photo of [name], [filewords]", "", "a photo of gam-ma"),
        ("[filewords], [name]", "", "gam-ma"),
        ("a, [filewords], [name], b", " , ,", "a, gam-ma, b"),
        ("[name] wearing [filewords]", "hat,coat", "gam-ma wearing hat, coat"),
        ("[name], [filewords]", "artist \\(style\\), (a:1.2), [b]", "gam-ma, artist \\(style\\), (a:1.2), [b]"),
        ("[filewords], [name]", "[name] sitting", "gam-ma sitting, gam-ma"),
        ("[name], [filewords]", "GAM-MA, hat, [name]", "gam-ma, hat"),
        ("[name], [filewords]", "\\1 \\g<0>, [filewords]", "gam-ma, \\1 \\g<0>, [filewords]"),
        ("[name]  and\t[name],,", "x", "gam-ma and gam-ma"),
    ],
)
def test_templates_are_filled_in(template, caption, prompt):
    assert render(template, caption) == prompt


@given(st.lists(TAG, max_size=8), st.integers(0, 9), st.integers(0, 99))
def test_shuffling_keeps_the_first_tags_in_place_and_loses_none(tags, keep, seed):
    config = DatasetConfig(shuffle_tags=True, keep_tags=keep)
    rendered = render("[name], [filewords]", ",".join(tags), config, seed=seed).split(", ")
    assert rendered[0] == "gam-ma"
    assert rendered[1 : 1 + min(keep, len(tags))] == tags[:keep]
    assert Counter(rendered[1:]) == Counter(tags)


@given(st.lists(TAG, max_size=8, unique=True), st.integers(0, 9), st.floats(0, 1), st.integers(0, 99))
def test_dropout_leaves_a_subsequence_and_never_the_kept_tags(tags, keep, dropout, seed):
    config = DatasetConfig(shuffle_tags=False, keep_tags=keep, tag_dropout=dropout)
    rendered = render("[name], [filewords]", ",".join(tags), config, seed=seed).split(", ")[1:]
    assert rendered[: min(keep, len(tags))] == tags[:keep]
    assert rendered == [tag for tag in tags if tag in rendered]


@pytest.mark.parametrize(("dropout", "left"), [(0.0, 1.0), (0.25, 0.75), (1.0, 0.0)])
def test_dropout_is_the_chance_of_each_tag(dropout, left):
    config = DatasetConfig(tag_dropout=dropout)
    count = sum(
        len(render("[name], [filewords]", "a, b, c, d", config, seed=seed).split(", ")) - 1 for seed in range(1000)
    )
    assert count / 4000 == pytest.approx(left, abs=0.03)  # more than four standard deviations


def test_every_order_of_the_tags_comes_up():
    config = DatasetConfig(shuffle_tags=True)
    orders = {render("[name], [filewords]", "a, b, c", config, seed=seed) for seed in range(200)}
    assert len(orders) == 6


@given(
    st.sampled_from(["[name], [filewords]", "[filewords] [name]", "a ([name]) b", "[filewords],[name]", "[name]"]),
    CAPTION,
    st.integers(0, 3),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.integers(0, 9),
)
def test_the_name_is_in_every_prompt_of_a_template_that_keeps_it(template, caption, keep, dropout, seed):
    prompt = render(template, caption, DatasetConfig(keep_tags=keep, tag_dropout=dropout), seed=seed)
    assert keeps_word(template, "gam-ma")
    assert contains_word(prompt, "gam-ma")


@given(CAPTION, st.integers(0, 9))
def test_no_empty_pieces_are_left(caption, seed):
    prompt = render("a, [filewords], [name]", caption, DatasetConfig(tag_dropout=0.5), seed=seed)
    assert all(piece.strip() == piece != "" for piece in prompt.split(", "))
    assert ",," not in prompt


@pytest.mark.parametrize(
    "template", ["my[name]", "[name]s", "[filewords][name]", "[name][filewords]", "[name][name]", "x"]
)
def test_a_name_that_letters_may_touch_is_not_kept(template):
    assert not keeps_word(template, "gamma")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a cat", True),
        ("CAT's", True),
        ("(cat:1.2)", True),
        ("cat-girl", True),
        ("cats", False),
        ("xcat", False),
        ("cat_", False),
        ("cat2", False),
        ("", False),
    ],
)
def test_words_are_found_as_the_text_encoder_finds_names(text, found):
    assert contains_word(text, "cat") is found


def test_the_rule_for_words_is_that_of_the_backbone():
    prompt_chunks = pytest.importorskip("train_gamma.hosts.prompt_chunks")
    for text in ("a cat", "CAT's", "(cat:1.2)", "cat-girl", "cats", "xcat", "cat_", "cat2", "écat", "猫cat", ""):
        named = any(not isinstance(part, str) for part in prompt_chunks.find_names(text, ["cat"]))
        assert contains_word(text, "cat") is named


def test_a_template_file_takes_the_place_of_the_templates(tmp_path):
    file = tmp_path / "style.txt"
    file.write_bytes(b"\xef\xbb\xbf# comment\r\n\r\n  a [name] \r\n#[name]\r\n[name], [filewords]")
    assert load_templates(DatasetConfig(template_file=str(file))) == ("a [name]", "[name], [filewords]")


def test_all_templates_without_the_name_are_listed_with_their_lines(tmp_path):
    file = tmp_path / "style.txt"
    file.write_text("[name]\n\na picture\n[filewords]\n")
    with pytest.raises(UserError) as error:
        load_templates(DatasetConfig(template_file=str(file)))
    assert "'a picture' (style.txt, line 3)" in str(error.value)
    assert "'[filewords]' (style.txt, line 4)" in str(error.value)
    assert "line 1)" not in str(error.value)
