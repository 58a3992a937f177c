"""Which pictures pass a filter, and the tags of a set, counted: against counting by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from train_gamma.captions.filters import Filter, find, search_rows, sort_rows, tag_table
from train_gamma.captions.snapshot import snapshot_of_texts
from train_gamma.errors import UserError

TEXTS = [
    "1girl, Long_Hair, smile",
    "1girl, long hair",
    "",
    "A girl who sits on a bench.",
    "(smile:1.2), hat, hat",
    " ,, ",
]


@pytest.fixture
def captions():
    return snapshot_of_texts(TEXTS)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Filter(), [0, 1, 2, 3, 4, 5]),
        (Filter(all_of=("long hair", "Smile")), [0]),
        (Filter(any_of=("long_hair", "hat")), [0, 1, 4]),
        (Filter(none_of=("1girl",)), [2, 3, 4, 5]),
        (Filter(all_of=("1girl",), any_of=("smile", "hat"), none_of=("hat",)), [0]),
        (Filter(all_of=("missing",)), []),
        (Filter(any_of=("missing",)), []),
        (Filter(all_of=("", " "), any_of=("",), none_of=("",)), [0, 1, 2, 3, 4, 5]),
        (Filter(untagged=True), [2, 5]),
        (Filter(plain=True), [3]),
        (Filter(fewer_tags=3), [1, 2, 5]),
        (Filter(fewer_tags=0), []),
        (Filter(text="HAIR"), [1, 0][::-1]),
        (Filter(text="bench"), [3]),
        (Filter(text=":1.2"), [4]),
        (Filter(more_tokens=2), [0, 1, 3, 4]),
        (Filter(more_tokens=2, none_of=("1girl",)), [3, 4]),
    ],
)
def test_filters(captions, wanted, found):
    assert find(captions, wanted, lambda text: len(text.split())) == found


def test_a_filter_within_a_selection(captions):
    assert find(captions, Filter(any_of=("1girl", "hat")), selection=[1, 4, 5]) == [1, 4]


def test_tokens_need_something_that_counts_them(captions):
    with pytest.raises(UserError, match="Tokens cannot be counted"):
        find(captions, Filter(more_tokens=1))
    with pytest.raises(UserError, match="Tokens cannot be counted"):
        sort_rows(tag_table(captions), "tokens")


def test_the_pictures_that_lack_a_tag(captions):
    assert captions.lacking("long hair") == [2, 3, 4, 5]
    assert captions.lacking("long hair", [0, 2]) == [2]
    assert sorted(captions.having("Long Hair")) == [0, 1]


def test_the_table_of_tags(captions):
    rows = {row.tag: row for row in tag_table(captions, count_tokens=len)}
    assert {tag: (row.count, row.share, row.tokens) for tag, row in rows.items()} == {
        "1girl": (2, 2 / 6, 5),
        "Long_Hair": (2, 2 / 6, 9),
        "smile": (2, 2 / 6, 5),
        "hat": (1, 1 / 6, 3),
    }


def test_the_table_of_a_selection(captions):
    rows = tag_table(captions, selection=[1, 4])
    assert [(row.tag, row.count, row.share) for row in rows] == [
        ("1girl", 1, 0.5),
        ("hat", 1, 0.5),
        ("Long_Hair", 1, 0.5),
        ("smile", 1, 0.5),
    ]


def test_orders_and_searches():
    captions = snapshot_of_texts(["b, aaa, hair", "b, long hair", "b, hairband, aaa"])
    rows = tag_table(captions, count_tokens=lambda text: 9 - len(text))

    def shown(found):
        return [row.tag for row in found]

    assert shown(sort_rows(rows, "count", descending=True)) == ["b", "aaa", "hair", "hairband", "long hair"]
    assert shown(sort_rows(rows, "count")) == ["hair", "hairband", "long hair", "aaa", "b"]
    assert shown(sort_rows(rows, "name", descending=True)) == ["long hair", "hairband", "hair", "b", "aaa"]
    assert shown(sort_rows(rows, "length")) == ["b", "aaa", "hair", "hairband", "long hair"]
    assert shown(sort_rows(rows, "tokens")) == ["long hair", "hairband", "hair", "aaa", "b"]
    names = sort_rows(rows, "name")
    assert shown(search_rows(names, "HAIR")) == ["hair", "hairband", "long hair"]
    assert shown(search_rows(names, "hair", "prefix")) == ["hair", "hairband"]
    assert shown(search_rows(names, "long_hair", "suffix")) == ["long hair"]
    assert shown(search_rows(names, "^.{1,3}$", "regex")) == ["aaa", "b"]
    assert search_rows(names, "") == names
    with pytest.raises(UserError, match="not a regular expression"):
        search_rows(names, "(", "regex")
    with pytest.raises(UserError, match="Search by"):
        search_rows(names, "a", "sound")
    with pytest.raises(UserError, match="Sort by"):
        sort_rows(names, "colour")


TAGS = st.sampled_from("abcde")


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sets(TAGS), max_size=6), st.sets(TAGS), st.sets(TAGS), st.sets(TAGS))
def test_filters_are_those_of_sets(sets, all_of, any_of, none_of):
    captions = snapshot_of_texts([", ".join(tags) for tags in sets])
    wanted = [
        i for i, tags in enumerate(sets) if all_of <= tags and (not any_of or any_of & tags) and not none_of & tags
    ]
    assert find(captions, Filter(tuple(all_of), tuple(any_of), tuple(none_of))) == wanted
    assert {row.tag: row.count for row in tag_table(captions)} == {
        tag: count for tag in "abcde" if (count := sum(tag in tags for tags in sets))
    }
