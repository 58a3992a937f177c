"""Edits of many captions: against the same done with plain lists."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.captions.host_emphasis import host_reading
from tests.captions.odd_tags import ODD_TAGS
from train_gamma.captions import edits
from train_gamma.captions.snapshot import snapshot_of_texts
from train_gamma.captions.tag_text import escaped, normal, read_tags
from train_gamma.errors import UserError


def after(change, captions):
    """All captions with a change made."""
    return [change.new.get(picture, words).text for picture, words in enumerate(captions.words)]


def edit(texts, do):
    captions = snapshot_of_texts(texts)
    return after(do(captions), captions)


def edit_one(text, do):
    return edit([text], do)[0]


WORDS = ["1girl", "solo", "long hair", "smile", "hat", "red hat", "x"]
LISTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=6), min_size=1, max_size=4)


def as_texts(lists):
    return [", ".join(tags) for tags in lists]


@settings(deadline=None, max_examples=50)
@given(LISTS, st.lists(st.sampled_from(WORDS)), st.sets(st.integers(0, 3)))
def test_remove_is_a_filter_of_lists(lists, gone, selection):
    selection = {picture for picture in selection if picture < len(lists)}
    captions = snapshot_of_texts(as_texts(lists))
    change = edits.remove(captions, gone, selection)
    wanted = [[tag for tag in tags if i not in selection or tag not in gone] for i, tags in enumerate(lists)]
    assert after(change, captions) == as_texts(wanted)
    assert len(change) == sum(old != new for old, new in zip(lists, wanted, strict=True))


@pytest.mark.parametrize("written", ["long hair", "long_hair", "Long Hair", "LONG_HAIR", "(long hair:1.2)"])
@pytest.mark.parametrize("asked", ["long hair", "long_hair", " Long  Hair "])
def test_remove_finds_a_tag_however_it_is_written(written, asked):
    assert (
        edit_one(f"a, {written}, very long hair, hair", lambda c: edits.remove(c, [asked])) == "a, very long hair, hair"
    )


def test_several_tags_may_be_named_in_one_text():
    assert edit_one("a, b, long_hair, c", lambda c: edits.remove(c, ["b, Long Hair ,", ""])) == "a, c"


@pytest.mark.parametrize("tag", ODD_TAGS)
def test_odd_tags_are_found_escaped_or_not(tag):
    for written in {tag, escaped(tag)}:
        captions = snapshot_of_texts([f"a, {written}, b"])
        assert after(edits.remove(captions, [tag]), captions) == ["a, b"]


@pytest.mark.parametrize("tag", ODD_TAGS)
def test_a_tag_that_is_added_is_read_by_the_webui_at_weight_1(tag):
    """Typed as in a caption; where it says the same, without backslashes too."""
    for typed in {escaped(tag), tag if "\\(" not in tag else escaped(tag)}:
        text = edit_one("1girl", lambda c, new=typed: edits.add(c, [new]))
        assert host_reading(text) == [(sign, 1.0) for sign in f"1girl, {tag}"]
        assert read_tags(text) == ["1girl", tag]


@pytest.mark.parametrize(
    ("position", "beside", "wanted"),
    [
        ("front", "", "x, y, a, b, c"),
        ("back", "", "a, b, c, x, y"),
        (0, "", "x, y, a, b, c"),
        (1, "", "a, x, y, b, c"),
        (99, "", "a, b, c, x, y"),
        (-1, "", "a, b, x, y, c"),
        (-99, "", "x, y, a, b, c"),
        ("before", "b", "a, x, y, b, c"),
        ("after", "B", "a, b, x, y, c"),
        ("after", "missing", "a, b, c, x, y"),
        ("before", "missing", "a, b, c, x, y"),
    ],
)
def test_where_tags_are_added(position, beside, wanted):
    assert edit_one("a, b, c", lambda c: edits.add(c, ["x", "y"], position, beside)) == wanted


def test_what_is_there_already_is_not_added():
    texts = ["long_hair, a", "", "a"]
    assert edit(texts, lambda c: edits.add(c, ["Long Hair, long hair"], "front")) == [
        "long_hair, a",
        "Long Hair",
        "Long Hair, a",
    ]


def test_an_added_tag_may_have_a_weight_and_its_brackets_are_escaped_once():
    assert edit_one("a", lambda c: edits.add(c, [r"(hat:1.2), miku (cosplay), saber \(fate\)"])) == (
        r"a, (hat:1.2), miku \(cosplay\), saber \(fate\)"
    )


def test_the_placeholder_of_the_embedding_is_not_escaped():
    assert edit_one("a", lambda c: edits.add(c, ["[name]"], "front")) == "[name], a"


@pytest.mark.parametrize(
    ("tags", "position", "beside", "message"),
    [([], "back", "", "no tag to add"), ([" , "], "back", "", "no tag"), (["x"], "middle", "", "Position"),
     (["x"], "after", " ", "name that one")],
)  # fmt: skip
def test_what_cannot_be_added(tags, position, beside, message):
    with pytest.raises(UserError, match=message):
        edits.add(snapshot_of_texts(["a"]), tags, position, beside)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a, hat, b", "a, cap, b"),
        ("a, (hat:1.2), [hat]", "a, (cap:1.2)"),
        ("hat, a, cap", "a, cap"),
        ("(cap:1.3), hat", "(cap:1.3)"),
        ("red hat", "red hat"),
    ],
)
def test_rename(text, wanted):
    assert edit_one(text, lambda c: edits.rename(c, "Hat", "cap")) == wanted


def test_one_tag_is_corrected_over_many_pictures():
    texts = ["a, hat", "a", "hat, a", "a"]
    assert edit(texts, lambda c: edits.mark(c, "Hat", having=[0, 1], lacking=[2, 3])) == ["a, hat", "a, Hat", "a", "a"]
    with pytest.raises(UserError, match="at once"):
        edits.mark(snapshot_of_texts(texts), "hat", [0], [0])


def test_rename_to_itself_changes_nothing_and_to_another_spelling_that():
    captions = snapshot_of_texts(["a,long_hair", "miku (x), b"])
    assert len(edits.rename(captions, "long_hair", "long_hair")) == 0
    assert len(edits.rename(captions, "miku (x)", "miku (x)")) == 0
    assert after(edits.rename(captions, "long_hair", "long hair"), captions)[0] == "a, long hair"


@pytest.mark.parametrize(("old", "new"), [("", "a"), ("a", ""), ("a", "b, c"), (" ", "b")])
def test_rename_needs_two_names(old, new):
    with pytest.raises(UserError, match="one new name"):
        edits.rename(snapshot_of_texts(["a"]), old, new)


def test_move_to_front_in_the_order_given():
    texts = ["a, b, c, d", "d, a", "b"]
    assert edit(texts, lambda c: edits.move_to_front(c, ["d", "missing", "b"])) == ["d, b, a, c", "d, a", "b"]


@settings(deadline=None, max_examples=50)
@given(LISTS, st.integers(0, 7), st.booleans())
def test_sort_is_the_sort_of_lists(lists, keep, backwards):
    count = {tag: sum(tag in tags for tags in lists) for tag in WORDS}
    keys = {"alphabetical": str.lower, "length": len, "frequency": lambda tag: -count[tag]}
    for order, key in keys.items():
        wanted = [tags[:keep] + sorted(tags[keep:], key=key, reverse=backwards) for tags in lists]
        assert edit(as_texts(lists), lambda c, o=order: edits.sort(c, o, keep, backwards)) == as_texts(wanted)


def test_reverse_twice_is_nothing():
    text = edit_one("a, b, c, d", lambda c: edits.sort(c, "reverse", 1))
    assert text == "a, d, c, b"
    assert edit_one(text, lambda c: edits.sort(c, "reverse", 1)) == "a, b, c, d"


def test_sort_refuses_what_is_no_order():
    with pytest.raises(UserError, match="Order"):
        edits.sort(snapshot_of_texts(["a"]), "random")
    with pytest.raises(UserError, match="Keep first must be 0 or more, got -1"):
        edits.sort(snapshot_of_texts(["a"]), "length", -1)


def test_keep_first():
    assert edit(["a, b, c", "a,b", ""], lambda c: edits.keep_first(c, 2)) == ["a, b", "a,b", ""]


def test_three_equal_tags_leave_one_and_everything_else_alone():
    assert edit_one("x, a, y, a, A, z, (a:1.1)", edits.unique) == "x, a, y, z"
    captions = snapshot_of_texts(["a ,b"])
    assert len(edits.unique(captions)) == 0


@settings(deadline=None, max_examples=50)
@given(LISTS, st.integers(0, 12))
def test_truncate_keeps_the_most_tags_that_fit(lists, most):
    def count_tokens(text):
        return len(text.replace(",", " ,").split())

    result = edit(as_texts(lists), lambda c: edits.truncate(c, most, count_tokens))
    for tags, text in zip(lists, result, strict=True):
        fitting = [number for number in range(len(tags) + 1) if count_tokens(", ".join(tags[:number])) <= most]
        assert text == ", ".join(tags[: max(fitting)])


def test_truncate_asks_little():
    asked = []
    captions = snapshot_of_texts([", ".join(f"t{i}" for i in range(64)), "a"])
    edits.truncate(captions, 10, lambda text: asked.append(text) or len(text.split()))
    assert len(asked) <= 2 + 7


def test_set_tags_keeps_how_the_others_are_written():
    text = edit_one(r"long_hair,(smile:1.1),miku (x)", lambda c: edits.set_tags(c, 0, ["miku (x)", "new", "long_hair"]))
    assert text == "miku (x), new, long_hair"
    assert edit_one("a, (b:1.1)", lambda c: edits.set_tags(c, 0, ["(b:1.1)", "a"])) == "(b:1.1), a"
    assert edit_one("a, (b:1.1)", lambda c: edits.set_tags(c, 0, ["b"])) == "b"


def test_tags_do_not_take_the_place_of_a_sentence():
    captions = snapshot_of_texts(["A girl who sits on a bench."])
    with pytest.raises(UserError, match="Change it as text"):
        edits.set_tags(captions, 0, ["smile"])


def test_set_text_is_kept_letter_by_letter():
    captions = snapshot_of_texts(["a, b"])
    assert after(edits.set_text(captions, 0, " odd ,, text\n"), captions) == [" odd ,, text\n"]
    assert len(edits.set_text(captions, 0, "a, b")) == 0
    with pytest.raises(UserError, match="no picture 3"):
        edits.set_text(captions, 3, "x")


def test_copy_tags():
    texts = ["a, (b:1.1)", "b, c", ""]
    assert edit(texts, lambda c: edits.copy_tags(c, 0, [0, 1, 2])) == ["a, (b:1.1)"] * 3
    assert edit(texts, lambda c: edits.copy_tags(c, 0, [1, 2], "append")) == ["a, (b:1.1)", "b, c, a", "a, (b:1.1)"]
    with pytest.raises(UserError, match="Mode"):
        edits.copy_tags(snapshot_of_texts(texts), 0, [1], "mix")


def test_weights_that_a_user_wrote_survive_other_edits():
    """The weight of every tag, by the WebUI's rules, before and after."""
    text = "1girl, (long hair:1.3), [smile], ((hat, gloves:1.2)), ((blush)), x"
    found = edit_one(text, lambda c: edits.remove(c, ["x", "gloves"]))
    before, now = host_reading(text), host_reading(found)

    def weight(reading, word):
        signs = "".join(sign for sign, _ in reading)
        return reading[signs.index(word)][1]

    for word in ("1girl", "long hair", "smile", "hat", "blush"):
        assert weight(now, word) == pytest.approx(weight(before, word))
    assert "gloves" not in found


LINES = st.lists(st.sampled_from([*ODD_TAGS, *WORDS]), min_size=1, max_size=6)


@settings(deadline=None, max_examples=60)
@given(LINES, st.sampled_from(["alphabetical", "length", "frequency", "reverse"]), st.sampled_from(ODD_TAGS))
def test_a_caption_that_was_edited_is_read_as_what_it_was_meant_to_be(tags, order, new):
    captions = snapshot_of_texts([", ".join(map(escaped, tags))])
    for do in (lambda c: edits.sort(c, order), lambda c: edits.add(c, [escaped(new)], 1), edits.unique):
        change = do(captions)
        captions = captions.replaced(change.new)
        words = captions.words[0]
        assert read_tags(words.text) == [tag.name for tag in words.tags]
    assert {normal(tag) for tag in read_tags(words.text)} == {normal(tag) for tag in [*tags, new]}


def test_the_difference_of_a_change():
    captions = snapshot_of_texts(["a, b", "b", "c"])
    diff = edits.remove(captions, ["b"]).diff()
    assert (diff.files, diff.removed, diff.added) == (2, (("b", 2),), ())
    assert [(one.picture, one.old, one.new) for one in diff.examples] == [(0, "a, b", "a"), (1, "b", "")]
