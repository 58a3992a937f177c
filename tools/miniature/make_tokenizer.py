"""Makes the tokenizer folder from CLIP's vocabulary, ``bpe_simple_vocab_16e6.txt.gz`` (it comes with open_clip_torch).

Usage: ``python make_tokenizer.py VOCABULARY FOLDER``
"""

from __future__ import annotations

import argparse
import gzip
import json
from pathlib import Path

BEGIN, END = "<|startoftext|>", "<|endoftext|>"
MERGES = 48894  # 49408 tokens less 2 x 256 bytes less the two marks


def byte_characters() -> list[str]:
    """Return the printable characters that stand for the 256 bytes, in the order of CLIP's vocabulary."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(others))]


def write(vocabulary: Path, folder: Path) -> None:
    """Write the four files that transformers' CLIPTokenizer reads."""
    folder.mkdir(parents=True, exist_ok=True)
    merges = gzip.decompress(vocabulary.read_bytes()).decode("utf-8").split("\n")[1 : MERGES + 1]
    letters = byte_characters()
    words = (
        letters + [letter + "</w>" for letter in letters] + [merge.replace(" ", "") for merge in merges] + [BEGIN, END]
    )
    ids = {word: number for number, word in enumerate(words)}
    assert len(ids) == len(words) == 49408
    (folder / "vocab.json").write_text(json.dumps(ids, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n", encoding="utf-8")

    def mark(content: str, normalized: bool = True) -> dict[str, object]:
        return {"content": content, "lstrip": False, "normalized": normalized, "rstrip": False, "single_word": False}

    special = {"bos_token": mark(BEGIN), "eos_token": mark(END), "pad_token": END, "unk_token": mark(END)}
    settings = {
        "add_prefix_space": False,
        "bos_token": mark(BEGIN),
        "do_lower_case": True,
        "eos_token": mark(END),
        "errors": "replace",
        "model_max_length": 77,
        "pad_token": END,
        "tokenizer_class": "CLIPTokenizer",
        "unk_token": mark(END),
    }
    for name, content in (("special_tokens_map.json", special), ("tokenizer_config.json", settings)):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("vocabulary", type=Path)
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    write(args.vocabulary, args.folder)
