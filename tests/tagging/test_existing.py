"""Captions that are there already: no text is ever lost by merging."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from train_gamma.captions.tag_text import normal, read_tags
from train_gamma.tagging.config import EXISTING, FILL_EMPTY, NEW_FIRST, OLD_FIRST, OVERWRITE, PREVIEW_ONLY, SKIP
from train_gamma.tagging.existing import Plan, action, merged, plan

TEXT = st.text(st.sampled_from("ab\\()[]:,. \n1_"), max_size=14)
TAGS = st.lists(st.sampled_from(["a", "long hair", r"miku \(x\)", "(b:1.1)", "c"]), max_size=4).map(", ".join)


@pytest.mark.parametrize(
    ("mode", "absent", "empty", "old"),
    [
        (SKIP, "new", None, None),
        (OVERWRITE, "new", "new", "new"),
        (OLD_FIRST, "new", "new", "old, new"),
        (NEW_FIRST, "new", "new", "new, old"),
        (FILL_EMPTY, "new", "new", None),
        (PREVIEW_ONLY, None, None, None),
    ],
)
def test_every_mode(mode, absent, empty, old):
    assert merged(None, "new", mode) == absent
    assert [merged(text, "new", mode) for text in ("", " \r\n", " , ,")] == [empty] * 3
    assert merged("old", "new", mode) == old


@pytest.mark.parametrize(
    ("old", "new", "old_first", "new_first"),
    [
        ("hat, Long_Hair", "long hair, bag, HAT", "hat, Long_Hair, bag", "bag, hat, Long_Hair"),
        ("miku_(x)", r"miku \(x\), bag", "miku_(x), bag", "bag, miku_(x)"),
        ("(hat:1.2), [bag]", "hat, bag, shoe", "(hat:1.2), [bag], shoe", "shoe, (hat:1.2), [bag]"),
        ("a  girl with a hat.", "hat, girl", "a  girl with a hat., hat, girl", "hat, girl, a  girl with a hat."),
        ("hat , bag\r\n", "shoe", "hat , bag, shoe\r\n", "shoe, hat , bag\r\n"),
        ("hat,", "bag", "hat, bag", "bag, hat,"),
        (", hat", "bag", ", hat, bag", "bag, hat"),
        ("hat, hat", "bag", "hat, hat, bag", "bag, hat, hat"),
        ("hat", "bag, bag, (Bag:0.5)", "hat, bag", "bag, hat"),
        ("1girl, rating:safe, smile", "hat", "1girl, rating:safe, smile, hat", "hat, 1girl, rating:safe, smile"),
    ],
)
def test_merging_adds_only_what_is_missing(old, new, old_first, new_first):
    assert merged(old, new, OLD_FIRST) == old_first
    assert merged(old, new, NEW_FIRST) == new_first


@settings(deadline=None, max_examples=60)
@given(TEXT, TAGS, st.sampled_from([OLD_FIRST, NEW_FIRST]))
def test_merging_keeps_the_old_text_and_doing_it_again_changes_nothing(old, new, mode):
    text = merged(old, new, mode)
    if text is None:
        assert {normal(tag) for tag in read_tags(new)} <= {normal(tag) for tag in read_tags(old)} or old == new
        return
    if read_tags(old):
        assert old.strip() in text
    assert not text.startswith(",") or old.lstrip().startswith(",")
    assert merged(text, new, mode) is None


@pytest.mark.parametrize("mode", EXISTING)
@pytest.mark.parametrize("old", ["hat, bag", "hat, bag\n", "Hat,bag", " hat , bag ,"])
def test_nothing_new_leaves_the_file_alone(mode, old):
    expected = "hat, bag" if mode == OVERWRITE and old != "hat, bag" else None
    assert merged(old, "hat, bag", mode) == expected
    assert merged(old, "", mode) == ("" if mode == OVERWRITE else None)


def test_the_plan_counts_every_action():
    existing = {Path(str(number)): text for number, text in enumerate([None, None, "", "hat", "bag", "shoe"])}
    assert plan(existing, SKIP) == Plan(new=2, skipped=4)
    assert plan(existing, OVERWRITE) == Plan(new=2, filled=1, replaced=3)
    assert plan(existing, OLD_FIRST) == plan(existing, NEW_FIRST) == Plan(new=2, filled=1, merged=3)
    assert plan(existing, FILL_EMPTY) == Plan(new=2, filled=1, skipped=3)
    assert plan(existing, PREVIEW_ONLY) == Plan(unchanged=6)
    assert plan(existing, FILL_EMPTY).written == 3


@pytest.mark.parametrize("mode", EXISTING)
def test_with_the_new_captions_the_plan_is_what_is_written(mode):
    existing = {Path(str(number)): text for number, text in enumerate([None, "", "hat", "bag", "hat, bag"])}
    new = dict.fromkeys(existing, "hat")
    counted = plan(existing, mode, new)
    assert counted.written == sum(merged(old, "hat", mode) is not None for old in existing.values())
    assert sum([counted.written, counted.skipped, counted.unchanged]) == len(existing)


def test_actions_tell_what_happens_to_one_file():
    assert action("hat", "hat, bag", OLD_FIRST) == "merged"
    assert action("hat, bag", "bag", OLD_FIRST) == "unchanged"
    assert action("hat", None, OLD_FIRST) == "merged"
    assert action("hat", "hat", OVERWRITE) == "unchanged"
