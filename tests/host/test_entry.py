"""The extension in a started WebUI: tab, settings, routes, Reload UI, Interrupt, installer, plot."""

import base64
import io
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.host.launching import EXTENSION, Server
from tests.host.stories import config, decode, new_name

LONG = 100_000
"""Steps of a run that is not meant to come to its end."""


def begin(server: Server, name: str, steps: int = LONG, **output: Any) -> str:
    """Begin a run; the id of its job."""
    values = config(server, name, steps)
    values["output"].update(output)
    return str(server.request("/train-gamma/v1/train", {"config": values})["job"])


def stop(server: Server, job: str) -> Any:
    """Stop a job; its last snapshot."""
    server.request(f"/train-gamma/v1/jobs/{job}/stop", {})
    return server.wait_for_job(job, "stopped")


def tabs(server: Server) -> list[str]:
    """The labels of our tabs of the page."""
    components = server.request("/config")["components"]
    return [c["props"]["label"] for c in components if c["props"].get("elem_id") == "tab_train_gamma"]


def test_the_tab_the_settings_and_the_routes_are_there(server: Server) -> None:
    assert tabs(server) == ["Train Gamma"]
    settings = server.request("/sdapi/v1/options")
    assert settings["train_gamma_card_previews"] is True
    assert "/train-gamma/v1/train" in server.request("/openapi.json")["paths"]  # the host's docs page
    assert server.request("/train-gamma/v1/state")["host"].startswith("AUTOMATIC1111 1.")


def test_trap_3_reload_ui_twice_in_the_middle_of_a_run(server: Server) -> None:
    """Scripts run again, the server is a new one, the package stays, and the run goes on through both."""
    job = begin(server, new_name())
    at = server.wait_for_job(job, step=2)["step"]
    for _ in range(2):
        server.reload_ui()
        assert tabs(server) == ["Train Gamma"]
        at = server.wait_for_job(job, step=at + 2)["step"]
    assert server.request("/train-gamma/v1/state")["job"] == job
    server.request("/sdapi/v1/interrupt", {})  # and Interrupt still finds it
    assert server.wait_for_job(job, "stopped")["step"] >= at


def test_trap_4_the_interrupt_of_a_picture_is_not_the_runs(server: Server) -> None:
    name = new_name()
    job = begin(server, name)
    server.wait_for_job(job, step=2)
    with ThreadPoolExecutor(1) as pool:
        picture = pool.submit(server.txt2img, "1girl", steps=150)
        until(lambda: progress(server)["state"]["job"] not in ("", "train_gamma"))
        server.request("/sdapi/v1/interrupt", {})
        picture.result()
    at = server.request(f"/train-gamma/v1/jobs/{job}")["step"]
    assert server.wait_for_job(job, step=at + 2)["state"] == "running"
    until(lambda: progress(server)["state"]["job"] == "train_gamma")
    server.request("/sdapi/v1/interrupt", {})
    stopped = server.wait_for_job(job, "stopped")
    assert stopped["step"] > at
    assert (server.embeddings / f"{name}.safetensors").is_file()


def test_trap_4_the_hosts_progress_is_that_of_the_run(server: Server) -> None:
    job = begin(server, new_name(), 40)
    seen = []
    while server.request(f"/train-gamma/v1/jobs/{job}")["state"] != "finished":
        told = progress(server)
        if told["state"]["job"] == "train_gamma" and told["state"]["job_count"] == 40:
            seen.append(told["state"]["job_no"])
        time.sleep(0.1)
    assert len(seen) > 3
    assert seen == sorted(seen)
    assert progress(server)["state"]["job"] == ""


def test_trap_7_the_embedding_is_in_the_picture_and_on_its_card(server: Server) -> None:
    name = new_name()
    nobody = decode(server.txt2img(f"{name}, night", seed=3))
    values = config(server, name, 20, learning_rate="0.05")
    values["preview"].update({"every_n_steps": 20, "at_start": False, "steps": 2})
    job = server.request("/train-gamma/v1/train", {"config": values})["job"]
    server.wait_for_job(job, "finished")
    answer = server.txt2img(f"{name}, night", seed=3)
    assert decode(answer).tobytes() != nobody.tobytes()
    assert f'TI hashes: "{name}:' in json.loads(answer["info"])["infotexts"][0]
    with Image.open(server.embeddings / f"{name}.preview.png") as card:
        card.load()
    assert name in server.request("/sdapi/v1/embeddings")["loaded"]
    assert f"{name}.preview" not in str(server.request("/sdapi/v1/embeddings"))
    answer = server.request(f"/sd_extra_networks/get-single-card?page=textual+inversion&tabname=txt2img&name={name}")
    assert f"{name}.preview.png" in answer["html"]


