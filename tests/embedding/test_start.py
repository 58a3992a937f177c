"""Where vectors start: from text, from an embedding, from zero, at random."""

import math

import pytest
import torch

from tests.embedding.vocabulary import WORDS, Vocabulary, draw_table
from train_gamma.backbone import Token
from train_gamma.embedding.embedding import Embedding
from train_gamma.embedding.files import write_embedding
from train_gamma.embedding.start import NOISE_SHARE, mean_norm, plan_text, start_vectors
from train_gamma.errors import UserError
from train_gamma.training.config import EmbeddingConfig

RED_HAIR = [Token(1, "red"), Token(2, "hair")]
SDXL = Vocabulary({"clip_l": draw_table(16, 1), "clip_g": draw_table(24, 2)})


def config(**changes):
    return EmbeddingConfig(name="tg-mika", **changes)


def rows_of(vocabulary, *words, encoder="clip_l"):
    return torch.stack([vocabulary.tables[encoder][WORDS.index(word)] for word in words])


def test_a_text_that_fits_is_its_tokens():
    vectors = start_vectors(config(num_vectors=3, init_text="red hair girl"), Vocabulary(), 0)
    assert torch.equal(vectors["clip_l"], rows_of(Vocabulary(), "red", "hair", "girl"))
    assert vectors["clip_l"].dtype == torch.float32


def test_every_text_encoder_starts_from_the_same_words():
    vectors = start_vectors(config(num_vectors=2, init_text="long hair"), SDXL, 0)
    assert list(vectors) == ["clip_l", "clip_g"]
    for encoder, rows in vectors.items():
        assert torch.equal(rows, rows_of(SDXL, "long", "hair", encoder=encoder))


def test_the_vocabulary_is_not_changed():
    vocabulary = Vocabulary()
    before = vocabulary.tables["clip_l"].clone()
    for start in ("text", "zero", "random"):
        start_vectors(config(start=start, num_vectors=3), vocabulary, 0)["clip_l"].add_(1)
    assert torch.equal(vocabulary.tables["clip_l"], before)


def test_a_half_precision_vocabulary_gives_float32_vectors():
    vocabulary = Vocabulary({"clip_l": draw_table(16, 1).half()})
    vectors = start_vectors(config(num_vectors=1, init_text="girl"), vocabulary, 0)["clip_l"]
    assert torch.equal(vectors, vocabulary.tables["clip_l"][:1].float())


def test_a_long_text_is_refused_with_its_tokens_and_the_number_needed():
    with pytest.raises(UserError, match=r"3 tokens \('red', 'hair', 'girl'\).*Vectors per token is 2.*token to 3"):
        start_vectors(config(num_vectors=2, init_text="red hair girl", long_text="refuse"), Vocabulary(), 0)


def test_a_long_text_is_cut_when_asked():
    settings = config(num_vectors=2, init_text="red hair girl", long_text="cut")
    vectors = start_vectors(settings, Vocabulary(), 0)["clip_l"]
    assert torch.equal(vectors, rows_of(Vocabulary(), "red", "hair"))


def test_a_short_text_is_repeated():
    settings = config(num_vectors=5, init_text="red hair", short_text="repeat")
    vectors = start_vectors(settings, Vocabulary(), 0)["clip_l"]
    assert torch.equal(vectors, rows_of(Vocabulary(), "red", "hair", "red", "hair", "red"))


def test_a_short_text_is_padded_with_its_mean():
    settings = config(num_vectors=4, init_text="red hair", short_text="mean")
    vectors = start_vectors(settings, Vocabulary(), 0)["clip_l"]
    words = rows_of(Vocabulary(), "red", "hair")
    assert torch.equal(vectors[:2], words)
    for row in vectors[2:]:
        assert row.tolist() == pytest.approx(((words[0].double() + words[1].double()) / 2).tolist(), rel=1e-6, abs=1e-8)


