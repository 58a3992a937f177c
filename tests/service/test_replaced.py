"""Files of the user's that are in the place of an embedding: left alone, or kept elsewhere before they are replaced."""

import shutil
from pathlib import Path

import pytest
import torch

from tests.service.small_host import SmallHost, done, small_run, trained
from train_gamma.embedding.embedding import Embedding
from train_gamma.embedding.files import read_embedding, write_embedding
from train_gamma.errors import UserError
from train_gamma.service import Service
from train_gamma.training.config import EmbeddingConfig, ModelConfig, OutputConfig

PREVIEWS = {"every_n_steps": 3, "prompts": ["[name], night", "[name], sky"]}


def test_a_copy_that_is_there_already_stays_as_it_is(service: Service, host: SmallHost, tmp_path: Path) -> None:
    shown = trained(service, small_run(tmp_path, preview=PREVIEWS, output={"save_every_n_steps": 3}))
    path = service.publish_copy(shown["run"], 3)
    card = host.folders.runs / shown["run"] / "previews" / "000003-00.png"
    assert host.published[-1] == (path, card)
    path.with_name("zzgamma-3.preview.png").write_bytes(b"chosen by hand")
    assert service.publish_copy(shown["run"], 3) == path
    assert host.published[-1] == (path, None)


@pytest.mark.parametrize("name", ["zzgamma-4.safetensors", "ZZgamma-4.pt", "mine/zzgamma-4.safetensors"])
@pytest.mark.parametrize("damaged", [False, True])
def test_a_copy_takes_no_other_embeddings_place(
    name: str, damaged: bool, service: Service, host: SmallHost, tmp_path: Path
) -> None:
    shown = trained(service, small_run(tmp_path))
    mine = host.folders.embeddings / name
    mine.parent.mkdir(exist_ok=True)
    write_embedding(Embedding("mine", {"clip_l": torch.ones(2, 4)}), mine)
    if damaged:
        mine.write_bytes(b"PK torn")
    before, known = mine.read_bytes(), len(host.published)
    with pytest.raises(UserError, match="already"):
        service.publish_copy(shown["run"], 4)
    assert mine.read_bytes() == before
    assert len(host.published) == known
    assert len(list(host.folders.embeddings.rglob("zzgamma-4.*"))) == (0 if name.startswith("ZZ") else 1)


def test_a_copy_takes_no_pictures_place(service: Service, host: SmallHost, tmp_path: Path) -> None:
    shown = trained(service, small_run(tmp_path, output={"format": "png"}))
    mine = host.folders.embeddings / "zzgamma-4.png"
    mine.write_bytes(b"the picture of a card")
    with pytest.raises(UserError, match="already"):
        service.publish_copy(shown["run"], 4)
    assert mine.read_bytes() == b"the picture of a card"


def test_resuming_keeps_the_file_that_was_put_in_the_place_of_its_result(
    service: Service, host: SmallHost, tmp_path: Path
) -> None:
    shown = trained(service, small_run(tmp_path))
    target, run = host.folders.embeddings / "zzgamma.safetensors", host.folders.runs / shown["run"]
    done(service.resume(shown["run"], {"training": {"max_steps": 7}}))
    assert not (run / "replaced").exists()  # it was the run's own
    write_embedding(Embedding("zzgamma", {"clip_l": torch.ones(2, 4)}), target)
    mine = target.read_bytes()
    done(service.resume(shown["run"], {"training": {"max_steps": 8}}))
    assert read_embedding(target).step == 8
    assert (run / "replaced" / "zzgamma.safetensors").read_bytes() == mine


def test_a_picture_in_the_place_of_the_result_is_kept(service: Service, host: SmallHost, tmp_path: Path) -> None:
    host.folders.embeddings.mkdir()
    (host.folders.embeddings / "zzgamma.png").write_bytes(b"the picture of a card")
    shown = trained(service, small_run(tmp_path, output={"format": "png", "overwrite": True}))
    kept = host.folders.runs / shown["run"] / "replaced" / "zzgamma.png"
    assert kept.read_bytes() == b"the picture of a card"


@pytest.mark.parametrize("exists", [False, True])
def test_the_picture_of_a_card_that_was_chosen_by_hand_is_kept(
    exists: bool, service: Service, host: SmallHost, tmp_path: Path
) -> None:
    if exists:
        service.create(EmbeddingConfig(name="zzgamma"), ModelConfig(), OutputConfig())
    host.folders.embeddings.mkdir(exist_ok=True)
    card = host.folders.embeddings / "zzgamma.preview.png"
    card.write_bytes(b"chosen by hand")
    shown = trained(service, small_run(tmp_path, preview=PREVIEWS), replace=exists)
    run = host.folders.runs / shown["run"]
    assert (run / "replaced" / "zzgamma.preview.png").read_bytes() == b"chosen by hand"
    shutil.copyfile(run / "previews" / "000006-00.png", card)  # what the host makes of it
    done(service.resume(shown["run"], {"training": {"max_steps": 7}}))
    assert sum(".preview" in path.name for path in (run / "replaced").iterdir()) == 1


@pytest.mark.parametrize(
    "old", ["zzgamma.safetensors", "zzgamma.pt", "ZZgamma.bin", "sub/zzgamma.pt", "sub/zzgamma.safetensors"]
)
def test_creating_in_the_place_of_an_embedding_keeps_the_old_one(old: str, service: Service, host: SmallHost) -> None:
    path = host.folders.embeddings / old
    path.parent.mkdir(parents=True)
    made = service.create(EmbeddingConfig(name="zzgamma", num_vectors=2), ModelConfig(), OutputConfig(format="pt"))
    made.rename(path)
    before = path.read_bytes()
    service.create(
        EmbeddingConfig(name="zzgamma", num_vectors=3),
        ModelConfig(),
        OutputConfig(format="safetensors", overwrite=True),
    )
    files = [file for file in host.folders.embeddings.rglob("*") if file.is_file()]
    assert files == [host.folders.embeddings / "zzgamma.safetensors"]
    assert read_embedding(files[0]).num_vectors == 3
    (kept,) = (host.folders.runs / "replaced").iterdir()
    assert kept.read_bytes() == before
    assert (kept.stem.rsplit("-", 2)[0], kept.suffix) == (path.stem, path.suffix)
    assert service.runs() == []


def test_creating_twice_in_a_second_keeps_both(service: Service, host: SmallHost) -> None:
    contents = []
    for count in (1, 2, 3):
        embedding = EmbeddingConfig(name="zzgamma", num_vectors=count)
        path = service.create(embedding, ModelConfig(), OutputConfig(overwrite=True))
        contents.append(path.read_bytes())
    kept = [path.read_bytes() for path in (host.folders.runs / "replaced").iterdir()]
    assert sorted(kept) == sorted(contents[:2])


def test_nothing_is_replaced_that_cannot_be_kept(service: Service, host: SmallHost) -> None:
    path = service.create(EmbeddingConfig(name="zzgamma"), ModelConfig(), OutputConfig(format="pt"))
    before = path.read_bytes()
    host.folders.runs.mkdir(exist_ok=True)
    (host.folders.runs / "replaced").write_bytes(b"in the way")
    for ending in ("pt", "safetensors"):
        with pytest.raises(UserError, match="cannot be kept"):
            service.create(EmbeddingConfig(name="zzgamma"), ModelConfig(), OutputConfig(format=ending, overwrite=True))
    assert [file.read_bytes() for file in host.folders.embeddings.iterdir()] == [before]
