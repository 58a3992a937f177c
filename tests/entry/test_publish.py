"""A finished embedding in the very next picture: read anew, old prompts forgotten, nobody's training spoiled."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.entry.fake_host import FakeHost, Processing, ProcessingTxt2Img
from train_gamma.hosts import webui_publish
from train_gamma.hosts.webui_publish import native_training, publish


def write(host: FakeHost, name: str, content: bytes = b"vectors") -> Path:
    path = host.embeddings / name
    path.write_bytes(content)
    return path


def fill_caches() -> list[list[Any]]:
    caches = [Processing.cached_c, Processing.cached_uc, ProcessingTxt2Img.cached_hr_c, ProcessingTxt2Img.cached_hr_uc]
    for cache in caches:
        cache[:] = ["prompt", "conditioning"]
    return caches


def run_native_training(file: str, function: str, entered: threading.Event, leave: threading.Event) -> threading.Thread:
    """A thread inside of a function of that name in a file of that name."""
    place: dict[str, Any] = {"entered": entered, "leave": leave}
    exec(compile(f"def {function}():\n    entered.set()\n    leave.wait()", f"/webui/modules/{file}", "exec"), place)
    thread = threading.Thread(target=place[function])
    thread.start()
    assert entered.wait(5)
    return thread


def test_a_new_file_is_known_and_old_prompts_are_forgotten(host: FakeHost) -> None:
    path = write(host, "fox.safetensors")
    caches = fill_caches()
    publish(path, None)
    assert host.database.word_embeddings["fox"].vec == b"vectors"
    assert caches == [[None, None]] * 4  # the very lists, which pictures that are being made share
    assert not host.lock.locked()


def test_a_file_written_over_in_place_is_read_anew(host: FakeHost) -> None:
    publish(write(host, "fox.safetensors"), None)
    (host.embeddings / "fox.safetensors").write_bytes(b"trained")
    host.database.load_textual_inversion_embeddings()  # what the host does for each picture, going by the folder's time
    assert host.database.word_embeddings["fox"].vec == b"vectors"
    publish(host.embeddings / "fox.safetensors", None)
    assert host.database.word_embeddings["fox"].vec == b"trained"


def test_during_a_long_picture_the_caller_goes_on_and_the_next_picture_has_the_embedding(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webui_publish, "PATIENCE", 0.05)
    path = write(host, "fox.safetensors")
    known_at_next_picture: list[bool] = []
    host.lock.acquire()
    began = time.monotonic()
    publish(path, None)
    assert time.monotonic() - began < 2
    assert "fox" not in host.database.word_embeddings

    def next_picture() -> None:
        with host.lock:
            known_at_next_picture.append("fox" in host.database.word_embeddings)

    waiting = threading.Thread(target=next_picture)
    waiting.start()
    until(lambda: len(host.lock._pending_threads) == 2)
    host.lock.release()
    waiting.join(5)
    assert known_at_next_picture == [True]


def test_the_hosts_own_training_keeps_its_object(host: FakeHost) -> None:
    write(host, "native.pt")
    host.database.load_textual_inversion_embeddings(force_reload=True)
    trained = host.database.word_embeddings["native"]
    host.state.job = "train-embedding"
    path = write(host, "fox.safetensors")
    with host.lock:  # the host's page holds it for the whole training
        publish(path, None)
    assert host.database.word_embeddings["native"] is trained
    assert host.database.word_embeddings["fox"].vec == b"vectors"
    host.database.load_textual_inversion_embeddings()  # a picture that is asked for over the API meanwhile
    assert host.database.word_embeddings["native"] is trained


@pytest.mark.parametrize(
    ("file", "function"), [("textual_inversion.py", "train_embedding"), ("hypernetwork.py", "train_hypernetwork")]
)
def test_the_hosts_own_training_is_noticed_when_the_state_does_not_tell(
    host: FakeHost, file: str, function: str
) -> None:
    entered, leave = threading.Event(), threading.Event()
    assert not native_training()
    thread = run_native_training(file, function, entered, leave)
    host.state.job = ""  # a picture over the API came and went
    try:
        assert native_training()
    finally:
        leave.set()
        thread.join()
    assert not native_training()


def test_our_own_job_is_no_native_training(host: FakeHost) -> None:
    host.state.job = "train_gamma"
    assert not native_training()


def test_before_a_model_is_loaded_the_file_is_left_for_the_host_to_find(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modules import sd_models

    monkeypatch.setattr(sd_models.model_data, "sd_model", None)
    publish(write(host, "fox.safetensors"), None)
    assert host.database.reloads == 0


def test_the_last_preview_becomes_the_picture_of_the_card(host: FakeHost, tmp_path: Path) -> None:
    preview = tmp_path / "000100-00.png"
    Image.new("RGB", (8, 8), (10, 200, 10)).save(preview)
    publish(write(host, "fox.safetensors"), preview)
    card = host.embeddings / "fox.preview.png"
    assert card.read_bytes() == preview.read_bytes()
    assert sorted(path.name for path in host.embeddings.iterdir()) == ["fox.preview.png", "fox.safetensors"]


def test_a_card_format_is_its_own_picture(host: FakeHost, tmp_path: Path) -> None:
    preview = tmp_path / "p.png"
    Image.new("RGB", (8, 8)).save(preview)
    publish(write(host, "fox.png"), preview)
    assert [path.name for path in host.embeddings.iterdir()] == ["fox.png"]


def test_no_card_when_the_setting_is_off(host: FakeHost, tmp_path: Path) -> None:
    preview = tmp_path / "p.png"
    Image.new("RGB", (8, 8)).save(preview)
    host.opts.data["train_gamma_card_previews"] = False
    publish(write(host, "fox.safetensors"), preview)
    assert not (host.embeddings / "fox.preview.png").exists()


def test_a_preview_that_is_gone_costs_the_card_alone(
    host: FakeHost, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("train_gamma"), "propagate", True)
    publish(write(host, "fox.safetensors"), tmp_path / "gone.png")
    assert "fox" in host.database.word_embeddings
    assert "card" in caplog.text


def until(condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