def test_noise_of_the_stated_length_parts_the_repeats():
    vocabulary = Vocabulary()
    settings = config(num_vectors=4, init_text="girl", short_text="repeat_noise")
    vectors = start_vectors(settings, vocabulary, 3)["clip_l"]
    girl = rows_of(vocabulary, "girl")[0]
    mean = vocabulary.tables["clip_l"].double().pow(2).sum(dim=1).sqrt().mean()
    assert torch.equal(vectors[0], girl)
    for row in vectors[1:]:
        assert (row - girl).double().norm() / mean == pytest.approx(NOISE_SHARE, rel=1e-4)
    assert len({tuple(row.tolist()) for row in vectors}) == 4


@pytest.mark.parametrize("start", ["random", "text"])
def test_the_seed_decides_what_is_random(start):
    settings = config(start=start, num_vectors=3, init_text="girl", short_text="repeat_noise")
    one, again, other = (start_vectors(settings, SDXL, seed) for seed in (5, 5, 6))
    for encoder in SDXL.tables:
        assert torch.equal(one[encoder], again[encoder])
        assert not torch.equal(one[encoder], other[encoder])


def test_the_global_generator_is_left_alone():
    before = torch.random.get_rng_state()
    start_vectors(config(start="random"), SDXL, 2**63 - 1)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_random_vectors_have_the_mean_norm_of_the_vocabulary():
    vectors = start_vectors(config(start="random", num_vectors=8), SDXL, 0)
    for encoder, table in SDXL.tables.items():
        expected = sum(math.sqrt(sum(x * x for x in row)) for row in table.double().tolist()) / len(table)
        assert mean_norm(table) == pytest.approx(expected, rel=1e-6)
        assert vectors[encoder].norm(dim=1).tolist() == pytest.approx([expected] * 8, rel=1e-5)
        assert vectors[encoder].shape == (8, table.shape[1])


def test_random_vectors_point_everywhere():
    rows = start_vectors(config(start="random", num_vectors=75), Vocabulary(), 0)["clip_l"]
    directions = rows / rows.norm(dim=1, keepdim=True)
    assert directions.mean(dim=0).norm() < 0.3


def test_zero_is_zero():
    vectors = start_vectors(config(start="zero", num_vectors=2), SDXL, 0)
    assert {key: tuple(rows.shape) for key, rows in vectors.items()} == {"clip_l": (2, 16), "clip_g": (2, 24)}
    assert not any(rows.any() for rows in vectors.values())


@pytest.mark.parametrize("text", ["", "   "])
def test_an_empty_text_is_refused(text):
    with pytest.raises(UserError, match="Initialization text is empty"):
        start_vectors(config(init_text=text), Vocabulary(), 0)


def written(tmp_path, widths, num_vectors=2):
    rows = {name: draw_table(width, 9, num_vectors) for name, width in widths.items()}
    write_embedding(Embedding("old", rows), tmp_path / "old.safetensors")
    return str(tmp_path / "old.safetensors"), rows


def test_an_embedding_that_fits_is_taken_as_it_is(tmp_path):
    path, rows = written(tmp_path, {"clip_l": 16, "clip_g": 24})
    vectors = start_vectors(config(start="embedding", init_embedding=path, num_vectors=2), SDXL, 0)
    assert all(torch.equal(vectors[encoder], rows[encoder]) for encoder in rows)


def test_the_name_of_a_single_encoder_does_not_matter(tmp_path):
    vocabulary = Vocabulary({"clip_l": draw_table(1024, 1, 4)})
    path, rows = written(tmp_path, {"clip_h": 1024})
    vectors = start_vectors(config(start="embedding", init_embedding=path, num_vectors=2), vocabulary, 0)
    assert torch.equal(vectors["clip_l"], rows["clip_h"])


def test_a_longer_embedding_is_refused_or_cut(tmp_path):
    path, rows = written(tmp_path, {"clip_l": 16}, 3)
    settings = {"start": "embedding", "init_embedding": path, "num_vectors": 2}
    with pytest.raises(UserError, match="has 3 vectors, and Vectors per token is 2"):
        start_vectors(config(**settings), Vocabulary(), 0)
    cut = start_vectors(config(**settings, long_text="cut"), Vocabulary(), 0)
    assert torch.equal(cut["clip_l"], rows["clip_l"][:2])


