"""Runs in a started WebUI through the API: what is trained is what txt2img uses, and nobody else is harmed."""

import time
import urllib.error
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.host.launching import Server
from tests.host.stories import config, decode, identity, new_name


def train(server: Server, name: str, steps: int, **training: Any) -> str:
    """Begin a run; the id of its job."""
    answer = server.request("/train-gamma/v1/train", {"config": config(server, name, steps, **training)})
    return str(answer["job"])


def test_an_embedding_interrupted_and_resumed_is_the_character_in_txt2img(server: Server) -> None:
    name = new_name()
    before = identity(server, "girl")
    job = train(server, name, 300)
    server.wait_for_job(job, step=40)
    server.request("/sdapi/v1/interrupt", {})
    stopped = server.wait_for_job(job, "stopped")
    assert 40 <= stopped["step"] < 300
    assert (server.embeddings / f"{name}.safetensors").is_file()
    again = server.request("/train-gamma/v1/resume", {"run": stopped["run"]})
    finished = server.wait_for_job(again["job"], "finished")
    assert finished["step"] == 300
    assert name in server.request("/sdapi/v1/embeddings")["loaded"]
    after = identity(server, name)
    assert before < 0.5
    assert after > 0.75


def test_pictures_of_others_get_their_turn_between_the_steps(server: Server) -> None:
    name = new_name()
    job = train(server, name, 100_000)
    server.wait_for_job(job, step=3)
    begun = time.monotonic()
    picture = server.txt2img("1girl, blue hair", seed=5)
    waited = time.monotonic() - begun
    assert server.request(f"/train-gamma/v1/jobs/{job}")["state"] == "running"
    at = server.request(f"/train-gamma/v1/jobs/{job}")["step"]
    server.wait_for_job(job, step=at + 3)  # and it goes on
    server.request(f"/train-gamma/v1/jobs/{job}/stop", {})
    server.wait_for_job(job, "stopped")
    alone = time.monotonic()
    same = server.txt2img("1girl, blue hair", seed=5)
    alone = time.monotonic() - alone
    assert decode(picture).tobytes() == decode(same).tobytes()
    assert waited < alone + 5


def test_a_new_picture_of_the_same_prompt_shows_the_retrained_embedding(server: Server) -> None:
    """The host keeps the conditioning of the last prompt (webui-host 0.1): naively the old picture comes again."""
    name = new_name()
    server.wait_for_job(train(server, name, 2), "finished")
    old = decode(server.txt2img(f"{name}, night", seed=3))
    answer = server.request(
        "/train-gamma/v1/train", {"config": config(server, name, 30, learning_rate="0.05"), "replace": True}
    )
    server.wait_for_job(answer["job"], "finished")
    assert decode(server.txt2img(f"{name}, night", seed=3)).tobytes() != old.tobytes()


def test_a_picture_is_the_same_before_and_after_a_run(server: Server) -> None:
    prompt = "1girl, red hair, (blue eyes:1.2), night"
    before = decode(server.txt2img(prompt, seed=11))
    server.wait_for_job(train(server, new_name(), 5), "finished")
    assert decode(server.txt2img(prompt, seed=11)).tobytes() == before.tobytes()


def test_ten_requests_at_once_and_a_run_all_end(server: Server) -> None:
    job = train(server, new_name(), 60)
    with ThreadPoolExecutor(5) as pool:
        pictures = list(pool.map(lambda seed: server.txt2img("1girl", seed=seed, steps=4), range(10)))
    assert all(len(picture["images"]) == 1 for picture in pictures)
    assert server.wait_for_job(job, "finished")["step"] == 60


def test_a_second_run_is_refused_while_one_goes_on(server: Server) -> None:
    job = train(server, new_name(), 100_000)
    with pytest.raises(urllib.error.HTTPError) as refused:
        train(server, new_name(), 5)
    assert refused.value.code == 409
    server.request(f"/train-gamma/v1/jobs/{job}/stop", {})
    server.wait_for_job(job, "stopped")


def test_reload_ui_does_not_end_a_run(server: Server) -> None:
    name, prompt = new_name(), "1girl, green hair, night"
    before, options = decode(server.txt2img(prompt)), server.request("/sdapi/v1/options")
    job = train(server, name, 100_000)
    at = server.wait_for_job(job, step=3)["step"]
    server.reload_ui()
    assert server.wait_for_job(job, step=at + 2)["state"] == "running"
    server.request(f"/train-gamma/v1/jobs/{job}/stop", {})
    stopped = server.wait_for_job(job, "stopped")
    again = server.request("/train-gamma/v1/resume", {"run": stopped["run"], "changes": {}})
    server.wait_for_job(again["job"], step=stopped["step"] + 2)
    server.request("/sdapi/v1/interrupt", {})
    server.wait_for_job(again["job"], "stopped")
    assert decode(server.txt2img(prompt)).tobytes() == before.tobytes()
    assert server.request("/sdapi/v1/options") == options


def test_changing_the_checkpoint_in_the_middle_ends_the_run_with_everything_saved(server: Server) -> None:
    models = server.data / "models" / "Stable-diffusion"
    other = models / "other.safetensors"
    other.write_bytes((models / "miniature.safetensors").read_bytes() + b"")
    (models / "other.yaml").write_bytes((models / "miniature.yaml").read_bytes())
    server.request("/sdapi/v1/refresh-checkpoints", {})
    name = new_name()
    job = train(server, name, 100_000)
    server.wait_for_job(job, step=5)
    server.request("/sdapi/v1/options", {"sd_model_checkpoint": "other.safetensors"})
    failed = server.wait_for_job(job, "failed")
    assert "checkpoint" in failed["message"].lower()
    assert failed["step"] >= 5
    server.request("/sdapi/v1/options", {"sd_model_checkpoint": "miniature.safetensors"})
    again = server.request("/train-gamma/v1/resume", {"run": failed["run"]})
    server.wait_for_job(again["job"], step=failed["step"] + 2)
    server.request(f"/train-gamma/v1/jobs/{again['job']}/stop", {})
    server.wait_for_job(again["job"], "stopped")


def test_an_unloaded_checkpoint_is_loaded_again_or_said_so(server: Server) -> None:
    server.request("/sdapi/v1/unload-checkpoint", {})
    try:
        ended = begin_and_wait(server)
    finally:
        server.request("/sdapi/v1/reload-checkpoint", {})
    assert "load" in ended or ended == "finished"


def begin_and_wait(server: Server) -> str:
    """Train three steps; how it ended, or why it was refused."""
    try:
        job = train(server, new_name(), 3)
    except urllib.error.HTTPError as refused:
        return refused.read().decode()
    ended = server.wait_for_job(job)
    return str(ended["message"] if ended["state"] == "failed" else ended["state"])
