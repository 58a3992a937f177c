"""What falls into the second chunk, beside the reader of prompts that training itself uses."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.doctor.faults import CAPTION
from tests.doctor.folders import clean_folder, examined
from tests.tiny import tiny_tokenizer
from train_gamma.doctor.budget import budget_of
from train_gamma.hosts.prompt_chunks import Chunk, chunk_prompt

NAME = "zzgamma"
WORDS = ("girl", "red hair", "holding sword", "looking at viewer", "photorealistic", "hatsune miku (cosplay)", "1girl")


def count(text: str) -> int:
    return len(tiny_tokenizer().tokens(text))


def first_words(chunks: list[Chunk], number: int) -> list[int]:
    """The token ids of a chunk that are words; the vectors of an embedding have the end token's id."""
    end = tiny_tokenizer().end_id
    return [token for token in chunks[number].ids[1:-1] if token != end]


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=40), st.integers(0, 40), st.integers(1, 75), st.integers(0, 9)
)
def test_what_is_later_is_what_training_puts_there(tags: list[str], place: int, vectors: int, seed: int) -> None:
    random.Random(seed).shuffle(tags)
    numbered = [f"{tag} {k}" for k, tag in enumerate(tags)]
    place = min(place, len(numbered))
    prompt = ", ".join([*numbered[:place], NAME, *numbered[place:]])
    budget = budget_of(prompt, NAME, vectors, count)
    chunks = chunk_prompt(prompt, {NAME: vectors}, tiny_tokenizer())
    assert (len(chunks) > 1) is bool(budget.later)
    assert (NAME in budget.later) is (not chunks[0].splices)
    assert budget.tokens == count(prompt.replace(NAME, "")) + vectors
    comma = tiny_tokenizer().comma_id
    expected = [token for k in range(1, len(chunks)) for token in first_words(chunks, k) if token != comma]
    later = [token for text in budget.later if text != NAME for token in tiny_tokenizer().encode(text)]
    assert later[len(later) - len(expected) :] == expected  # a piece that is torn apart is named whole


@pytest.mark.parametrize(("tokens", "later"), [(57, False), (58, False), (59, True), (60, True)])
def test_a_caption_of_58_tokens_leaves_room_for_16_vectors(tokens: int, later: bool) -> None:
    caption = " ".join(["hat"] * tokens)
    assert count(caption) == tokens
    budget = budget_of(f"{caption}, {NAME}", NAME, 16, count)
    assert budget.tokens == tokens + 1 + 16
    assert budget.later == ((NAME,) if later else ())
    assert (len(chunk_prompt(f"{caption}, {NAME}", {NAME: 16}, tiny_tokenizer())) > 1) is later


def test_vectors_and_template_count_and_the_finding_says_what_is_cut(tmp_path: Path) -> None:
    folder = clean_folder(tmp_path / "set")
    assert examined(folder, num_vectors=4).of("token_budget") == []
    (finding,) = examined(folder, name=NAME, num_vectors=60, templates=("[filewords], [name]",)).of("token_budget")
    assert "12 of 12 prompts have more than 75 tokens" in finding.message
    assert "In 12 of them the embedding itself is in the second chunk." in finding.message
    (longer,) = examined(folder, templates=("[name], [filewords]", "[name]" + " sky" * 80)).of("token_budget")
    assert "12 of 12" in longer.message


def test_emphasis_costs_no_tokens_where_it_is_read(tmp_path: Path) -> None:
    folder = clean_folder(tmp_path / "set")
    words = ", ".join(
        f"(a{k} : 1.2)" for k in range(18)
    )  # 3 words and a comma each as they stand, 1 and a comma as read
    (folder / "00.txt").write_text(words)
    assert examined(folder, emphasis=True).of("token_budget") == []
    assert "'00.png'" in examined(folder, emphasis=False).of("token_budget")[0].message


def test_without_a_tokenizer_nothing_is_guessed(tmp_path: Path) -> None:
    from tests.doctor.folders import config_of
    from train_gamma.doctor.examine import examine

    folder = clean_folder(tmp_path / "set")
    (folder / "00.txt").write_text(", ".join(f"{CAPTION} {k}" for k in range(20)))
    assert examine(config_of(folder)).of("token_budget") == []
