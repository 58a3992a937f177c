"""A small vocabulary with a tokenizer that behaves like CLIP's where it matters: known words are one token."""

import re
from dataclasses import dataclass, field

import torch

from train_gamma.backbone import Token

WORDS = ["girl", "red", "hair", "sks", "mika", "cat", "tg", "star", "long", "quokka"]


def draw_table(width, seed, size=200):
    return torch.randn(size, width, generator=torch.Generator().manual_seed(seed)) * 0.05


@dataclass(frozen=True)
class Vocabulary:
    """What ``start_vectors`` needs of a backbone."""

    tables: dict[str, torch.Tensor] = field(default_factory=lambda: {"clip_l": draw_table(16, 1)})

    def token_tables(self):
        return self.tables

    def tokenize(self, text):
        """Words of WORDS by their index; others in pieces of three letters; digits and signs one by one."""
        tokens = []
        for part in re.findall(r"[^\W\d_]+|\d|[^\s\w]|_", text.lower()):
            pieces = [part] if part in WORDS else re.findall(r".{1,3}", part)
            tokens += [Token(WORDS.index(piece) if piece in WORDS else 20 + hash_of(piece), piece) for piece in pieces]
        return tokens


def hash_of(text):
    return sum(ord(letter) * (index + 1) for index, letter in enumerate(text)) % 170
