"""Tokens counted without a model are those that the tokenizer of transformers finds."""

import random

import pytest

from train_gamma.hosts.checkpoint_source import SHIPPED_TOKENIZER
from train_gamma.hosts.clip_tokenizer import ClipTokenizer, load_tokenizer
from train_gamma.hosts.token_counting import token_counter

TEXTS = (
    "",
    "1girl",
    '1girl, long hair, hatsune miku \\(cosplay\\), ^_^, >:(, don\'t_say_"lazy"',
    "she's we're I'LL 'd '''s ''t",
    "BLUE_EYES  12345\t67\n8,,, ,",
    "\\m/ |_| <o>_<o> (o)_(o) :3 ...",
    "Café naïve œuvre 初音ミク ½ ² Ⅷ ünïcödé 🙂 e\u0301",
)


@pytest.fixture(scope="module")
def tokenizer() -> ClipTokenizer:
    return load_tokenizer(SHIPPED_TOKENIZER)


@pytest.mark.parametrize("text", TEXTS)
def test_texts_have_as_many_tokens_as_in_transformers(text: str, tokenizer: ClipTokenizer) -> None:
    count = token_counter()
    assert count is not None
    assert count(text) == len(tokenizer.encode(text))


def test_any_ascii_text_has_as_many_tokens_as_in_transformers(tokenizer: ClipTokenizer) -> None:
    rng, count = random.Random(7), token_counter()
    assert count is not None
    for _ in range(300):
        text = "".join(chr(rng.choice((9, 10, 32, rng.randrange(32, 127)))) for _ in range(rng.randrange(40)))
        assert count(text) == len(tokenizer.encode(text)), text
