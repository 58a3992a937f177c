"""``train-gamma ui`` as a program: it serves, trains, and saves what it was doing when it is ended."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.worlds import small_config, write_pictures
from train_gamma.cli import main
from train_gamma.embedding.files import read_embedding

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120.0


def call(port: int, method: str, path: str, content: Any = None) -> Any:
    data = None if content is None else json.dumps(content).encode()
    address = f"http://127.0.0.1:{port}/train-gamma/v1{path}"
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def wait_for(what: Any) -> Any:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            found = what()
        except (urllib.error.URLError, ConnectionError):
            found = None
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("It did not happen in time.")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[int, Any]]:
    """The port and the process of a server without a page."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "modules"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "train_gamma.cli", "ui", "--no-page", "--port", str(port), "--data", "data"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            wait_for(lambda: call(port, "GET", "/state"))
            yield port, process
        finally:
            process.kill()


@pytest.mark.slow
def test_ctrl_c_ends_the_server_and_saves_the_run(server: tuple[int, Any], tmp_path: Path) -> None:
    port, process = server
    write_pictures(tmp_path / "pictures")
    config = small_config(tmp_path, training={"max_steps": 10**6}, output={"folder": ""}).to_dict()
    job = call(port, "POST", "/train", {"config": config})["job"]
    wait_for(lambda: call(port, "GET", f"/jobs/{job}")["step"] >= 3)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=PATIENCE_S)[0]
    step = read_embedding(tmp_path / "data" / "embeddings" / "zzgamma.safetensors").step
    assert step is not None
    assert step >= 3
    assert "Stopping 'zzgamma' and saving it" in output
    assert "Traceback" not in output


@pytest.mark.parametrize("auth", ["me", "me:", ":secret"])
def test_a_password_needs_a_user(auth: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["ui", "--no-page", "--data", str(tmp_path), "--auth", auth]) == 2
    assert "--auth needs a user and a password" in capsys.readouterr().err


def test_open_to_the_network_only_its_own_folders_can_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    served: list[Any] = []
    monkeypatch.setattr("uvicorn.run", lambda app, **keywords: served.append((app, keywords)))
    monkeypatch.setattr("train_gamma.hosts.loaded_models.load_backbone", lambda config: None)
    common = ["ui", "--no-page", "--data", str(tmp_path / "data")]
    assert main([*common, "--host", "0.0.0.0"]) == 0
    assert "Ask for a password" in capsys.readouterr().err
    assert main([*common, "--host", "0.0.0.0", "--allow", str(tmp_path / "p"), "--auth", "me:secret"]) == 0
    assert "Ask for a password" not in capsys.readouterr().err
    assert main(common) == 0
    readable = [app.state.train_gamma_service.host.folders.readable for app, _ in served]
    assert readable == [(tmp_path / "data", tmp_path / "data"), (tmp_path / "data", tmp_path / "p"), ()]
    assert [app.state.train_gamma_access.locked for app, _ in served] == [False, True, False]
    assert [keywords["host"] for _, keywords in served] == ["0.0.0.0", "0.0.0.0", "127.0.0.1"]