@pytest.mark.parametrize("short_text", ["repeat", "repeat_noise", "mean"])
def test_a_shorter_embedding_is_filled(tmp_path, short_text):
    path, rows = written(tmp_path, {"clip_l": 16}, 2)
    settings = config(start="embedding", init_embedding=path, num_vectors=3, short_text=short_text)
    vectors = start_vectors(settings, Vocabulary(), 0)["clip_l"]
    assert torch.equal(vectors[:2], rows["clip_l"])
    expected = rows["clip_l"].mean(dim=0) if short_text == "mean" else rows["clip_l"][0]
    distance = float((vectors[2] - expected).norm())
    assert distance == pytest.approx(NOISE_SHARE * mean_norm(Vocabulary().tables["clip_l"]), rel=1e-4) or (
        short_text != "repeat_noise" and distance < 1e-6
    )


def test_an_embedding_for_another_kind_of_model_is_refused(tmp_path):
    path, _ = written(tmp_path, {"clip_l": 8})
    with pytest.raises(UserError, match=r"8 values for clip_l, and the checkpoint takes 16 values for clip_l"):
        start_vectors(config(start="embedding", init_embedding=path), Vocabulary(), 0)
    with pytest.raises(UserError, match="another kind of model"):
        start_vectors(config(start="embedding", init_embedding=path), SDXL, 0)


@pytest.mark.parametrize(("path", "told"), [("", "needs a file"), ("missing.pt", "no embedding file 'missing.pt'")])
def test_a_missing_embedding_is_refused(path, told):
    with pytest.raises(UserError, match=told):
        start_vectors(config(start="embedding", init_embedding=path), Vocabulary(), 0)


def test_the_plan_tells_every_surviving_word():
    plan = plan_text(RED_HAIR, 4, "refuse", "repeat_noise")
    assert (plan.kept, plan.dropped, plan.num_filled, plan.fill) == (tuple(RED_HAIR), (), 2, "repeat_noise")
    assert plan.summary == "'red', 'hair' start 2 vectors; 2 more are repeated from the start with a little noise."


def test_the_plan_tells_what_is_cut():
    plan = plan_text(RED_HAIR, 1, "cut", "mean")
    assert (plan.kept, plan.dropped, plan.num_filled, plan.fill) == ((RED_HAIR[0],), (RED_HAIR[1],), 0, "none")
    assert plan.summary == "'red' starts 1 vector; 'hair' is cut off."


def test_tags_fill_the_vectors_from_the_most_frequent_on():
    settings = config(num_vectors=3, start="tags", init_text="mika")
    vectors = start_vectors(settings, Vocabulary(), 0, ["long hair", "star", "girl"])["clip_l"]
    assert torch.equal(vectors, rows_of(Vocabulary(), "long", "hair", "star"))


def test_a_tag_for_which_there_is_no_room_is_passed_over():
    settings = config(num_vectors=2, start="tags")
    vectors = start_vectors(settings, Vocabulary(), 0, ["girl", "long red hair", "cat"])["clip_l"]
    assert torch.equal(vectors, rows_of(Vocabulary(), "girl", "cat"))


def test_a_tag_that_says_nothing_new_is_passed_over():
    settings = config(num_vectors=3, start="tags")
    vectors = start_vectors(settings, Vocabulary(), 0, ["long hair", "hair", "", "cat"])["clip_l"]
    assert torch.equal(vectors, rows_of(Vocabulary(), "long", "hair", "cat"))


def test_what_tags_do_not_fill_is_filled_as_a_texts_is():
    settings = config(num_vectors=3, start="tags", short_text="repeat")
    vectors = start_vectors(settings, Vocabulary(), 0, ["girl", "cat"])["clip_l"]
    assert torch.equal(vectors, rows_of(Vocabulary(), "girl", "cat", "girl"))


@pytest.mark.parametrize(
    ("tags", "message"),
    [([], "no tags"), (["long red hair"], "'long red hair' is the most frequent"), ([""], "fits into")],
)
def test_tags_that_give_no_start_are_refused(tags, message):
    with pytest.raises(UserError, match=message):
        start_vectors(config(num_vectors=2, start="tags"), Vocabulary(), 0, tags)