def test_the_plot_has_a_picture_for_each_copy(server: Server) -> None:
    name = new_name()
    job = begin(server, name, 20, save_every_n_steps=5)
    run = Path(server.wait_for_job(job, "finished")["run"]).name
    plain = decode(server.txt2img(f"{name}, night", seed=3))
    whole = plot(server, f"{name}, night", run)
    assert len(whole) == 4  # after 5, 10, 15 and at the end
    assert len({picture.tobytes() for picture in whole}) == 4
    assert whole[-1].tobytes() == plain.tobytes()
    some = plot(server, f"{name}, night", f"{run}:10,last")
    assert [picture.tobytes() for picture in some] == [whole[1].tobytes(), whole[3].tobytes()]
    again = decode(server.txt2img(f"{name}, night", seed=3))
    assert again.tobytes() == plain.tobytes()  # everything is as before the plot


def test_trap_11_the_hosts_own_installer_call_changes_nothing_and_is_quick(
    server: Server, webui_path: Path, tmp_path: Path
) -> None:
    """The host calls it as a process with its own folder on the path; with onnxruntime there it is silent."""
    there = tmp_path / "there"
    (there / "onnxruntime-1.20.0.dist-info").mkdir(parents=True)
    (there / "onnxruntime-1.20.0.dist-info" / "METADATA").write_text("Name: onnxruntime\nVersion: 1.20.0\n", "utf-8")
    before, took = freeze(), []
    for _ in range(3):
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, str(server.data / "extensions" / EXTENSION / "install.py")],
            cwd=webui_path,
            env={**os.environ, "PYTHONPATH": f"{webui_path}{os.pathsep}{there}"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        took.append(time.perf_counter() - began)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert min(took) < 0.3
    assert freeze() == before


def test_trap_11_flags_of_ours_are_known_to_the_host(server: Server, webui_path: Path) -> None:
    code = "from modules import shared_cmd_options as s; print(s.cmd_opts.train_gamma_runs_dir)"
    done = subprocess.run(
        [sys.executable, "-c", code, f"--data-dir={server.data}", "--train-gamma-runs-dir=/somewhere"],
        cwd=webui_path,
        env={**os.environ, "PYTHONPATH": str(webui_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.splitlines()[-1] == "/somewhere", done.stderr


def plot(server: Server, prompt: str, copies: str) -> list[Image.Image]:
    """The cells of an X/Y/Z plot over copies."""
    scripts = server.request("/sdapi/v1/script-info")
    script = next(s for s in scripts if s["name"] == "x/y/z plot" and not s["is_img2img"])
    choices = [c[0] if isinstance(c, list) else c for c in script["args"][0]["choices"]]
    axis = choices.index("[Train Gamma] copies")
    values = [axis, copies, [], 0, "", [], 0, "", []]
    flags = {"Draw legend": False, "Include Sub Images": True, "Use text inputs instead of dropdowns": True}
    rest = [flags.get(argument["label"], argument["value"]) for argument in script["args"][9:]]
    answer = server.txt2img(prompt, seed=3, script_name="x/y/z plot", script_args=[*values, *rest])
    pictures = [Image.open(io.BytesIO(base64.b64decode(image))).convert("RGB") for image in answer["images"]]
    return [picture for picture in pictures[1:] if picture.size == (64, 64)]


def progress(server: Server) -> Any:
    """What the host says it is doing."""
    return server.request("/sdapi/v1/progress?skip_current_image=true")


def until(condition: Any, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def freeze() -> str:
    """The packages of this Python."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "freeze"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


@pytest.fixture(autouse=True)
def _nothing_runs_afterwards(server: Server) -> Any:
    """A test that fails in the middle does not leave its run to the next one."""
    yield
    job = server.request("/train-gamma/v1/state")["job"]
    if job:
        server.request(f"/train-gamma/v1/jobs/{job}/stop", {})
        until(lambda: not server.request("/train-gamma/v1/state")["job"])
