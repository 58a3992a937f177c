"""The stand-alone host: one model kept, folders of its own, and the application around it."""

import base64
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from fastapi.testclient import TestClient

from tests.training.plain import PlainBackbone
from train_gamma.api import AccessRules
from train_gamma.errors import UserError
from train_gamma.hosts import loaded_models, standalone_app
from train_gamma.hosts.standalone import StandaloneHost
from train_gamma.hosts.standalone_app import PageHead, make_app
from train_gamma.service import Service
from train_gamma.training.config import ModelConfig
from train_gamma.training.events import Control

PATIENCE_S = 20.0


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[ModelConfig]:
    """What was loaded, from now on, in the place of real models."""
    loaded: list[ModelConfig] = []

    def load(config: ModelConfig) -> PlainBackbone:
        loaded.append(config)
        return PlainBackbone(model_name=Path(config.path).name or "miniature")

    monkeypatch.setattr(loaded_models, "load_backbone", load)
    return loaded


@pytest.fixture
def host(tmp_path: Path) -> StandaloneHost:
    return StandaloneHost(tmp_path / "data")


def test_a_model_is_loaded_once(host: StandaloneHost, loads: list[ModelConfig]) -> None:
    assert host.loaded().title == ""
    with host.borrow(ModelConfig(), Control()) as lent:
        assert host.look(ModelConfig()) is lent
    assert host.look(ModelConfig(checkpointing="on")) is lent
    assert len(loads) == 1
    assert host.loaded().title == "miniature [1111111111]"


@pytest.mark.parametrize("change", [{"clip_skip": 2}, {"precision": "fp16"}, {"vae": "other"}, {"path": "other"}])
def test_another_model_takes_the_place_of_the_first(
    change: dict[str, Any], host: StandaloneHost, loads: list[ModelConfig]
) -> None:
    first = host.look(ModelConfig())
    second = host.look(ModelConfig(**change))
    assert second is not first
    assert host.look(ModelConfig()) is not first  # only one was kept


def test_a_file_that_changed_is_loaded_again(host: StandaloneHost, loads: list[ModelConfig], tmp_path: Path) -> None:
    for place in (tmp_path / "model.safetensors", tmp_path / "folder" / "unet.safetensors"):
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(b"one")
        model = ModelConfig(path=str(place if place.parent == tmp_path else place.parent))
        first = host.look(model)
        assert host.look(model) is first
        os.utime(place, (1, 1))
        assert host.look(model) is not first


def test_looking_at_another_model_leaves_the_one_of_the_job(host: StandaloneHost, loads: list[ModelConfig]) -> None:
    with host.borrow(ModelConfig(path="a"), Control()) as lent:
        other = host.look(ModelConfig(path="b", device="auto"))
        assert host.look(ModelConfig(path="b")) is other
        assert host.look(ModelConfig(path="c")) is not other
        assert host.look(ModelConfig(path="a")) is lent
    assert [config.path for config in loads] == ["a", "b", "c"]
    assert {config.device for config in loads[1:]} == {"cpu"}


def test_one_job_has_the_model_and_another_stops_waiting(host: StandaloneHost, loads: list[ModelConfig]) -> None:
    control, ended = Control(), threading.Event()
    errors: list[Exception] = []

    def wait() -> None:
        try:
            with host.borrow(ModelConfig(), control):
                pass
        except UserError as error:
            errors.append(error)
        ended.set()

    with host.borrow(ModelConfig(), Control()):
        threading.Thread(target=wait).start()
        assert not ended.wait(0.3)
        control.stop()
        assert ended.wait(PATIENCE_S)
    assert "another job" in str(errors[0])
    with host.borrow(ModelConfig(), Control()):
        pass  # its turn has come back


