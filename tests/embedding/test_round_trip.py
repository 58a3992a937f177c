"""What is written is what is read: by us, by the host's rules, by torch and by safetensors."""

import errno
import json
from pathlib import Path

import pytest
import safetensors.torch
import torch
from PIL import Image

from tests.embedding.host_rules import FIRST_OF_SEQUENCE, host_load, sequence, strips_of
from train_gamma.backbone import ModelIdentity
from train_gamma.embedding.embedding import Embedding, EmbeddingInfo, info_of
from train_gamma.embedding.files import read_embedding, write_embedding
from train_gamma.errors import UserError

INFO = EmbeddingInfo(
    model_name="miniature",
    model_hash="0123456789abcdef" * 4,
    vae_name="vae-ft-mse",
    vae_hash="fedcba9876543210" * 4,
    clip_skip=2,
    config=json.dumps({"embedding": {"init_text": "ein Mädchen"}}),
    extra={"author": "somebody"},
)
SINGLE = {"clip_l": 64}
SDXL = {"clip_l": 768, "clip_g": 1280}
ENDINGS = (".pt", ".safetensors", ".png")


def embedding_with(widths, num_vectors=2, step=120, info=INFO):
    generator = torch.Generator().manual_seed(7)
    return Embedding(
        "tg-mika",
        {name: torch.randn(num_vectors, width, generator=generator) * 0.01 for name, width in widths.items()},
        step,
        info,
    )


def same_vectors(one, other):
    assert list(one) == list(other)
    for name, rows in one.items():
        assert other[name].dtype == torch.float32
        assert torch.equal(rows, other[name])


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("widths", [SINGLE, {"clip_l": 768}, {"clip_h": 1024}, SDXL])
def test_vectors_come_back_bit_for_bit(tmp_path, ending, widths):
    written = embedding_with(widths)
    write_embedding(written, tmp_path / f"tg-mika{ending}")
    read = read_embedding(tmp_path / f"tg-mika{ending}")
    same_vectors(written.vectors, read.vectors)
    assert read.family == {"clip_h": "sd2", "clip_g": "sdxl"}.get(list(widths)[-1], "sd1")
    assert read.num_vectors == 2


@pytest.mark.parametrize("ending", ENDINGS)
def test_everything_known_comes_back(tmp_path, ending):
    write_embedding(embedding_with(SINGLE), tmp_path / f"tg-mika{ending}")
    read = read_embedding(tmp_path / f"tg-mika{ending}")
    assert (read.name, read.step, read.info) == ("tg-mika", 120, INFO)


@pytest.mark.parametrize("ending", [".safetensors", ".png"])
def test_everything_known_of_an_sdxl_embedding_comes_back(tmp_path, ending):
    write_embedding(embedding_with(SDXL, 1), tmp_path / f"tg-mika{ending}")
    read = read_embedding(tmp_path / f"tg-mika{ending}")
    assert (read.name, read.step, read.info) == ("tg-mika", 120, INFO)


@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_known_is_fine(tmp_path, ending):
    write_embedding(embedding_with(SINGLE, step=None, info=EmbeddingInfo()), tmp_path / f"x{ending}")
    read = read_embedding(tmp_path / f"x{ending}")
    assert read.step is None
    assert (read.info.model_hash, read.info.clip_skip, read.info.extra) == ("", None, {})


@pytest.mark.parametrize("ending", ENDINGS)
def test_extreme_values_come_back(tmp_path, ending):
    values = [0.0, -0.0, 1e-45, -1e-38, 3.4028235e38, 1 / 3, -7.25, 1e-8]
    written = Embedding("x", {"clip_l": torch.tensor([values * 8])})
    write_embedding(written, tmp_path / f"x{ending}")
    read = read_embedding(tmp_path / f"x{ending}").vectors["clip_l"]
    assert read.numpy().tobytes() == written.vectors["clip_l"].numpy().tobytes()


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("widths", [SINGLE, SDXL])
def test_the_host_accepts_it(tmp_path, ending, widths):
    written = embedding_with(widths, 1)
    path = tmp_path / f"tg-mika{ending}"
    write_embedding(written, path)
    host = host_load(path)
    assert (host.name, host.vectors, host.shape) == ("tg-mika", 1, sum(widths.values()))
    if widths is SDXL:
        same_vectors(written.vectors, {name: host.vec[name] for name in written.vectors})
    else:
        assert torch.equal(host.vec, written.vectors["clip_l"])
    if widths is SINGLE and ending != ".safetensors":
        assert (host.step, host.checkpoint, host.checkpoint_name) == (120, "0123456789", "miniature")


def test_the_host_reads_the_strips_of_a_card_without_its_chunk(tmp_path):
    path = tmp_path / "tg-mika.png"
    assert sequence(20) == FIRST_OF_SEQUENCE
    write_embedding(embedding_with(SINGLE, 1), path)
    with Image.open(path) as card:
        card.convert("RGB").save(path)
    data = strips_of(path)
    assert torch.equal(data["string_to_param"]["*"].float(), embedding_with(SINGLE, 1).vectors["clip_l"])
    assert data["name"] == "tg-mika"
    same_vectors(read_embedding(path).vectors, embedding_with(SINGLE, 1).vectors)


