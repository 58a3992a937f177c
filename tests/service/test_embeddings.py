"""The list of embeddings in the host's folder."""

import os
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.service.small_host import SmallHost
from train_gamma.embedding.embedding import Embedding, EmbeddingInfo
from train_gamma.embedding.files import write_embedding
from train_gamma.service import Service
from train_gamma.service import embeddings as module


@pytest.fixture
def folder(host: SmallHost) -> Path:
    folder = host.folders.embeddings
    (folder / "styles").mkdir(parents=True)
    rows = {"clip_l": torch.ones(2, 768)}
    write_embedding(Embedding("b", rows, 100, EmbeddingInfo(model_name="novel")), folder / "b.safetensors")
    write_embedding(Embedding("A", {"clip_l": torch.ones(1, 768)}), folder / "styles" / "A.pt")
    write_embedding(Embedding("card", rows), folder / "card.png", Image.new("RGB", (64, 64)))
    Image.new("RGB", (8, 8)).save(folder / "b.png")  # the picture of its card
    Image.new("RGB", (8, 8)).save(folder / "b.preview.png")
    (folder / "torn.pt").write_bytes(b"PK torn")
    (folder / "readme.txt").write_text("mine", "utf-8")
    return folder


def test_embeddings_of_every_format_are_listed_and_pictures_are_not(service: Service, folder: Path) -> None:
    found = service.embeddings()
    assert [summary.name for summary in found] == ["A", "b", "card", "torn"]
    a, b, card, torn = found
    assert (a.num_vectors, a.family, a.path) == (1, "sd1", folder / "styles" / "A.pt")
    assert (b.num_vectors, b.step, b.model_name, b.problem) == (2, 100, "novel", "")
    assert card.num_vectors == 2
    assert "cannot be used" in torn.problem


def test_a_file_is_read_again_only_when_it_changed(
    service: Service, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.embeddings()
    read: list[Path] = []
    original = module.read_embedding

    def watched(path: Path) -> Embedding:
        read.append(path)
        return original(path)

    monkeypatch.setattr(module, "read_embedding", watched)
    service.embeddings()
    assert read == []
    write_embedding(Embedding("b", {"clip_l": torch.ones(3, 768)}), folder / "b.safetensors")
    os.utime(folder / "b.safetensors", (1, 1))
    assert service.embeddings()[1].num_vectors == 3
    assert read == [folder / "b.safetensors"]
    (folder / "b.safetensors").unlink()
    assert [summary.name for summary in service.embeddings()] == ["A", "card", "torn"]


def test_no_folder_is_no_embedding(service: Service) -> None:
    assert service.embeddings() == []


def test_an_embedding_is_measured(service: Service, folder: Path, host: SmallHost) -> None:
    write_embedding(Embedding("own", {"clip_l": host.backbone.tables["clip_l"][[1929]]}), folder / "own.pt")
    report = service.inspect("own")
    assert report.vectors[0].nearest[0].id == 1929
    assert report.vectors[0].nearest[0].cosine == pytest.approx(1.0)
