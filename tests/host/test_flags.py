"""WebUIs started with other flags: the API alone, logins, other machines, a stop of the program, a broken part."""

import base64
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.host.launching import Server, install_extension, make_data_folder, start_server
from tests.host.stories import config, decode, draw_pictures, new_name

USER = "Basic " + base64.b64encode(b"ann:secret").decode()


def start(webui_path: Path, data: Path, *flags: str) -> Server:
    make_data_folder(data)
    install_extension(data)
    return start_server(webui_path, data, flags)


@pytest.fixture(scope="module")
def api_only(webui_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The API alone, with a login, open to other machines, with one more folder that they may name."""
    data = tmp_path_factory.mktemp("api")
    allowed = data.parent / "allowed pictures"
    flags = ("--nowebui", "--listen", "--api-auth=ann:secret,bob:other", f"--train-gamma-readable-dir={allowed}")
    server = start(webui_path, data, *flags)
    server.credentials = USER
    yield server
    server.stop()
    assert "Traceback" not in server.log_text()


def refusal(server: Server, path: str, body: Any = None) -> tuple[int, str]:
    """The code and text of an answer that is no success."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        server.request(path, body)
    return refused.value.code, refused.value.read().decode()


def test_trap_2_without_a_page_the_api_trains(api_only: Server) -> None:
    """Settings are never made then: reading one without care is an AttributeError."""
    assert "train_gamma_runs_dir" not in api_only.request("/sdapi/v1/options")
    name = new_name()
    job = api_only.request("/train-gamma/v1/train", {"config": config(api_only, name, 5)})["job"]
    api_only.wait_for_job(job, "finished")
    assert name in api_only.request("/sdapi/v1/embeddings")["loaded"]
    decode(api_only.txt2img(name))


def test_trap_11_the_login_of_the_hosts_api_is_asked_for(api_only: Server) -> None:
    try:
        for credentials in ("", "Basic " + base64.b64encode(b"ann:wrong").decode(), "Basic nonsense"):
            api_only.credentials = credentials
            for path in ("/train-gamma/v1/state", "/train-gamma/v1/jobs", "/train-gamma/v1/embeddings"):
                assert refusal(api_only, path)[0] == 401
            assert refusal(api_only, "/train-gamma/v1/train", {"config": {}})[0] == 401
    finally:
        api_only.credentials = USER
    assert api_only.request("/train-gamma/v1/state")["host"]


def test_other_machines_may_name_some_folders_only(api_only: Server) -> None:
    elsewhere = draw_pictures(api_only.data.parent / "elsewhere", 4)
    values = config(api_only, new_name(), 5)
    values["dataset"]["folder"] = str(elsewhere)
    code, told = refusal(api_only, "/train-gamma/v1/train", {"config": values})
    assert code in (403, 422)
    assert "elsewhere" in told
    allowed = draw_pictures(api_only.data.parent / "allowed pictures", 4)
    values["dataset"]["folder"] = str(allowed)
    job = api_only.request("/train-gamma/v1/train", {"config": values})["job"]
    api_only.wait_for_job(job, "finished")
    values["dataset"]["folder"] = f"{allowed}/../elsewhere"
    assert refusal(api_only, "/train-gamma/v1/train", {"config": values})[0] in (403, 422)


def test_a_login_of_the_page_closes_the_api_and_a_stop_of_the_program_saves_the_run(
    webui_path: Path, tmp_path: Path
) -> None:
    """One start for three things: --gradio-auth, our settings fixed by --listen, and /sdapi/v1/server-stop."""
    data = tmp_path / "data"
    server = start(webui_path, data, "--gradio-auth=ann:1", "--api-auth=ann:secret", "--listen", "--api-server-stop")
    try:
        assert refusal(server, "/train-gamma/v1/state")[0] == 401
        server.credentials = USER
        server.request("/sdapi/v1/options", {"train_gamma_readable_folders": "/"})
        assert server.request("/sdapi/v1/options")["train_gamma_readable_folders"] == ""
        name = new_name()
        job = server.request("/train-gamma/v1/train", {"config": config(server, name, 100_000)})["job"]
        done = server.wait_for_job(job, step=3)["step"]
        with pytest.raises(ValueError, match="Expecting value"):  # the host answers with plain text
            server.request("/sdapi/v1/server-stop", {})
        server.process.wait(90)
        assert (data / "embeddings" / f"{name}.safetensors").is_file()
        runs = list((data / "textual_inversion" / "train_gamma" / "runs").iterdir())
        lines = (runs[0] / "events.jsonl").read_text("utf-8").splitlines()
        assert '"stopped"' in lines[-1]
        assert len(lines) > done
    finally:
        server.stop()
    assert "Traceback" not in server.log_text()


def test_a_broken_part_and_a_broken_onnxruntime_leave_a_tab_that_says_so(webui_path: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    make_data_folder(data)
    extension = install_extension(data)
    (extension / "modules" / "train_gamma" / "ui" / "page.py").write_text(
        "raise RuntimeError('half an update')", "utf-8"
    )
    (extension / "onnxruntime.py").write_text("raise ImportError('DLL load failed')", "utf-8")
    server = start_server(webui_path, data)
    try:
        page = server.request("/config")
        assert [c for c in page["components"] if c["props"].get("elem_id") == "tab_train_gamma"]
        assert any("half an update" in str(c["props"].get("value")) for c in page["components"])
        job = server.request("/train-gamma/v1/train", {"config": config(server, new_name(), 3)})["job"]
        server.wait_for_job(job, "finished")  # the rest works
        decode(server.txt2img("1girl", steps=2))
        assert "DLL load failed" not in server.log_text()
    finally:
        server.stop()


def test_a_killed_program_leaves_whole_files(webui_path: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    server = start(webui_path, data)
    try:
        values = config(server, new_name(), 100_000)
        values["output"]["save_every_n_steps"] = 1
        job = server.request("/train-gamma/v1/train", {"config": values})["job"]
        step = server.wait_for_job(job, step=5)["step"]
        server.process.kill()
        server.process.wait(30)
        server.log.rename(data / "first.log")
        server = start_server(webui_path, data)
        run = server.request("/train-gamma/v1/runs")
        run = (run["runs"] if isinstance(run, dict) else run)[0]
        assert run["step"] >= step - 1
        again = server.request("/train-gamma/v1/resume", {"run": run["name"]})
        server.wait_for_job(again["job"], step=run["step"] + 2)
        server.request(f"/train-gamma/v1/jobs/{again['job']}/stop", {})
        server.wait_for_job(again["job"], "stopped")
    finally:
        server.stop()