def test_a_card_shows_the_picture_it_is_given(tmp_path):
    write_embedding(embedding_with(SINGLE, 1), tmp_path / "x.png", Image.new("RGB", (300, 200), (0, 200, 40)))
    with Image.open(tmp_path / "x.png") as card:
        assert card.getpixel((card.width // 2, 200)) == (0, 200, 40)
    assert read_embedding(tmp_path / "x.png").num_vectors == 1


@pytest.mark.parametrize("colour", ["black", "white"])
def test_a_card_with_a_flat_picture_keeps_its_strips(tmp_path, colour):
    path = tmp_path / "x.png"
    write_embedding(embedding_with(SINGLE, 1), path, Image.new("RGB", (64, 64), colour))
    with Image.open(path) as card:
        card.convert("RGB").save(path)
    same_vectors(read_embedding(path).vectors, embedding_with(SINGLE, 1).vectors)


@pytest.mark.parametrize("name", ["名前ünï", "a" * 150, "tg\nmika", ""])
def test_any_name_can_be_drawn(tmp_path, name):
    vectors = embedding_with(SINGLE).vectors
    write_embedding(Embedding(name, vectors, None, EmbeddingInfo(model_name="m" * 300)), tmp_path / "x.png")
    assert read_embedding(tmp_path / "x.png").name == (name or "x")


def test_torch_and_safetensors_read_it_too(tmp_path):
    written = embedding_with({"clip_l": 768}, 4)
    write_embedding(written, tmp_path / "x.pt")
    write_embedding(written, tmp_path / "x.safetensors")
    by_torch = torch.load(tmp_path / "x.pt", weights_only=True)
    assert torch.equal(by_torch["string_to_param"]["*"], written.vectors["clip_l"])
    assert by_torch["train_gamma"]["model_hash"] == INFO.model_hash
    by_safetensors = safetensors.torch.load_file(tmp_path / "x.safetensors")
    assert list(by_safetensors) == ["emb_params"]
    assert torch.equal(by_safetensors["emb_params"], written.vectors["clip_l"])
    with safetensors.safe_open(tmp_path / "x.safetensors", "pt") as file:
        metadata = file.metadata()
    assert metadata["sd_checkpoint"] == "0123456789"
    assert metadata["step"] == "120"


@pytest.mark.parametrize("ending", ENDINGS)
def test_equal_embeddings_give_equal_files(tmp_path, ending):
    paths = [tmp_path / f"{name}{ending}" for name in ("one", "two")]
    for path in paths:
        write_embedding(embedding_with(SINGLE), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.pt"
    write_embedding(embedding_with(SINGLE, step=1), path)

    def full(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write_embedding(embedding_with(SINGLE, step=2), path)
    monkeypatch.undo()
    assert read_embedding(path).step == 1
    assert [file.name for file in tmp_path.iterdir()] == ["x.pt"]


@pytest.mark.parametrize("name", ["x.bin", "x.ckpt", "x", "x.jpg"])
def test_other_endings_are_not_written(tmp_path, name):
    with pytest.raises(UserError, match=r"\.safetensors, \.pt or \.png"):
        write_embedding(embedding_with(SINGLE), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_an_embedding_is_a_snapshot():
    rows = torch.nn.Parameter(torch.zeros(1, 4, dtype=torch.float64))
    embedding = Embedding("x", {"clip_l": rows})
    with torch.no_grad():
        rows += 1
    assert embedding.vectors["clip_l"].tolist() == [[0, 0, 0, 0]]
    assert not embedding.vectors["clip_l"].requires_grad


@pytest.mark.parametrize(
    ("vectors", "told"),
    [
        ({}, "no vectors"),
        ({"clip_l": torch.zeros(4)}, "shape 4"),
        ({"clip_l": torch.zeros(2, 2, 4)}, "shape 2 x 2 x 4"),
        ({"clip_l": torch.zeros(0, 4)}, "shape 0 x 4"),
        ({"clip_l": torch.tensor([[1.0, 2.0], [3.0, float("nan")]])}, "in vector 2 of 2"),
        ({"clip_l": torch.tensor([[float("inf")]])}, "not finite"),
        ({"clip_l": torch.zeros(2, 4), "clip_g": torch.zeros(3, 5)}, "2 for clip_l, 3 for clip_g"),
    ],
)
def test_impossible_vectors_are_refused(vectors, told):
    with pytest.raises(UserError, match=told):
        Embedding("x", vectors)


def test_the_identity_of_a_model_is_recorded():
    identity = ModelIdentity("sd1", "miniature", "ab" * 32, "", "ab" * 32, 2)
    info = info_of(identity, "{}")
    assert (info.model_name, info.short_hash, info.clip_skip, info.config) == ("miniature", "ab" * 5, 2, "{}")
