"""Initialization texts, with a tokenizer that gives each word and each comma a token."""

import re

from hypothesis import given
from hypothesis import strategies as st

from train_gamma.captions.init_text import propose


def count(text: str) -> int:
    return len(re.findall(r"\w+|,", text))


def test_the_most_important_tags_that_fit() -> None:
    found = propose("1girl", ["very_long_hair", "fang", "blue eyes"], 4, count)
    assert found.text == "1girl very long hair"
    assert found.kept == ("1girl", "very long hair")
    assert found.dropped == ("fang", "blue eyes")
    assert (found.tokens, found.least_vectors) == (4, 7)
    assert (found.with_commas, found.with_commas_tokens) == ("1girl, very long hair", 5)


def test_a_shorter_tag_fills_what_is_left() -> None:
    assert propose("1girl", ["very_long_hair", "fang"], 2, count).text == "1girl fang"


def test_nothing_to_say() -> None:
    found = propose("", [], 4, count)
    assert (found.text, found.tokens, found.least_vectors) == ("", 0, 0)


@given(st.lists(st.text("abc_", min_size=1), max_size=6), st.integers(1, 8))
def test_it_never_needs_more_than_the_vectors(tags: list[str], vectors: int) -> None:
    assert propose("1girl", tags, vectors, count).tokens <= vectors
