"""A started WebUI that is ended in the middle of a run, in the usual ways: the run is saved first."""

import signal
from pathlib import Path

import pytest

from tests.host.launching import Server, install_extension, make_data_folder, start_server
from tests.host.stories import config, new_name


@pytest.mark.parametrize("how", ["Ctrl-C", "server-kill"])
def test_a_run_is_saved_before_the_webui_ends(webui_path: Path, tmp_path: Path, how: str) -> None:
    make_data_folder(tmp_path)
    install_extension(tmp_path)
    server = start_server(webui_path, tmp_path, ["--api-server-stop"])
    try:
        name = new_name()
        job = server.request("/train-gamma/v1/train", {"config": config(server, name, 100_000)})["job"]
        server.wait_for_job(job, step=3)
        end(server, how)
        assert server.process.wait(60) == 0
    finally:
        server.stop()
    assert f"'{name}' is saved first" in server.log_text()
    assert (server.embeddings / f"{name}.safetensors").is_file()
    assert "Traceback" not in server.log_text()


def end(server: Server, how: str) -> None:
    if how == "Ctrl-C":
        server.process.send_signal(signal.SIGINT)
        return
    with pytest.raises(OSError):  # noqa: PT011 - the connection ends without an answer
        server.request("/sdapi/v1/server-kill", {})
