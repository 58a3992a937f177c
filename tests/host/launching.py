"""How a WebUI that is already there is started for a test: flags, environment, and a data folder of its own."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from train_gamma.demo import checkpoint

ROOT = Path(__file__).parents[2]
EXTENSION = "sd-webui-train-gamma"
PATIENCE_S = 180.0

FLAGS = (
    "--skip-python-version-check",
    "--skip-torch-cuda-test",
    "--skip-version-check",
    "--skip-prepare-environment",
    "--no-half",
    "--precision=full",
    "--use-cpu=all",
    "--api",
    "--no-download-sd-model",
    "--do-not-download-clip",
)
"""On the CPU, offline, with nothing installed or downloaded."""

SETTINGS: Mapping[str, Any] = {
    "sd_model_checkpoint": "miniature.safetensors",
    "live_previews_enable": False,
    "show_progress_type": "Approx cheap",
    "samples_save": False,
    "grid_save": False,
}

ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
}


def make_data_folder(folder: Path, settings: Mapping[str, Any] | None = None) -> list[str]:
    """Give a WebUI a data folder with the miniature checkpoint in it; the flags that make it use it."""
    models = folder / "models" / "Stable-diffusion"
    models.mkdir(parents=True)
    (folder / "embeddings").mkdir()
    (folder / "extensions").mkdir()
    place_checkpoint(models, folder / "text encoder")
    (folder / "config.json").write_text(json.dumps({**SETTINGS, **(settings or {})}), "utf-8")
    return data_flags(folder)


def place_checkpoint(models: Path, text_encoder: Path) -> None:
    """Put the miniature checkpoint into ``models``.

    The 1.10.1 fork reads the text encoder's weights from the folder with the tokenizer before it reads the
    checkpoint's, so they are put there, in a folder of our own.
    """
    placed = checkpoint.place(models)
    shutil.copytree(checkpoint.TOKENIZER, text_encoder)
    prefix = "cond_stage_model.transformer."
    weights = {k.removeprefix(prefix): v for k, v in load_file(placed).items() if k.startswith(prefix)}
    save_file(weights, text_encoder / "model.safetensors", {"format": "pt"})
    side_car = placed.with_suffix(".yaml")
    text = side_car.read_text("utf-8")
    side_car.write_text(text.replace(str(checkpoint.TOKENIZER.resolve()), str(text_encoder)), "utf-8")


def install_extension(folder: Path, name: str = EXTENSION) -> Path:
    """Put the files of this project into a data folder's extensions, as a clone of a clean tree would."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, check=True, capture_output=True
    )
    target = folder / "extensions" / name
    for entry in listed.stdout.decode().split("\0"):
        if entry and (ROOT / entry).is_file():
            (target / entry).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / entry, target / entry)
    return target


@dataclass
class Server:
    """A WebUI in a process of its own, with the extension."""

    webui: Path
    data: Path
    port: int
    process: "subprocess.Popen[bytes]"
    log: Path
    credentials: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def embeddings(self) -> Path:
        """Its folder of embeddings."""
        return self.data / "embeddings"

    def request(self, path: str, body: Any = None, method: str | None = None, timeout: float = 300) -> Any:
        """The JSON answer of a route; ``urllib.error.HTTPError`` when it refuses."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        if self.credentials:
            request.add_header("Authorization", self.credentials)
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            content = answer.read()
        return json.loads(content) if content else None

    def txt2img(self, prompt: str, **more: Any) -> Any:
        """One picture of 64 x 64 pixels in the host's own way; its answer."""
        body = {"prompt": prompt, "seed": 1, "steps": 20, "width": 64, "height": 64, "cfg_scale": 3.0, **more}
        return self.request("/sdapi/v1/txt2img", {"sampler_name": "Euler a", **body})

    def wait_for_job(self, job: str, state: str = "", step: int = 0) -> Any:
        """The snapshot of a job once it is in ``state`` ("" for any end), or has done ``step`` steps."""
        deadline = time.monotonic() + PATIENCE_S
        ends = {"finished", "stopped", "failed"}
        while time.monotonic() < deadline:
            snapshot = self.request(f"/train-gamma/v1/jobs/{job}")
            if snapshot["state"] == state or (step and snapshot["step"] >= step):
                return snapshot
            if snapshot["state"] in ends:
                assert not state, f"the job ended as {snapshot['state']}: {snapshot['message']}"
                return snapshot
            time.sleep(0.2)
        raise TimeoutError(f"job {job} took more than {PATIENCE_S:.0f} s")

    def reload_ui(self) -> None:
        """Press "Reload UI" and wait until the new page is there."""
        page = self.request("/config")
        button = next(c["id"] for c in page["components"] if c["props"].get("elem_id") == "settings_restart_gradio")
        click = next(i for i, d in enumerate(page["dependencies"]) if button in d["targets"])
        before = self.log_text().count("Startup time:")
        self.request("/run/predict", {"fn_index": click, "data": [], "session_hash": "reload"})
        deadline = time.monotonic() + PATIENCE_S
        while self.log_text().count("Startup time:") == before or not _answers(self):
            assert time.monotonic() < deadline, "the page did not come back"
            time.sleep(0.3)

    def log_text(self) -> str:
        """Everything it printed so far."""
        return self.log.read_text("utf-8", errors="replace")

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


def start_server(webui: Path, data: Path, more_flags: Sequence[str] = ()) -> Server:
    """Start a WebUI that has a data folder, and wait until its model is loaded."""
    port, log = free_port(), data / "server.log"
    command = [sys.executable, "launch.py", *FLAGS, *data_flags(data), f"--port={port}", *more_flags]
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "COMMANDLINE_ARGS")}
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, cwd=webui, env={**environment, **ENVIRONMENT}, stdout=output, stderr=subprocess.STDOUT
        )
    server = Server(webui, data, port, process, log)
    wait_until_ready(server)
    return server


def data_flags(data: Path) -> list[str]:
    """The flags that make a WebUI use a data folder."""
    return [
        f"--data-dir={data}",
        f"--ckpt-dir={data / 'models' / 'Stable-diffusion'}",
        f"--embeddings-dir={data / 'embeddings'}",
    ]


def wait_until_ready(server: Server) -> None:
    """Wait for the API and the model. Fails with the end of the log when the process dies or takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            break
        if all(words in server.log_text() for words in ("Model loaded in", "Startup time:")) and _answers(server):
            return
        time.sleep(0.3)
    server.stop()
    raise RuntimeError(f"the WebUI did not start:\n{server.log_text()[-3000:]}")


def _answers(server: Server) -> bool:
    try:
        with urllib.request.urlopen(server.url + "/internal/ping", timeout=5):
            return True
    except urllib.error.HTTPError:
        return True  # it answers, if only with a refusal
    except OSError:
        return False


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
