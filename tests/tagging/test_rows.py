"""What is kept of a model's answer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from train_gamma.tagging.rows import packed, row_of, unpacked

PROBABILITIES = st.lists(st.floats(0, 1, width=32), max_size=40)


@given(PROBABILITIES)
def test_what_is_seen_at_all_keeps_its_exact_probability(values: list[float]) -> None:
    probabilities = np.array(values, np.float32)
    row = unpacked(packed(row_of(probabilities)), len(values))
    assert row is not None
    dense = row.dense(len(values)).tolist()
    assert dense == [value if np.float32(value) >= np.float32(0.05) else 0.0 for value in probabilities.tolist()]


def test_fifty_tags_of_ten_thousand_take_400_bytes() -> None:
    probabilities = np.full(10_000, 0.01, np.float32)
    probabilities[::200] = 0.5
    assert len(packed(row_of(probabilities))) == 400


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:8] * 2, lambda data: b"\xff" * 16])
def test_bytes_that_are_no_row_are_not_taken_for_one(damage: object) -> None:
    data = packed(row_of(np.array([0.0, 0.5, 0.0, 0.9], np.float32)))
    assert unpacked(data, 4) is not None
    assert unpacked(damage(data), 4) is None  # type: ignore[operator]


def test_a_row_of_another_model_is_no_row() -> None:
    data = packed(row_of(np.array([0.0, 0.5, 0.0, 0.9], np.float32)))
    assert unpacked(data, 3) is None
