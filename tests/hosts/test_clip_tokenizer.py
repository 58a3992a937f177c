"""CLIP's vocabulary."""

from pathlib import Path

import pytest

from tests.tiny import TOKENIZER, tiny_tokenizer
from train_gamma.backbone import Token
from train_gamma.errors import UserError
from train_gamma.hosts.clip_tokenizer import load_tokenizer


def test_known_ids_of_openai_clip() -> None:
    # "a photo of a cat" is the example of the CLIP paper's code; its ids are published in many places
    assert tiny_tokenizer().encode("a photo of a cat") == [320, 1125, 539, 320, 2368]
    tokenizer = tiny_tokenizer()
    assert (tokenizer.begin_id, tokenizer.end_id, tokenizer.comma_id) == (49406, 49407, 267)


def test_tokens_carry_their_text_and_are_never_cut() -> None:
    assert tiny_tokenizer().tokens("A Photo,") == [Token(320, "a"), Token(1125, "photo"), Token(267, ",")]
    assert len(tiny_tokenizer().tokens("cat " * 300)) == 300


def test_part_of_a_character_stands_for_no_text() -> None:
    texts = [token.text for token in tiny_tokenizer().tokens("日本語の犬")]
    assert "" in texts
    assert not any("\ufffd" in text for text in texts)


@pytest.mark.parametrize("missing", ["vocab.json", "merges.txt"])
def test_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    for name in {"vocab.json", "merges.txt"} - {missing}:
        (tmp_path / name).write_bytes((TOKENIZER / name).read_bytes())
    with pytest.raises(UserError, match=missing):
        load_tokenizer(tmp_path)


def test_damaged_vocabulary_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text("{", encoding="utf-8")
    (tmp_path / "merges.txt").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="cannot be read"):
        load_tokenizer(tmp_path)
