"""Thresholds, against their definition written out picture by picture."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from train_gamma.tagging.config import TagConfig
from train_gamma.tagging.interrogator import CHARACTER, GENERAL, RATING, Label
from train_gamma.tagging.thresholds import SEEN, Categories, Seen, fixed_threshold, limits, mcut

PROBABILITY = st.floats(0, 1, width=32)
MCUT = TagConfig(threshold_method="mcut")


@pytest.mark.parametrize(
    ("probabilities", "cut"),
    [
        ([0.9, 0.8, 0.3, 0.2], 0.55),
        ([0.2, 0.9, 0.3, 0.8], 0.55),
        ([0.75, 0.5, 0.25], 0.625),  # equal gaps: the upper one
        ([1.0, 0.0], 0.5),
        ([0.7], 0.5),
        ([], 0.5),
        ([0.3, 0.3, 0.3], 0.5),
    ],
)
def test_mcut_cuts_in_the_middle_of_the_largest_gap(probabilities, cut):
    assert mcut(np.array(probabilities, dtype=np.float64)) == pytest.approx(cut, abs=1e-12)


@settings(deadline=None, max_examples=60)
@given(st.lists(PROBABILITY, min_size=2, max_size=12, unique=True))
def test_mcut_is_what_largeron_defines(probabilities):
    exact = sorted((Fraction(p) for p in probabilities), reverse=True)
    gaps = [(upper - lower, upper + lower) for upper, lower in pairwise(exact)]
    widest = max(gap for gap, _ in gaps)
    middles = [float(total / 2) for gap, total in gaps if float(gap) == float(widest)]
    assert mcut(np.array(probabilities, dtype=np.float32)) == pytest.approx(middles[0])


@settings(deadline=None, max_examples=60)
@given(
    arrays(np.float32, st.tuples(st.integers(1, 4), st.just(9)), elements=PROBABILITY),
    st.lists(st.sampled_from([GENERAL, CHARACTER, "artist", RATING]), min_size=9, max_size=9),
)
def test_mcut_of_many_pictures_is_that_of_each_category_of_each(table, categories):
    labels = [Label(f"tag{n}", category) for n, category in enumerate(categories)]
    known = Categories.of(labels)
    found = limits(Seen.of(table), len(table), known, {}, MCUT)
    assert found.shape == (len(table), len(known.names))
    for picture, probabilities in enumerate(table):
        for number, name in enumerate(known.names):
            own = probabilities[[category == name for category in categories]]
            own = np.where(own >= np.float32(SEEN), own, 0)
            if name == RATING:
                expected = 0.0
            elif not own.any():
                expected = np.inf
            else:
                expected = mcut(own) if name == GENERAL else max(0.15, mcut(own))
            assert found[picture, number] == expected


def test_fixed_thresholds_are_those_of_the_settings_or_of_the_model():
    model = {GENERAL: 0.26, "artist": 0.4}
    own = TagConfig(general_threshold=0.5, character_threshold=0.6, other_threshold=0.7)
    found = {name: fixed_threshold(name, model, TagConfig()) for name in (GENERAL, CHARACTER, "artist", "meta")}
    assert found == {GENERAL: 0.26, CHARACTER: 0.85, "artist": 0.4, "meta": 0.26}
    assert [fixed_threshold(name, model, own) for name in (GENERAL, CHARACTER, "artist", "meta")] == [
        0.5,
        0.6,
        0.7,
        0.7,
    ]
    assert fixed_threshold(GENERAL, {}, TagConfig()) == 0.35


def test_nothing_seen_has_no_threshold_and_no_error():
    labels = [Label("a", GENERAL)]
    seen = Seen.of(np.zeros((0, 1), dtype=np.float32))
    assert limits(seen, 0, Categories.of(labels), {}, MCUT).shape == (0, 1)
    assert Seen.of(np.zeros((3, 0), dtype=np.float32)).labels.size == 0
