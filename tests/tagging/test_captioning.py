"""The text of captions."""

import pytest

from tests.captions.host_emphasis import host_reading
from tests.captions.odd_tags import ODD_TAGS
from train_gamma.captions.tag_text import normal, read_tags
from train_gamma.tagging.captioning import CaptionWriter, Tag
from train_gamma.tagging.config import TagConfig


def caption(*names, sentence="", **settings):
    tags = [Tag(name, 0.98 - 0.01 * place, "general") for place, name in enumerate(names)]
    return CaptionWriter(TagConfig(**settings)).caption(tags, sentence)


def test_spaces_and_escapes_by_default():
    assert caption("long_hair", "^_^", "hatsune_miku_(cosplay)", ">:(", "\\m/") == (
        r"long hair, ^_^, hatsune miku \(cosplay\), >:\(, \\m/"
    )
    assert caption("long_hair", "miku_(x)", spaces=False, escape=False) == "long_hair, miku_(x)"


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("spaces", [False, True])
def test_every_odd_tag_comes_through_the_webui_and_back(spaces, weights):
    text = caption(*ODD_TAGS, spaces=spaces, weights=weights)
    assert [normal(tag) for tag in read_tags(text)] == [normal(tag) for tag in ODD_TAGS]
    read = host_reading(text)
    if not weights:
        assert {weight for _, weight in read} == {1.0}
    assert [normal(tag) for tag in "".join(sign for sign, _ in read).split(", ")] == [normal(tag) for tag in ODD_TAGS]


def test_weights_are_emphasis_with_two_digits():
    text = caption("long_hair", "miku_(x)", weights=True, escape=False)
    assert text == r"(long hair:0.98), (miku \(x\):0.97)"
    assert {weight for sign, weight in host_reading(text)} == {0.98, 1.0, 0.97}


def test_an_additional_tag_that_was_found_too_is_there_once_where_it_was_asked_for():
    assert caption("hat", "Smile", "long_hair", add_tags="zz_gamma, smile") == "zz_gamma, smile, hat, long hair"
    assert caption("hat", "smile", add_tags="Hat", add_position="back") == "smile, Hat"


def test_what_is_typed_stays_as_typed_but_for_brackets_that_are_no_emphasis():
    typed = "my_Style, [name], (hat:1.2), miku (cosplay), miku \\(x\\), my_style"
    assert caption("long_hair", add_tags=typed) == (
        r"my_Style, [name], (hat:1.2), miku \(cosplay\), miku \(x\), long hair"
    )
    assert caption("hat", add_tags="(hat:1.2)") == "(hat:1.2)"


def test_additional_tags_are_written_even_if_they_are_excluded():
    assert caption("hat", add_tags="1girl", exclude_tags="1girl") == "1girl, hat"


def test_a_sentence_comes_before_the_tags_and_its_brackets_weigh_nothing():
    said = " a girl (smiling) with\na sign,  hat, "
    assert caption("hat", "long_hair", sentence=said) == r"a girl \(smiling\) with a sign, hat, long hair"
    assert caption("bag", sentence="a girl", add_tags="zz") == "zz, a girl, bag"
    assert caption("bag", sentence="a girl", add_tags="zz", add_position="back") == "a girl, bag, zz"
    assert caption(sentence="a girl") == "a girl"
    assert caption(sentence=" ") == ""


def test_several_tags_become_one_where_the_first_was():
    rule = ("nude, Nipples -> NSFW",)
    assert caption("hat", "nude", "bag", "nipples", replace_tags=rule) == "hat, NSFW, bag"
    assert caption("nude", "hat", replace_tags=rule, add_tags="nsfw", add_position="back") == "hat, nsfw"
    assert caption("nude", replace_tags=rule, weights=True) == "(NSFW:0.98)"


def test_a_tag_may_become_several_and_rules_do_not_follow_each_other():
    rules = ("twintails -> long_hair, (tails:1.2)", "long_hair -> short hair", "hat → cap")
    assert caption("twintails", "long_hair", "hat", replace_tags=rules) == "long_hair, (tails:1.2), short hair, cap"


def test_a_tag_replaced_by_itself_is_as_it_is_typed():
    assert caption("hat", "bag", replace_tags=("hat -> hat",)) == "hat, bag"


def test_what_a_rule_makes_is_left_out_if_it_is_excluded_unless_it_is_kept():
    rule = {"replace_tags": ("nude -> nsfw",), "exclude_tags": "NSFW"}
    assert caption("nude", "hat", **rule) == "hat"
    assert caption("nude", "hat", keep_tags="nude", **rule) == "nsfw, hat"


def test_labels_that_read_the_same_are_written_once():
    assert caption("long_hair", "Long hair", "long hair") == "long hair"
