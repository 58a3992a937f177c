"""Files of models: found without the net, downloaded once, and never downloaded again."""

import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.tagging.hub import COMMIT, Hub, running_hub
from tests.tagging.models import write_wd
from train_gamma.errors import UserError
from train_gamma.tagging import download
from train_gamma.tagging.catalogue import Catalogue
from train_gamma.tagging.model_files import fetch_files, find_files
from train_gamma.tagging.model_spec import ModelSpec

WD = ModelSpec("wd-vit-tagger-v3", repository="SmilingWolf/wd-vit-tagger-v3", revision=COMMIT)
NAMES = ("model.onnx", "selected_tags.csv")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def no_net(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a socket nor another program."""

    def refuse(*_arguments: Any, **_named: Any) -> None:
        raise AssertionError("the net was used")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(subprocess, "Popen", refuse)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with running_hub() as found:
        monkeypatch.setenv("HF_ENDPOINT", found.address)
        yield found


def quiet(text: str, done: int, total: int) -> None:
    pass


def put(folder: Path, *names: str, content: bytes = b"-") -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def cached(cache: Path, commit: str, *names: str, reference: str = "") -> Path:
    """As huggingface_hub lays out its cache."""
    repository = cache / "models--SmilingWolf--wd-vit-tagger-v3"
    put(repository / "snapshots" / commit, *names)
    if reference:
        put(repository / "refs", reference, content=commit.encode())
    return repository / "snapshots" / commit


@pytest.mark.usefixtures("no_net")
def test_own_folder_comes_first(tmp_path: Path, cache: Path) -> None:
    put(tmp_path / "wd-vit-tagger-v3", *NAMES)
    cached(cache, COMMIT, *NAMES)
    assert fetch_files(WD, tmp_path, quiet) == {name: tmp_path / "wd-vit-tagger-v3" / name for name in NAMES}


@pytest.mark.usefixtures("no_net")
def test_files_in_folders_of_the_repository_may_lie_flat(tmp_path: Path) -> None:
    spec = ModelSpec("cl", repository="a/cl", model="v1/model.onnx", tags="v1/tag_mapping.json")
    put(tmp_path / "cl", "model.onnx", "v1/tag_mapping.json")
    found = fetch_files(spec, tmp_path, quiet)
    assert found["v1/model.onnx"] == tmp_path / "cl" / "model.onnx"
    assert found["v1/tag_mapping.json"] == tmp_path / "cl" / "v1" / "tag_mapping.json"


@pytest.mark.usefixtures("no_net")
def test_pinned_revision_in_the_cache_comes_before_the_newest(tmp_path: Path, cache: Path) -> None:
    newest = cached(cache, "0" * 40, *NAMES, reference="main")
    assert fetch_files(WD, tmp_path, quiet)["model.onnx"] == newest / "model.onnx"
    pinned = cached(cache, COMMIT, *NAMES)
    assert fetch_files(WD, tmp_path, quiet)["model.onnx"] == pinned / "model.onnx"


@pytest.mark.usefixtures("no_net")
def test_revision_by_tag_is_found_in_the_cache(tmp_path: Path, cache: Path) -> None:
    snapshot = cached(cache, "1" * 40, *NAMES, reference="v2.0")
    spec = ModelSpec("wd", repository="SmilingWolf/wd-vit-tagger-v3", revision="v2.0")
    assert fetch_files(spec, tmp_path, quiet)["selected_tags.csv"] == snapshot / "selected_tags.csv"


def test_files_of_two_revisions_are_not_mixed(tmp_path: Path, cache: Path) -> None:
    cached(cache, COMMIT, "selected_tags.csv")
    cached(cache, "0" * 40, "model.onnx", reference="main")
    assert find_files(WD, tmp_path) == {}


@pytest.mark.usefixtures("no_net")
def test_model_that_is_there_loads_without_the_net_and_without_delay(tmp_path: Path) -> None:
    write_wd(tmp_path / "wd-vit-tagger-v3")
    choices = Catalogue(lambda: tmp_path)
    start = time.perf_counter()
    assert choices.entry("wd-vit-tagger-v3").ready
    assert choices.load("wd-vit-tagger-v3", "auto", quiet).device
    assert choices.load("miniature", "auto", quiet).device
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({"HF_HOME": "{}/home"}, "home/hub"),
        ({"HUGGINGFACE_HUB_CACHE": "{}/old"}, "old"),
        ({"XDG_CACHE_HOME": "{}/xdg"}, "xdg/huggingface/hub"),
    ],
)
def test_cache_is_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], place: str
) -> None:
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(tmp_path))
    cached(tmp_path / place, COMMIT, *NAMES)
    assert len(find_files(WD, tmp_path / "taggers")) == len(NAMES)


def test_model_of_this_machine_alone_is_not_looked_for_elsewhere(tmp_path: Path) -> None:
    put(tmp_path / "mine", "model.onnx")
    with pytest.raises(UserError, match=r"mine' has no selected_tags\.csv"):
        fetch_files(ModelSpec("mine", folder=tmp_path / "mine"), tmp_path, quiet)


def test_download_puts_files_into_the_models_folder(tmp_path: Path, hub: Hub) -> None:
    content = {"model.onnx": bytes(300_000), "selected_tags.csv": b"tag_id,name,category,count\n"}
    for name, data in content.items():
        hub.files[f"SmilingWolf/wd-vit-tagger-v3/resolve/{COMMIT}/{name}"] = data
    heard: list[tuple[str, int, int]] = []
    found = fetch_files(WD, tmp_path, lambda *told: heard.append(told))
    assert {name: path.read_bytes() for name, path in found.items()} == content
    assert found["model.onnx"] == tmp_path / "wd-vit-tagger-v3" / "model.onnx"
    assert heard[0] == ("Connecting", 0, 0)
    assert {total for text, _, total in heard if text.endswith("model.onnx")} <= {300_000}
    assert all(done <= total for text, done, total in heard if text != "Connecting")
    requests = len(hub.asked)
    assert fetch_files(WD, tmp_path, quiet) == found
    assert len(hub.asked) == requests


@pytest.mark.slow
def test_only_what_is_missing_is_downloaded(tmp_path: Path, hub: Hub) -> None:
    put(tmp_path / "wd-vit-tagger-v3", "model.onnx", content=b"mine")
    hub.files[f"SmilingWolf/wd-vit-tagger-v3/resolve/{COMMIT}/selected_tags.csv"] = b"list"
    found = fetch_files(WD, tmp_path, quiet)
    assert found["model.onnx"].read_bytes() == b"mine"
    assert not [path for _, path, _ in hub.asked if path.endswith("model.onnx")]


@pytest.mark.slow
def test_stopped_download_ends_at_once_and_goes_on_later(tmp_path: Path, hub: Hub) -> None:
    content = bytes(range(256)) * 90_000  # its half is more than huggingface_hub writes at once, 10 MiB
    hub.files[f"SmilingWolf/wd-vit-tagger-v3/resolve/{COMMIT}/model.onnx"] = content
    put(tmp_path / "wd-vit-tagger-v3", "selected_tags.csv")
    hub.hold.clear()

    class StoppedError(Exception):
        pass

    def stop_in_the_middle(text: str, done: int, total: int) -> None:
        if done:
            raise StoppedError

    with pytest.raises(StoppedError):
        fetch_files(WD, tmp_path, stop_in_the_middle)
    assert find_files(WD, tmp_path).keys() == {"selected_tags.csv"}
    assert threading.active_count() < 20
    hub.hold.set()
    assert fetch_files(WD, tmp_path, quiet)["model.onnx"].read_bytes() == content
    assert hub.asked[-1][2] > 0  # not from the first byte


def test_no_net_is_told_with_addresses_and_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
    monkeypatch.setenv("HF_ENDPOINT", address)
    with pytest.raises(UserError) as error:
        fetch_files(WD, tmp_path, quiet)
    told = str(error.value)
    for name in NAMES:
        assert f"{address}/SmilingWolf/wd-vit-tagger-v3/resolve/{COMMIT}/{name}" in told
    assert str(tmp_path / "wd-vit-tagger-v3") in told
    assert "Traceback" not in told


def test_addresses_are_those_of_the_hub_when_no_other_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    assert download.addresses("a/b", "v2.0", ["c/d.onnx"]) == ["https://huggingface.co/a/b/resolve/v2.0/c/d.onnx"]


@pytest.mark.slow
def test_file_that_the_repository_lacks_is_told(tmp_path: Path, hub: Hub) -> None:
    with pytest.raises(UserError, match="could not be downloaded"):
        fetch_files(WD, tmp_path, quiet)


@pytest.mark.slow
def test_offline_switch_is_obeyed_and_told(tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UserError, match="HF_HUB_OFFLINE is set"):
        fetch_files(WD, tmp_path, quiet)
    assert hub.asked == []


def test_missing_huggingface_hub_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "huggingface_hub.py").write_text("raise ImportError('No module named huggingface_hub')", "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(UserError, match="No module named huggingface_hub"):
        fetch_files(WD, tmp_path, quiet)


def test_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "taggers").write_text("a file", "utf-8")
    with pytest.raises(UserError, match="cannot be made"):
        fetch_files(WD, tmp_path / "taggers", quiet)


def test_job_of_the_download_is_plain_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names with quotes, blanks and letters of any script reach the other program as they are."""
    seen: list[Any] = []

    def keep(command: list[str], **_named: Any) -> None:
        seen.append(json.loads(command[-1]))
        raise RuntimeError

    monkeypatch.setattr(subprocess, "Popen", keep)
    with pytest.raises(RuntimeError):
        download.download("a/b", "main", ["c.onnx"], tmp_path / "ein 'Ordner' \"ü\"", quiet)
    assert seen[0]["folder"] == str(tmp_path / "ein 'Ordner' \"ü\"")
