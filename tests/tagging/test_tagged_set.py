"""The known pictures of a folder as one matrix: captions are those of the full rows."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from train_gamma.errors import UserError
from train_gamma.tagging.choosing import Chooser
from train_gamma.tagging.config import TagConfig
from train_gamma.tagging.interrogator import Label
from train_gamma.tagging.rows import row_of
from train_gamma.tagging.tagged_set import Seen, TaggedSet

CATEGORIES = ("rating", "general", "character", "copyright")
LABELS = tuple(Label(f"tag_{k}", CATEGORIES[k % 4], k) for k in range(400))
THRESHOLDS = {"general": 0.3, "character": 0.6}


def drawn(num_pictures: int, seed: int = 0) -> Any:
    """Mostly nothing, as taggers say; a few labels are likely."""
    numbers = np.random.default_rng(seed)
    values = numbers.random((num_pictures, len(LABELS))) ** 12
    values[:, numbers.random(len(LABELS)) < 0.5] = 0.001
    return values.astype(np.float32)


def set_of(probabilities: Any) -> TaggedSet:
    seen = [Seen(row_of(row)) if index % 3 else None for index, row in enumerate(probabilities)]
    return TaggedSet(LABELS, THRESHOLDS, seen)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"general_threshold": 0.6, "categories": ("general", "character", "rating", "copyright")},
        {"threshold_method": "mcut", "categories": ("general", "character")},
        {"sort": "frequency", "max_tags": 5, "keep_tags": "tag 5, tag 9"},
        {"sort": "alphabetical", "exclude_tags": "Tag_1, tag 101", "replace_tags": ("tag 5, tag 13 -> other",)},
        {"weights": True, "add_tags": "zz, tag 5", "add_position": "back"},
    ],
)
def test_captions_are_those_of_the_full_rows(changes: dict[str, Any]) -> None:
    probabilities, config = drawn(30), replace(TagConfig(), **changes)
    tagged = set_of(probabilities)
    known = [index for index in range(30) if index % 3]
    whole = Chooser(LABELS, THRESHOLDS, config)
    counts = whole.counts(probabilities[known])
    expected = {index: whole.caption(whole.choose(probabilities[index], counts)) for index in known}
    choices = tagged.choices(config)
    assert choices.captions() == expected
    assert any(expected.values())
    assert choices.chooser.tag_counts(tagged.matrix) == whole.tag_counts(probabilities[known])
    one = known[7]
    assert choices.chooser.caption(choices.tags(one)) == expected[one]


def test_columns_that_nobody_has_are_left_out() -> None:
    tagged = set_of(drawn(30))
    assert tagged.matrix.shape == (20, len(tagged.labels))
    assert len(tagged.labels) < 250
    assert tagged.known == [index for index in range(30) if index % 3]
    assert 1 in tagged
    assert 0 not in tagged


def test_sentences_come_along() -> None:
    tagged = TaggedSet((), {}, [Seen(None, "a cat"), None, Seen(None, "a dog")])
    assert tagged.choices(TagConfig()).captions() == {0: "a cat", 2: "a dog"}


def test_a_set_of_nothing_is_a_set() -> None:
    tagged = TaggedSet(LABELS, THRESHOLDS, [None, None])
    assert tagged.choices(TagConfig(sort="frequency")).captions() == {}
    assert tagged.choices(TagConfig()).chooser.tag_counts(tagged.matrix) == []


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(UserError, match="Replace tags"):
        set_of(drawn(3)).choices(TagConfig(replace_tags=("no arrow",)))
