"""A finished embedding in the host's next picture: its files, its cache of prompts, its cards."""

import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from PIL import Image

from tests.host.inside.stage import WIDTH, rows
from train_gamma.embedding.embedding import Embedding, EmbeddingInfo
from train_gamma.embedding.files import write_embedding
from train_gamma.hosts.webui_host import WebuiHost

NAME = "zz-published"


@pytest.fixture
def folder(webui: Any) -> Iterator[Path]:
    """The host's folder of embeddings; what a test puts there is gone afterwards."""
    place = Path(webui.cmd_opts.embeddings_dir)
    before = set(place.rglob("*"))
    yield place
    for path in sorted(set(place.rglob("*")) - before, reverse=True):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    database().load_textual_inversion_embeddings(force_reload=True)


def database() -> Any:
    from modules import sd_hijack

    return sd_hijack.model_hijack.embedding_db


def write(path: Path, seed: int = 0, scale: float = 1.0) -> Embedding:
    made = Embedding(NAME, {"clip_l": rows(2, seed) * scale}, 7, EmbeddingInfo("mini", "ab" * 32, clip_skip=1))
    write_embedding(made, path)
    return made


def picture(prompt: str, **more: Any) -> numpy.ndarray:
    """What txt2img makes, with the host's caches as they are."""
    from modules import call_queue, processing, shared

    settings = {"seed": 1, "steps": 4, "width": 64, "height": 64, "cfg_scale": 3.0, "sampler_name": "DDIM", **more}
    with call_queue.queue_lock:
        shared.state.begin("test")
        with closing(processing.StableDiffusionProcessingTxt2Img(prompt=prompt, **settings)) as request:
            image = processing.process_images(request).images[0]
        shared.state.end()
    return numpy.asarray(image).astype(int)


@pytest.mark.parametrize("ending", ["safetensors", "pt", "png"])
def test_trap_6_and_13_13_every_format_of_ours_is_read_by_the_host(webui: Any, folder: Path, ending: str) -> None:
    path = folder / f"{NAME}.{ending}"
    ours = write(path)
    WebuiHost().publish(path, None)
    theirs = database().word_embeddings[NAME]
    assert torch.equal(theirs.vec.cpu(), ours.vectors["clip_l"])
    assert (theirs.vectors, theirs.shape) == (2, WIDTH)
    assert theirs.step == (None if ending == "safetensors" else 7)  # the host reads none from that format
    assert theirs.filename == str(path)


def test_trap_6_what_a_new_torch_writes_by_itself_is_not_read(webui: Any, folder: Path) -> None:
    """Why .pt files are not left to ``torch.save``: the host's safe loader refuses them, and says so nowhere else."""
    path = folder / f"{NAME}.pt"
    torch.save({"string_to_param": {"*": rows()}, "string_to_token": {"*": 265}, "name": NAME}, path)
    WebuiHost().publish(path, None)
    assert NAME not in database().word_embeddings


def test_trap_0_1_and_7_and_13_1_the_same_prompt_gives_the_new_vectors(webui: Any, folder: Path) -> None:
    path = folder / f"{NAME}.safetensors"
    write(path, seed=1, scale=5)
    WebuiHost().publish(path, None)
    old = picture(f"a {NAME}")
    write(path, seed=2, scale=5)
    database().load_textual_inversion_embeddings(force_reload=True)
    assert (picture(f"a {NAME}") == old).all()  # the trap: read anew, and still the old picture
    WebuiHost().publish(path, None)
    new = picture(f"a {NAME}")
    assert (new != old).any()
    assert (new == fresh(f"a {NAME}")).all()


def test_trap_7_the_second_pass_forgets_as_well(webui: Any, folder: Path) -> None:
    path = folder / f"{NAME}.safetensors"
    # the second pass reads the same cache for the same prompt, so it is given one of its own
    hires = {"enable_hr": True, "hr_scale": 1.5, "denoising_strength": 0.7, "hr_upscaler": "Latent"}
    prompts = {"hr_prompt": f"{NAME}, night"}
    write(path, seed=1, scale=5)
    WebuiHost().publish(path, None)
    old = picture("a photo", **hires, **prompts)
    write(path, seed=2, scale=5)
    WebuiHost().publish(path, None)
    new = picture("a photo", **hires, **prompts)
    assert (new != old).any()


