"""The text encoder while it is trained: only the rows of the token table that captions use take part."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from common import TEXT_CONFIG, caption, world
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

LENGTH = 77

OPENINGS: tuple[str, ...] = (
    "a photo of",
    "a picture of",
    "a drawing of",
    "a painting of",
    "an illustration of",
    "a portrait of",
    "a cute picture of the",
)
"""Words in front of some captions, which say nothing about the picture."""


class Words:
    """Turns captions into rows of the small table."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer = CLIPTokenizer.from_pretrained(folder)
        phrases = [world.SUBJECT, *world.NAMES, *OPENINGS, "girl", "and with in style"]
        phrases += [tag for attribute in world.ATTRIBUTES.values() for tag in attribute.tags.values() if tag]
        self._ids = {phrase: self._plain(phrase) for phrase in phrases}
        comma = self._plain(",")
        marks = [TEXT_CONFIG["bos_token_id"], TEXT_CONFIG["eos_token_id"]]
        self.used: list[int] = sorted({*marks, *comma, *(token for ids in self._ids.values() for token in ids)})
        row = {token: index for index, token in enumerate(self.used)}
        self._rows = {phrase: [row[token] for token in ids] for phrase, ids in self._ids.items()}
        self._begin, self._end, self._comma = row[marks[0]], row[marks[1]], row[comma[0]]

    def _plain(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def rows(self, captions: Sequence[Sequence[str]], openings: Sequence[str] = ()) -> torch.Tensor:
        """Return the table rows of captions, padded as Stable Diffusion 1 pads."""
        found = torch.full((len(captions), LENGTH), self._end)
        for index, tags in enumerate(captions):
            line = [self._begin]
            if openings and openings[index]:
                line += self._rows[openings[index]]
            for position, tag in enumerate(tags):
                line += ([self._comma] if position else []) + self._rows[tag]
            line = line[: LENGTH - 1]
            found[index, : len(line)] = torch.tensor(line)
        return found


def small_encoder(words: Words) -> CLIPTextModel:
    """Make an untrained encoder whose table holds the used rows only."""
    config = CLIPTextConfig(
        **{**TEXT_CONFIG, "vocab_size": len(words.used), "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}
    )
    encoder = CLIPTextModel(config)
    torch.nn.init.normal_(encoder.get_input_embeddings().weight, std=0.2)
    return encoder


def random_captions(
    shown: Sequence[Mapping[str, str]], rng: random.Random, empty: float = 0.09
) -> tuple[list[list[str]], list[str]]:
    """Make a caption for each picture, and the words in front of it."""
    captions = [caption(values, rng, empty) for values in shown]
    openings = [rng.choice(OPENINGS) if tags and rng.random() < 0.06 else "" for tags in captions]
    return captions, openings
