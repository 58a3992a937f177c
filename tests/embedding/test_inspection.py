"""The numbers of a report, compared with a plain re-derivation."""

import json
import math

import pytest
import torch

from tests.embedding.vocabulary import WORDS, draw_table
from train_gamma.embedding.embedding import Embedding, EmbeddingInfo
from train_gamma.embedding.inspection import inspect

TABLE = draw_table(16, 1)


def decode(token):
    return WORDS[token] if token < len(WORDS) else f"token{token}"


def length(row):
    return math.sqrt(sum(value * value for value in row))


def test_norms_percentiles_and_neighbours_agree_with_a_plain_derivation():
    rows = torch.stack([TABLE[4] * 1.5 + 0.001, draw_table(16, 8, 1)[0]])
    report = inspect(Embedding("x", {"clip_l": rows}), {"clip_l": TABLE}, decode)
    words, lengths = TABLE.double().tolist(), [length(row) for row in TABLE.double().tolist()]
    for vector, row in zip(report.vectors, rows.double().tolist(), strict=True):
        cosines = [
            sum(a * b for a, b in zip(row, word, strict=True)) / length(row) / own
            for word, own in zip(words, lengths, strict=True)
        ]
        order = sorted(range(len(words)), key=lambda token: -cosines[token])[:5]
        assert vector.norm == pytest.approx(length(row), rel=1e-6)
        assert vector.percentile == pytest.approx(100 * sum(own < length(row) for own in lengths) / len(words))
        assert [near.id for near in vector.nearest] == order
        assert [near.cosine for near in vector.nearest] == pytest.approx([cosines[token] for token in order], abs=1e-5)
    assert report.vectors[0].nearest[0].text == "mika"
    assert report.vocabulary_norm["clip_l"] == pytest.approx(sum(lengths) / len(lengths), rel=1e-6)


def test_without_a_vocabulary_there_are_norms_only():
    report = inspect(Embedding("x", {"clip_l": torch.full((1, 4), 0.5)}, 7))
    assert report.vectors[0].norm == 1.0
    assert (report.vectors[0].percentile, report.vectors[0].nearest, report.notes) == (None, (), ())


def test_a_vocabulary_of_another_width_is_left_out_with_a_note():
    report = inspect(Embedding("x", {"clip_l": torch.ones(1, 4)}), {"clip_l": TABLE}, decode)
    assert report.vectors[0].nearest == ()
    assert "no vocabulary of width 4" in report.notes[0]


def test_both_encoders_of_sdxl_are_reported():
    vectors = {"clip_l": torch.ones(2, 16), "clip_g": torch.ones(2, 24)}
    report = inspect(Embedding("x", vectors), {"clip_l": TABLE, "clip_g": draw_table(24, 2)})
    assert [(vector.encoder, vector.index) for vector in report.vectors] == [
        ("clip_l", 1),
        ("clip_l", 2),
        ("clip_g", 1),
        ("clip_g", 2),
    ]
    assert report.vectors[3].nearest[0].text == f"#{report.vectors[3].nearest[0].id}"


def test_a_zero_vector_has_no_neighbours():
    report = inspect(Embedding("x", {"clip_l": torch.zeros(1, 16)}), {"clip_l": TABLE}, decode)
    assert (report.vectors[0].norm, report.vectors[0].percentile, report.vectors[0].nearest) == (0.0, 0.0, ())


def test_the_report_is_json_and_text():
    info = EmbeddingInfo("miniature", "ab" * 32, "", "ab" * 32, 2, '{"seed": 1}', {"author": "me"}, ("A note.",))
    report = inspect(Embedding("tg-mika", {"clip_l": TABLE[3:5]}, 120, info), {"clip_l": TABLE}, decode)
    told = json.loads(json.dumps(report.to_dict()))
    assert told["vectors"][0]["nearest"][0] == {"id": 3, "text": "sks", "cosine": pytest.approx(1, abs=1e-6)}
    assert told["metadata"]["model hash"] == "ab" * 32
    text = report.to_text()
    for part in ("tg-mika: 2 vectors for sd1 (clip_l 16)", "step: 120", "VAE: the checkpoint's own", "clip skip: 2"):
        assert part in text
    for part in ("author: me", "clip_l 1: length", "near 'sks' 1.00", "Note: A note."):
        assert part in text