def test_trap_7_written_over_in_place_and_in_a_subfolder(webui: Any, folder: Path) -> None:
    path = folder / "ours" / f"{NAME}.safetensors"
    write(path, seed=1)
    database().load_textual_inversion_embeddings()
    WebuiHost().publish(path, None)
    write(path, seed=2)
    database().load_textual_inversion_embeddings()  # what a picture does: the top folder's time is as it was
    assert torch.equal(database().word_embeddings[NAME].vec.cpu(), rows(2, 1))
    WebuiHost().publish(path, None)
    assert torch.equal(database().word_embeddings[NAME].vec.cpu(), rows(2, 2))


def test_trap_0_5_and_13_3_the_hosts_own_training_keeps_its_object(webui: Any, folder: Path) -> None:
    from modules import shared

    write_embedding(Embedding("zz-native", {"clip_l": rows()}), folder / "zz-native.pt")
    database().load_textual_inversion_embeddings(force_reload=True)
    trained = database().word_embeddings["zz-native"]
    shared.state.begin("train_embedding")
    shared.state.job = "train-embedding"
    try:
        path = folder / f"{NAME}.safetensors"
        write(path)
        WebuiHost().publish(path, None)
        assert database().word_embeddings["zz-native"] is trained
        database().load_textual_inversion_embeddings()  # a picture made over the API meanwhile
        assert database().word_embeddings["zz-native"] is trained
        assert NAME in database().word_embeddings
    finally:
        shared.state.end()


def test_the_card_has_the_preview_and_the_preview_is_no_embedding(webui: Any, folder: Path, tmp_path: Path) -> None:
    from modules import ui_extra_networks, ui_extra_networks_textual_inversion

    preview, path = tmp_path / "000007-00.png", folder / f"{NAME}.safetensors"
    Image.new("RGB", (64, 64), (200, 30, 30)).save(preview)
    write(path)
    WebuiHost().publish(path, preview)
    page = ui_extra_networks_textual_inversion.ExtraNetworksPageTextualInversion()
    items = {item["name"]: item for item in page.list_items()}
    assert NAME in items[NAME]["prompt"]
    assert re.search(rf"{NAME}\.preview\.png", items[NAME]["preview"])
    database().load_textual_inversion_embeddings(force_reload=True)
    assert [name for name in database().word_embeddings if NAME in name] == [NAME]
    assert [name for name in database().skipped_embeddings if NAME in name] == []
    assert Image.open(folder / f"{NAME}.preview.png").size == (64, 64)
    assert ui_extra_networks is not None


def test_a_file_that_is_being_written_is_never_read(webui: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from train_gamma import atomic

    seen: list[list[str]] = []
    sync = atomic._sync

    def look_then_sync(path: Path) -> None:
        database().load_textual_inversion_embeddings(force_reload=True)
        seen.append([name for name in database().word_embeddings if NAME in name])
        sync(path)

    monkeypatch.setattr(atomic, "_sync", look_then_sync)
    write(folder / f"{NAME}.pt")
    assert seen == [[]]


def test_a_picture_that_is_asked_for_during_another_one_has_the_embedding(webui: Any, folder: Path) -> None:
    from modules import call_queue

    path = folder / f"{NAME}.safetensors"
    write(path)
    call_queue.queue_lock.acquire()  # somebody's picture
    publishing = threading.Thread(target=WebuiHost().publish, args=(path, None))
    publishing.start()
    while not call_queue.queue_lock._pending_threads:
        pass
    known: list[bool] = []

    def next_picture() -> None:
        with call_queue.queue_lock:
            known.append(NAME in database().word_embeddings)

    waiting = threading.Thread(target=next_picture)
    waiting.start()
    while len(call_queue.queue_lock._pending_threads) < 2:
        pass
    call_queue.queue_lock.release()
    publishing.join(30)
    waiting.join(30)
    assert known == [True]


def fresh(prompt: str) -> numpy.ndarray:
    """The picture with nothing remembered."""
    from modules import processing

    processing.StableDiffusionProcessing.cached_c = [None, None]
    processing.StableDiffusionProcessing.cached_uc = [None, None]
    return picture(prompt)
