"""Counting tokens without a model: every SD 1.x checkpoint has CLIP's vocabulary, and so does the project.

The rules are those of openai/CLIP clip/simple_tokenizer.py (d05afc4): lower case, split into words, each of which is
then made of byte pairs by itself. No word reaches over a blank, so a text has as many tokens as what is between its
blanks, which comes again and again in captions.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from train_gamma.hosts.checkpoint_source import SHIPPED_TOKENIZER

_WORD = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
"""What CLIP takes for a word."""
MOST_WORDS = 100_000


@lru_cache(maxsize=1)
def token_counter() -> Callable[[str], int] | None:
    """Counts the tokens of a text, without begin and end; None without the library of tokenizers."""
    try:
        tokenizer = _tokenizer()
    except ImportError:
        return None

    def count(text: str) -> int:
        return len(tokenizer.encode(text).ids)

    between_blanks = lru_cache(MOST_WORDS)(count)

    def count_quickly(text: str) -> int:
        if text.isascii() and text.isprintable():
            return sum(map(between_blanks, text.split(" ")))
        return count(text)

    return count_quickly


def _tokenizer() -> Any:
    """Hugging Face's, of the vocabulary that the project has. transformers, which takes seconds, is not needed."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

    vocabulary, merges = (str(SHIPPED_TOKENIZER / name) for name in ("vocab.json", "merges.txt"))
    model: Any = models.BPE
    tokenizer = Tokenizer(model.from_file(vocabulary, merges, end_of_word_suffix="</w>", unk_token="<|endoftext|>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORD), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    return tokenizer
