"""Replacing tags by rules."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.captions.test_edits import after, edit, edit_one
from train_gamma.captions.replacing import Match, Rule, matches, problems, replace, replace_text
from train_gamma.captions.snapshot import snapshot_of_texts
from train_gamma.errors import UserError


def replaced(text, *rules):
    return edit_one(text, lambda c: replace(c, rules))


def test_many_tags_become_one():
    rule = Rule("nude, nipples, completely_nude", "nsfw")
    texts = ["1girl, nude, nipples, smile", "Completely Nude", "topless, smile"]
    assert edit(texts, lambda c: replace(c, [rule])) == ["1girl, nsfw, smile", "nsfw", "topless, smile"]


def test_one_tag_becomes_many_or_none():
    assert replaced("a, b, c", Rule("b", "x, c, y")) == "a, x, y, c"
    assert replaced("a, b, c", Rule("b", "")) == "a, c"


def test_a_tag_by_itself_is_no_change():
    captions = snapshot_of_texts(["a,Long_Hair", "miku (x)"])
    for rule in (Rule("long_hair", "Long_Hair"), Rule("miku (x)", r"miku \(x\)"), Rule("a", "a")):
        assert len(replace(captions, [rule])) == 0


@pytest.mark.parametrize("kind", ["exact", "substring", "regex"])
def test_an_empty_search_is_refused(kind):
    with pytest.raises(UserError, match="nothing to search for"):
        replace(snapshot_of_texts(["a, b"]), [Rule("", "x", kind)])
    if kind != "exact":
        with pytest.raises(UserError, match="nothing to search for"):
            replace_text(snapshot_of_texts(["a, b"]), Rule("", "x", kind))


def test_rules_do_not_act_on_each_other():
    assert replaced("a, b, c", Rule("a", "b"), Rule("b", "a")) == "b, a, c"
    assert replaced("a", Rule("a", "b"), Rule("b", "c")) == "b"


def test_the_first_rule_that_fits_counts():
    assert replaced("long hair, short hair", Rule("long hair", "x"), Rule("hair", "fur", "substring")) == "x, short fur"


def test_a_weight_stays_and_a_new_one_wins():
    assert replaced("(hat:1.2), [bow]", Rule("hat", "cap"), Rule("bow", "(tie:0.8)")) == "(cap:1.2), (tie:0.8)"


def test_what_is_there_already_stays_where_it_is():
    assert replaced("a, b, (c:1.2)", Rule("a", "c")) == "b, (c:1.2)"


@pytest.mark.parametrize(
    ("search", "replacement", "text", "wanted"),
    [
        ("hair", "fur", "long hair, hairband, HAIR", "long fur, furband, fur"),
        ("long_hair", "x", "very long hair, long_hair", "very x, x"),
        ("long hair", "x", "very_long_hair", "very_x"),
        (" ", "_", "long hair, a", "long_hair, a"),
        (".", "!", "a.b", "a!b"),
        ("(x)", "(y)", r"miku \(x\)", r"miku \(y\)"),
        (r"\(x\)", r"\(y\)", "miku (x)", r"miku \(y\)"),
        ("hair", "", "long hair, hair", "long"),
        ("hair", r"\1", "hair", r"\\1"),
    ],
)
def test_a_part_of_a_tag(search, replacement, text, wanted):
    assert replaced(text, Rule(search, replacement, "substring")) == wanted


@pytest.mark.parametrize(
    ("search", "replacement", "text", "wanted"),
    [
        (r"^(\w+) eyes$", r"eyes, \1", "blue eyes, closed eyes", "eyes, blue, closed"),
        (r"^(.*) hair$", r"\1 fur", "(long hair:1.1), hairband", "(long fur:1.1), hairband"),
        (r"x*", "-", "axb", "a-b"),
        (r"^.*$", "one", "a, b", "one"),
        (r"(?P<c>RED)", r"\g<c>dish", "Red hat", "Reddish hat"),
    ],
)
def test_a_regular_expression(search, replacement, text, wanted):
    assert replaced(text, Rule(search, replacement, "regex")) == wanted


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (Rule("(", "x", "regex"), "not a regular expression"),
        (Rule("a", r"\1", "regex"), "cannot take the place"),
        (Rule("a", r"\g<no>", "regex"), "cannot take the place"),
        (Rule("a", "b", "fuzzy"), "A rule is one of"),
        (Rule(" , ", "b"), "nothing to search for"),
    ],
)
def test_rules_that_cannot_be_used_are_told(rule, message):
    with pytest.raises(UserError, match=message):
        replace(snapshot_of_texts(["a"]), [rule])
    assert len(problems([Rule("a", "b"), rule, rule])) == 2
    assert problems([Rule("a", "b"), rule])[0].startswith("Rule 2: ")


def test_no_rule_at_all():
    with pytest.raises(UserError, match="no rule"):
        replace(snapshot_of_texts(["a"]), [])


def test_what_would_be_replaced_is_shown_before():
    captions = snapshot_of_texts(["long hair, hat", "(long hair:1.1)", "short hair, (hair:1.2), hair", "smile"])
    assert matches(captions, [Rule("hair", "fur", "substring")]) == [
        Match("long hair", ("long fur",), 2),
        Match("hair", ("fur",), 1),
        Match("short hair", ("short fur",), 1),
    ]
    assert matches(captions, [Rule("long hair", "")], selection=[1, 3]) == [Match("long hair", (), 1)]


def test_in_whole_captions():
    captions = snapshot_of_texts(["a, b ,c", "A girl sits, a, b.", r"x \(a\)"])
    assert after(replace_text(captions, Rule("a, b", "ab", "substring")), captions)[:2] == [
        "ab ,c",
        "A girl sits, a, b.",
    ]
    change = replace_text(captions, Rule("a, b", "ab", "substring"), plain=True)
    assert after(change, captions)[1] == "A girl sits, ab."
    assert after(replace_text(captions, Rule(r"(\w), (\w)", r"\2, \1", "regex")), captions)[0] == "b, a ,c"
    with pytest.raises(UserError, match="whole captions"):
        replace_text(captions, Rule("a", "b"))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.sampled_from(["red hat", "hat", "blue hat", "smile", "shat"]), unique=True, max_size=5),
    st.sampled_from(["hat", "h", "red "]),
    st.sampled_from(["cap", "", "q"]),
)
def test_substrings_are_those_of_strings(tags, search, new):
    wanted = [re.sub(re.escape(search), new, tag) for tag in tags]
    there = [tag for tag in tags if search not in tag]
    expected = []
    for tag, becomes in zip(tags, wanted, strict=True):
        if tag in there or (becomes.strip() and becomes.strip() not in [*there, *expected]):
            expected.append(becomes.strip())
    assert replaced(", ".join(tags), Rule(search, new, "substring")) == ", ".join(expected)
