"""Chunks of prompts, against a second way of working them out."""

import random

import pytest

from tests.tiny import tiny_tokenizer
from train_gamma.hosts.prompt_chunks import Chunk, Named, chunk_prompt, find_names, pad_chunks

BEGIN, END, COMMA = 49406, 49407, 267


def token_id(word: str) -> int:
    (only,) = tiny_tokenizer().encode(word)
    return only


def looking_ahead(prompt: str, lengths: dict[str, int]) -> list[list[int | str]]:
    """Where each chunk ends, found by looking ahead from its start; a vector is the name of its embedding."""
    units = [[word] * lengths[word] if word in lengths else [token_id(word)] for word in prompt.split()]
    chunks: list[list[int | str]] = []
    start = 0
    while start < len(units) or not chunks:
        end, used = start, 0
        while end < len(units) and used + len(units[end]) <= 75:
            used += len(units[end])
            end += 1
        if end < len(units) and used == 75 and units[end] != [COMMA]:
            commas = [index for index in range(start, end) if units[index] == [COMMA]]
            moved = sum(len(unit) for unit in units[commas[-1] + 1 : end]) if commas else 75
            # the comma itself counts to the twenty places from the end
            if moved + 1 <= 20:
                end = commas[-1] + 1
        chunks.append([slot for unit in units[start:end] for slot in unit])
        start = end
    return chunks


def spelled_out(chunk: Chunk, lengths: dict[str, int]) -> list[int | str]:
    slots: list[int | str] = list(chunk.ids[1:-1])
    for splice in chunk.splices:
        slots[splice.start - 1 : splice.start - 1 + lengths[splice.name]] = [splice.name] * lengths[splice.name]
    while slots and slots[-1] == END:
        slots.pop()
    return slots


@pytest.mark.parametrize("seed", range(60))
def test_random_prompts_are_cut_where_looking_ahead_says(seed: int) -> None:
    rng = random.Random(seed)
    lengths = {"zib": rng.choice([1, 2, 7]), "mop": rng.choice([20, 50, 75])}
    words = rng.choices(
        ["cat", "red", ",", "zib", "mop"], [40, 20, rng.choice([1, 4, 15]), 3, 1], k=rng.randint(0, 250)
    )
    prompt = " ".join(words)
    chunks = chunk_prompt(prompt, lengths, tiny_tokenizer())
    assert [spelled_out(chunk, lengths) for chunk in chunks] == looking_ahead(prompt, lengths)
    assert all(len(c.ids) == 77 and c.ids[0] == BEGIN and c.ids[-1] == END for c in chunks)


@pytest.mark.parametrize(
    ("words", "sizes"), [(0, [0]), (1, [1]), (75, [75]), (76, [75, 1]), (150, [75, 75]), (151, [75, 75, 1])]
)
def test_every_75_tokens_make_a_chunk_filled_with_end_tokens(words: int, sizes: list[int]) -> None:
    chunks = chunk_prompt("cat " * words, {}, tiny_tokenizer())
    cat = token_id("cat")
    assert [c.ids for c in chunks] == [(BEGIN, *[cat] * size, *[END] * (76 - size)) for size in sizes]


def test_words_after_a_near_comma_are_not_torn_apart() -> None:
    chunks = chunk_prompt("cat " * 55 + ", " + "dog " * 20, {}, tiny_tokenizer())
    assert [len(spelled_out(c, {})) for c in chunks] == [56, 20]
    chunks = chunk_prompt("cat " * 54 + ", " + "dog " * 21, {}, tiny_tokenizer())
    assert [len(spelled_out(c, {})) for c in chunks] == [75, 1]


def test_embedding_that_does_not_fit_moves_as_a_whole() -> None:
    chunks = chunk_prompt("cat " * 74 + "zib dog", {"zib": 3}, tiny_tokenizer())
    assert spelled_out(chunks[0], {"zib": 3}) == [token_id("cat")] * 74
    assert spelled_out(chunks[1], {"zib": 3}) == ["zib"] * 3 + [token_id("dog")]


def test_embedding_behind_a_comma_takes_its_vectors_along() -> None:
    lengths = {"zib": 4}
    chunks = chunk_prompt("cat " * 60 + ", zib " + "dog " * 11, lengths, tiny_tokenizer())
    assert chunks[0].splices == ()
    assert spelled_out(chunks[1], lengths) == ["zib"] * 4 + [token_id("dog")] * 11


@pytest.mark.parametrize(
    ("prompt", "found"),
    [
        ("a zib, hat", ["a ", Named("zib"), ", hat"]),
        ("ZIB", [Named("zib")]),
        ("zibs xzib zib2 zib_hat", ["zibs xzib zib2 zib_hat"]),
        ("(zib:1.2)", ["(", Named("zib"), ":1.2)"]),
        ("zib-hat", [Named("zib-hat")]),
        ("zib-cat", [Named("zib"), "-cat"]),
        ("<mop> <mop>", [Named("<mop>"), " ", Named("<mop>")]),
        ("my char, char", [Named("my char"), ", char"]),
        ("a.b axb", [Named("a.b"), " axb"]),
        ("", []),
    ],
)
def test_names_are_found_as_words_of_their_own_longest_first(prompt: str, found: list[str | Named]) -> None:
    assert find_names(prompt, ["zib", "zib-hat", "<mop>", "my char", "a.b", ""]) == found


def test_prompt_without_embeddings_is_left_whole() -> None:
    assert find_names("a zib", []) == ["a zib"]


def test_text_around_a_name_has_the_tokens_it_has_in_the_whole_prompt() -> None:
    whole = tiny_tokenizer().encode("a photo of girl, red hair (best quality), it's")
    ids = [i for part in find_names("a photo of zib, red hair (best quality), it's", ["zib"]) if isinstance(part, str)
           for i in tiny_tokenizer().encode(part)]  # fmt: skip
    assert ids == [i for i in whole if i != token_id("girl")]


def test_shorter_prompts_are_padded_with_empty_chunks() -> None:
    prompts = [chunk_prompt(text, {}, tiny_tokenizer()) for text in ("cat", "cat " * 80, "")]
    padded = pad_chunks(prompts, tiny_tokenizer())
    empty = (BEGIN, *[END] * 76)
    cat = (BEGIN, token_id("cat"), *[END] * 75)
    assert [[chunk.ids for chunk in chunks] for chunks in padded] == [
        [cat, empty],
        [chunk.ids for chunk in prompts[1]],
        [empty, empty],
    ]