def test_a_model_that_cannot_be_loaded_gives_the_turn_back(host: StandaloneHost, tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(UserError), host.borrow(ModelConfig(path=str(tmp_path / "none.safetensors")), Control()):
            pass


def test_the_threads_are_as_before(host: StandaloneHost, loads: list[ModelConfig]) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with host.borrow(ModelConfig(), Control()):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
        with host.borrow(ModelConfig(path="large"), Control()):
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_the_preview_lies_beside_the_embedding(host: StandaloneHost, tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"picture")
    host.publish(tmp_path / "zz.safetensors", tmp_path / "picture.png")
    host.publish(tmp_path / "other.safetensors", None)
    assert (tmp_path / "zz.preview.png").read_bytes() == b"picture"
    assert not (tmp_path / "other.preview.png").exists()


def test_folders_are_absolute_and_open_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folders = StandaloneHost(Path("data")).folders
    assert (folders.runs, folders.readable) == (tmp_path / "data" / "runs", ())
    limited = StandaloneHost(Path("data"), [Path("pictures")]).folders
    assert limited.readable == (tmp_path / "data", tmp_path / "pictures")


def test_the_api_alone_needs_no_page(host: StandaloneHost) -> None:
    http = TestClient(make_app(Service(host), AccessRules(), page=False))
    assert http.get("/train-gamma/v1/state").json()["host"].endswith("stand-alone")
    assert http.get("/docs").status_code == 200
    assert http.get("/").status_code == 404


def test_without_gradio_there_is_the_api_and_a_sentence(host: StandaloneHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.delitem(sys.modules, "train_gamma.ui.page", raising=False)
    with pytest.raises(UserError, match="needs gradio"):
        make_app(Service(host), AccessRules())
    assert TestClient(make_app(Service(host), AccessRules(), page=False)).get("/docs").status_code == 200


def test_a_lock_is_on_everything(host: StandaloneHost) -> None:
    rules = AccessRules({"me": "secret"}, locked=True, token="t0ken")
    http = TestClient(make_app(Service(host), rules, page=False))
    for path in ("/", "/docs", "/openapi.json", "/train-gamma/v1/state", "/train-gamma/v1/runs/x/previews/1/1"):
        answer = http.get(path)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Basic realm="Train Gamma"')
    key = {"Authorization": "Basic " + base64.b64encode(b"me:secret").decode()}
    assert http.get("/docs", headers=key).status_code == 200
    assert http.get("/train-gamma/v1/state", headers=key).status_code == 200
    assert http.get("/train-gamma/v1/state", headers={"X-Train-Gamma-Token": "t0ken"}).status_code == 200


def test_script_and_style_get_into_the_head_of_the_page_alone() -> None:
    async def inner(scope: Any, receive: Any, send: Any) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"99"), (b"x", b"y")]}
        await send(start)
        await send({"type": "http.response.body", "body": b"<html><he", "more_body": True})
        await send({"type": "http.response.body", "body": b"ad></head></html>"})

    http = TestClient(PageHead(inner, "<script></script>"))
    page = http.get("/")
    assert page.text == "<html><head><script></script></head></html>"
    assert (page.headers["content-length"], page.headers["x"]) == (str(len(page.content)), "y")


def test_a_page_without_its_files_says_so(
    host: StandaloneHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standalone_app, "SCRIPT", tmp_path / "none.js")
    monkeypatch.setitem(sys.modules, "train_gamma.ui.page", type("Page", (), {"build_page": None}))
    with pytest.raises(UserError, match=r"none\.js"):
        make_app(Service(host), AccessRules())


def test_the_page_is_served_with_script_and_style(host: StandaloneHost, loads: list[ModelConfig]) -> None:
    http = TestClient(make_app(Service(host), AccessRules(token="t0ken")))
    page = http.get("/").text
    head = page[: page.index("</head>")]
    for address in ("train-gamma/assets/style.css", "train-gamma/assets/javascript/train_gamma.js"):
        assert f"./{address}" in head
        assert http.get(f"/{address}").status_code == 200
    assert http.get("/train-gamma/v1/state").status_code == 200
