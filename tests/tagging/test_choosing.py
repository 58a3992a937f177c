"""Which tags are chosen, against the rules written out tag by tag."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.tagging.labels import INDEX, LABELS, RECOMMENDED, pairs, row
from train_gamma.captions.tag_text import normal
from train_gamma.errors import UserError
from train_gamma.tagging.choosing import Chooser, Tag, problems
from train_gamma.tagging.config import TagConfig
from train_gamma.tagging.interrogator import CHARACTER, GENERAL, RATING

ALL = (GENERAL, CHARACTER, RATING, "copyright")


def chooser(**settings):
    return Chooser(LABELS, RECOMMENDED, TagConfig(**settings))


def names(tags):
    return [tag.name for tag in tags]


def test_tags_from_the_threshold_on_are_chosen_the_most_probable_first():
    found = chooser().choose(pairs({"1girl": 0.5, "long_hair": 0.9, "hair": 0.349, "^_^": 0.35, "hatsune_miku": 0.99}))
    assert [(tag.name, tag.category) for tag in found] == [
        ("long_hair", GENERAL),
        ("1girl", GENERAL),
        ("^_^", GENERAL),
    ]
    assert found[0].probability == pytest.approx(0.9)


def test_each_category_has_its_own_threshold():
    seen = row(hatsune_miku=0.84, vocaloid=0.36, general=0.1)
    assert names(chooser(categories=ALL).choose(seen)) == ["vocaloid", "general"]
    lower = {"character_threshold": 0.5, "other_threshold": 0.4}
    assert names(chooser(categories=ALL, **lower).choose(seen)) == ["hatsune_miku", "general"]


def test_of_the_ratings_only_the_most_probable_is_written():
    seen = row(general=0.4, sensitive=0.6, questionable=0.5, **{"1girl": 0.9})
    assert names(chooser(categories=(" Rating", "GENERAL")).choose(seen)) == ["1girl", "sensitive"]
    assert names(chooser(categories=(RATING,), exclude_tags="sensitive").choose(seen)) == []
    assert names(chooser().choose(seen)) == ["1girl"]


@pytest.mark.parametrize(
    "written", ["long hair", "long_hair", "Long Hair", " LONG_HAIR\n", "x, long  hair", "a\nlong hair"]
)
def test_every_way_to_write_an_excluded_tag_works_and_parts_exclude_nothing(written):
    seen = pairs({"1girl": 0.9, "long_hair": 0.8, "hair": 0.7})
    assert names(chooser(exclude_tags=written).choose(seen)) == ["1girl", "hair"]
    assert names(chooser(exclude_tags="hair, girl").choose(seen)) == ["1girl", "long_hair"]


@pytest.mark.parametrize(
    "written", ["hatsune_miku_(cosplay)", r"Hatsune Miku \(cosplay\)", ">:(, hatsune miku (cosplay)"]
)
def test_brackets_may_be_escaped_in_lists_or_not(written):
    seen = pairs({"hatsune_miku_(cosplay)": 0.9, "hatsune_miku": 0.9})
    assert names(chooser(categories=ALL, exclude_tags=written).choose(seen)) == ["hatsune_miku"]


def test_kept_tags_are_there_when_seen_at_all_whatever_speaks_against_it():
    kept = {"keep_tags": "Hair, hatsune_miku, nude", "exclude_tags": "hair", "max_tags": 2}
    seen = pairs({"1girl": 0.9, "long_hair": 0.8, "hair": 0.05, "hatsune_miku": 0.3, "nude": 0.04})
    assert names(chooser(**kept).choose(seen)) == ["hatsune_miku", "hair"]
    assert names(chooser(**kept | {"max_tags": 3}).choose(seen)) == ["1girl", "hatsune_miku", "hair"]


def test_no_threshold_is_below_what_counts_as_seen():
    assert names(chooser(general_threshold=0.001).choose(pairs({"1girl": 0.05, "hair": 0.0499}))) == ["1girl"]


def test_orders():
    table = np.stack(
        [pairs({"nude": 0.9, "1girl": 0.5, "hair": 0.6}), pairs({"1girl": 0.9, "hair": 0.8}), row(hair=0.9)]
    )
    assert names(chooser().choose(table[0])) == ["nude", "hair", "1girl"]
    assert names(chooser(sort="alphabetical").choose(table[0])) == ["1girl", "hair", "nude"]
    frequency = chooser(sort="frequency")
    assert names(frequency.choose(table[0], frequency.counts(table))) == ["hair", "1girl", "nude"]
    assert [names(tags) for tags in frequency.choose_all(table)][1] == ["hair", "1girl"]
    assert names(frequency.choose(table[0])) == ["nude", "hair", "1girl"]


def test_alphabetical_is_by_what_is_written():
    by_name = chooser(sort="alphabetical", replace_tags=("nude -> Zebra", "nipples -> ant"))
    seen = pairs({"nude": 0.9, "nipples": 0.8, "hair": 0.7})
    assert by_name.caption(by_name.choose(seen)) == "ant, hair, Zebra"


def test_mcut_cuts_each_picture_for_itself():
    mcut = chooser(threshold_method="mcut", general_threshold=0.99, categories=ALL)
    assert names(mcut.choose(pairs({"1girl": 0.9, "hair": 0.85, "nude": 0.3, "hatsune_miku": 0.14}))) == [
        "1girl",
        "hair",
    ]
    assert names(mcut.choose(pairs({"1girl": 0.3, "hair": 0.06}))) == ["1girl"]
    assert mcut.choose(row()) == []


def test_shown_limits_are_those_that_count():
    seen = pairs({"1girl": 0.9, "hair": 0.5, "hatsune_miku": 0.2})
    assert chooser().limits(seen) == {RATING: 0, GENERAL: 0.35, CHARACTER: 0.85, "copyright": 0.35}
    cut = chooser(threshold_method="mcut").limits(seen)
    assert cut == {RATING: 0, GENERAL: pytest.approx(0.25), CHARACTER: 0.15, "copyright": np.inf}


def plainly(probabilities, config):
    """The rules, one label after the other."""
    keep, exclude = ({normal(tag) for tag in text.split(",")} for text in (config.keep_tags, config.exclude_tags))
    limit = {GENERAL: config.general_threshold or 0.35, CHARACTER: config.character_threshold or 0.85}
    ratings = [p for p, label in zip(probabilities, LABELS, strict=True) if label.category == RATING]
    found, kept, rated = [], [], False
    for p, label in zip(probabilities.tolist(), LABELS, strict=True):
        passes = p >= np.float32(limit.get(label.category, config.other_threshold or 0.35)) and p >= np.float32(0.05)
        if label.category == RATING:
            passes = p == max(ratings) and p >= np.float32(0.05) and not rated
            rated |= passes
        if p >= np.float32(0.05) and normal(label.name) in keep:
            kept.append((-p, label.name))
        elif passes and label.category in config.categories and normal(label.name) not in exclude:
            found.append((-p, label.name))
    if config.max_tags:
        found = sorted(found, key=lambda item: (item[0], INDEX[item[1]]))[: max(config.max_tags - len(kept), 0)]
    return [name for _, name in sorted(found + kept, key=lambda item: (item[0], INDEX[item[1]]))]


LISTS = st.lists(st.sampled_from([label.name for label in LABELS]), max_size=3).map(", ".join)


@settings(deadline=None, max_examples=60)
@given(
    arrays(np.float32, st.tuples(st.integers(0, 3), st.just(len(LABELS))), elements=st.floats(0, 1, width=16)),
    st.builds(
        TagConfig,
        general_threshold=st.sampled_from([0.0, 0.01, 0.5, 1.0]),
        other_threshold=st.sampled_from([0.0, 0.3]),
        categories=st.lists(st.sampled_from(ALL), unique=True).map(tuple),
        keep_tags=LISTS,
        exclude_tags=LISTS,
        max_tags=st.integers(0, 4),
    ),
)
def test_choosing_is_what_the_rules_say(table, config):
    made = Chooser(LABELS, RECOMMENDED, config)
    expected = [plainly(probabilities, config) for probabilities in table]
    assert [names(made.choose(probabilities)) for probabilities in table] == expected
    assert [names(tags) for tags in made.choose_all(table)] == expected
    mask = made.mask(table)
    assert [sorted(np.flatnonzero(line)) for line in mask] == [sorted(INDEX[name] for name in row) for row in expected]
    assert made.counts(table).tolist() == mask.sum(axis=0).tolist()


def test_more_pictures_than_are_looked_at_in_one_go():
    table = np.random.default_rng(0).random((600, len(LABELS)), dtype=np.float32)
    made = chooser(categories=ALL, max_tags=5)
    rows = made.choose_all(table)
    assert rows[599] == made.choose(table[599])
    assert rows[256] == made.choose(table[256])
    assert made.counts(table).sum() == sum(len(tags) for tags in rows)


def test_counts_of_tags_are_those_of_the_captions():
    made = chooser(replace_tags=("nude, nipples -> nsfw",), add_tags="zz_gamma, 1girl")
    table = np.stack([pairs({"nude": 0.9, "nipples": 0.8, "1girl": 0.9}), row(nude=0.9, long_hair=0.6), row(hair=0.3)])
    captions = [made.caption(tags) for tags in made.choose_all(table)]
    counted = {tag: sum(tag in caption.split(", ") for caption in captions) for tag, _ in made.tag_counts(table)}
    assert dict(made.tag_counts(table)) == counted == {"zz_gamma": 3, "1girl": 3, "nsfw": 2, "long hair": 1}
    assert made.tag_counts(table)[:2] == [("1girl", 3), ("zz_gamma", 3)]
    assert made.tag_counts(table[:0]) == []


def test_what_the_model_does_not_know_is_noted():
    made = chooser(
        exclude_tags="long hiar, Hair, nsfw",
        keep_tags="hat",
        replace_tags=("nude, x -> nsfw",),
        categories=("charcter",),
    )
    assert made.notes() == [
        "Always keep: the tagger knows no 'hat'.",
        "Exclude tags: the tagger knows no 'long hiar'.",
        "Replace tags: the tagger knows no 'x'.",
        "Categories to write: the tagger has no 'charcter', only rating, general, character, copyright.",
    ]
    assert chooser().notes() == []


def test_bad_rules_are_told_by_problems_and_refused():
    config = TagConfig(replace_tags=("nude", "a, b -> c"))
    assert problems(config) == ["Replace tags: 'nude' has no arrow. Write a rule such as: nude, nipples -> nsfw"]
    with pytest.raises(UserError, match="has no arrow"):
        Chooser(LABELS, RECOMMENDED, config)
    assert problems(dataclasses.replace(config, replace_tags=("", "a, b -> c"))) == []


def test_probabilities_of_another_model_are_a_bug():
    with pytest.raises(ValueError, match="14"):
        chooser().choose(np.zeros(3, dtype=np.float32))


def test_a_tag_has_what_the_page_shows():
    assert chooser().choose(row(hair=0.5)) == [Tag("hair", 0.5, GENERAL)]
