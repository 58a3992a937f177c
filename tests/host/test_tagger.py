"""Tagging in a started WebUI: beside the queue, in the host's progress bar, and as in the programs of its own."""

import base64
import io
import shutil
import time
import urllib.error
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.host.launching import Server, install_extension, make_data_folder, start_server
from tests.host.stories import decode
from tests.host.tagging import (
    MINIATURE,
    begin,
    captions,
    drawn,
    many,
    tagged_by_command,
    tagged_elsewhere,
    wait,
)

SETTINGS = {"sort": "alphabetical", "add_tags": "zorb (creature)", "exclude_tags": "Short_Hair, night"}


@pytest.fixture(scope="module")
def path_python(request: pytest.FixtureRequest) -> Path:
    """A Python with the stand-alone program's libraries."""
    given = request.config.getoption("--path-python")
    if given is None:
        pytest.skip("needs --path-python: a Python with the stand-alone program's libraries")
    return Path(given).absolute()


def encoded(picture: Path) -> str:
    return base64.b64encode(picture.read_bytes()).decode()


def progress(server: Server) -> Any:
    return server.request("/sdapi/v1/progress?skip_current_image=true")["state"]


def until(condition: Any, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.03)


def test_the_list_has_ours_and_the_hosts(server: Server) -> None:
    listed = {entry["name"]: entry for entry in server.request("/train-gamma/v1/taggers")["taggers"]}
    assert listed[MINIATURE]["ready"]
    assert {"wd-vit-tagger-v3", "wd-v1-4-convnext-tagger-v2", "deepdanbooru", "blip"} <= listed.keys()
    assert listed["deepdanbooru"]["origin"] == "host"
    assert not listed["deepdanbooru"]["ready"]
    assert [name for name, entry in listed.items() if entry["problem"]] == []


def test_captions_are_those_of_the_stand_alone_program_and_of_the_command_line(
    server: Server, path_python: Path, tmp_path: Path
) -> None:
    first = drawn(server.data / "drawn")
    second, third = (shutil.copytree(first, tmp_path / name) for name in ("second", "third"))
    wait(server, begin(server, first, **SETTINGS), "finished")
    written = captions(first)
    assert len(written) == 12
    assert all(text.startswith(b"zorb \\(creature\\), ") for text in written.values())
    assert tagged_elsewhere(path_python, second, tmp_path / "data", **SETTINGS) == written
    options = ("--sort", "alphabetical", "--add-tags", SETTINGS["add_tags"], "--exclude-tags", SETTINGS["exclude_tags"])
    assert tagged_by_command(path_python, third, *options) == written


def test_the_hosts_progress_is_that_of_the_tagging_and_its_interrupt_ends_it(server: Server) -> None:
    folder = many(server, 1200)
    job = begin(server, folder, batch_size=1)
    seen: list[tuple[int, int]] = []
    while len(set(seen)) < 5:
        assert server.request(f"/train-gamma/v1/jobs/{job}")["state"] not in ("finished", "failed")
        told = progress(server)
        if told["job"] == "train_gamma" and told["job_count"] == 1200:
            seen.append((told["job_no"], told["job_count"]))
    assert seen == sorted(seen)
    server.request("/sdapi/v1/interrupt", {})
    stopped = wait(server, job, "stopped")
    assert 0 < stopped["done"] < 1200
    written = captions(folder)
    assert len(written) == stopped["result"]["written"] > 0  # what is done is kept
    until(lambda: progress(server)["job"] == "")
    assert not progress(server)["interrupted"]
    decode(server.txt2img("1girl", steps=2))


def test_pictures_are_made_while_a_folder_is_tagged(server: Server) -> None:
    alone = decode(server.txt2img("1girl, blue hair", seed=5))
    job = begin(server, many(server, 2500), batch_size=1)
    before = wait(server, job, done=20)["done"]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: server.txt2img("1girl, blue hair", seed=5), range(2)))
    assert all(decode(answer).tobytes() == alone.tobytes() for answer in answers)
    now = server.request(f"/train-gamma/v1/jobs/{job}")
    assert now["state"] == "running"
    assert now["done"] > before + 5  # it went on meanwhile
    server.request(f"/train-gamma/v1/jobs/{job}/stop", {})
    wait(server, job, "stopped")


def test_the_interrupt_of_a_picture_is_not_the_taggings(server: Server) -> None:
    job = begin(server, many(server, 1500), batch_size=1)
    wait(server, job, done=20)
    with ThreadPoolExecutor(1) as pool:
        picture = pool.submit(server.txt2img, "1girl", steps=150)
        until(lambda: progress(server)["job"] not in ("", "train_gamma"))
        server.request("/sdapi/v1/interrupt", {})
        picture.result()
    at = server.request(f"/train-gamma/v1/jobs/{job}")["done"]
    assert wait(server, job, done=at + 2)["state"] == "running"
    server.request(f"/train-gamma/v1/jobs/{job}/stop", {})
    wait(server, job, "stopped")


def test_reload_ui_does_not_end_a_tagging(server: Server) -> None:
    job = begin(server, many(server, 3000), batch_size=1)
    wait(server, job, done=20)
    server.reload_ui()
    at = server.request(f"/train-gamma/v1/jobs/{job}")["done"]
    assert wait(server, job, done=at + 20)["state"] == "running"
    server.request(f"/train-gamma/v1/jobs/{job}/stop", {})
    wait(server, job, "stopped")


def test_with_room_made_pictures_still_get_their_turn(server: Server) -> None:
    alone = decode(server.txt2img("1girl, red hair", seed=6))
    job = begin(server, many(server, 1500), batch_size=1, make_room=True)
    wait(server, job, done=20)
    assert decode(server.txt2img("1girl, red hair", seed=6)).tobytes() == alone.tobytes()
    assert server.request(f"/train-gamma/v1/jobs/{job}")["state"] == "running"
    until(lambda: progress(server)["job"] == "train_gamma")
    server.request("/sdapi/v1/interrupt", {})
    wait(server, job, "stopped")
    until(lambda: progress(server)["job"] == "")
    assert decode(server.txt2img("1girl, red hair", seed=6)).tobytes() == alone.tobytes()


def test_a_training_and_a_tagging_are_refused_beside_each_other(server: Server) -> None:
    folder = many(server, 1500)
    job = begin(server, folder, batch_size=1)
    for again in (lambda: begin(server, folder), lambda: server.request("/train-gamma/v1/train", {"config": {}})):
        with pytest.raises(urllib.error.HTTPError) as refused:
            again()
        assert refused.value.code in (409, 422)
    server.request(f"/train-gamma/v1/jobs/{job}/stop", {})
    wait(server, job, "stopped")


def test_other_programs_find_the_two_routes_that_they_call(server: Server) -> None:
    models = server.request("/tagger/v1/interrogators")["models"]
    assert MINIATURE in models
    assert "blip" not in models
    picture = next(iter(drawn(server.data / "for others", 2).glob("*.png")))
    answer = server.request("/tagger/v1/interrogate", {"image": encoded(picture), "model": MINIATURE, "threshold": 0.5})
    assert set(answer) == {"caption"}
    assert answer["caption"]["1girl"] > 0.5
    assert all(isinstance(value, float) for value in answer["caption"].values())


OTHER_TAGGER = """
from modules import script_callbacks

def add(_demo, app):
    app.add_api_route("/tagger/v1/interrogate", lambda: {"caption": "the other extension"}, methods=["POST"])
    app.add_api_route("/tagger/v1/interrogators", lambda: {"models": ["theirs"]}, methods=["GET"])

script_callbacks.on_app_started(add)
"""

MISSING = """
import sys

sys.modules["onnxruntime"] = None
"""

BROKEN = """
import importlib.abc, importlib.machinery, sys

class Broken(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path, target=None):
        return importlib.machinery.ModuleSpec(name, self) if name == "onnxruntime" else None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        raise ImportError("DLL load failed while importing onnxruntime_pybind11_state")

for name in [name for name in sys.modules if name.split(".")[0] == "onnxruntime"]:
    del sys.modules[name]
sys.meta_path.insert(0, Broken())
"""


@pytest.mark.parametrize(
    ("other", "breaker", "told"), [("a", MISSING, "not installed"), ("z", BROKEN, "DLL load failed")]
)
def test_routes_of_another_tagger_are_its_own_and_an_onnxruntime_that_fails_is_told(
    webui_path: Path, tmp_path: Path, other: str, breaker: str, told: str
) -> None:
    """Two things that one start can show: another extension, loaded before or after ours, and what is missing."""
    data = tmp_path / "data"
    make_data_folder(data)
    install_extension(data)
    for name, script in ((f"{other} tagger", OTHER_TAGGER), ("0 breaker", breaker)):
        (data / "extensions" / name / "scripts").mkdir(parents=True)
        (data / "extensions" / name / "scripts" / "x.py").write_text(script, "utf-8")
    server = start_server(webui_path, data)
    try:
        assert server.request("/tagger/v1/interrogators") == {"models": ["theirs"]}
        assert server.request("/tagger/v1/interrogate", {}) == {"caption": "the other extension"}
        page = server.request("/config")["components"]
        assert any(part["props"].get("elem_id") == "train_gamma_tag" for part in page)  # the tab is built
        folder = drawn(data / "drawn", 2)
        assert told in how_it_ended(server, folder)
        assert captions(folder) == {}
        listed = {entry["name"]: entry for entry in server.request("/train-gamma/v1/taggers")["taggers"]}
        if breaker is MISSING:  # what is there and does not load is known only when it is to load
            assert told in listed[MINIATURE]["problem"]
        assert listed["deepdanbooru"]["problem"] == ""
        decode(server.txt2img("1girl", steps=2))
        assert "Traceback" not in server.log_text()
    finally:
        server.stop()


def how_it_ended(server: Server, folder: Path) -> str:
    """What is told of a tagging, be it refused at once or failed."""
    try:
        job = begin(server, folder)
    except urllib.error.HTTPError as refused:
        return refused.read().decode()
    return str(wait(server, job, "failed")["message"])


def test_a_picture_of_every_kind_ends_no_run(server: Server, tmp_path: Path) -> None:
    """Damaged, empty, sixteen bits, palette and rotated pictures: what can be tagged is, the rest is listed."""
    folder = drawn(server.data / "kinds", 3)
    picture = Image.open(next(iter(folder.glob("*.png"))))
    picture.convert("CMYK").save(folder / "cmyk.jpg")
    picture.convert("P").save(folder / "palette.png", transparency=0)
    stream = io.BytesIO()
    picture.save(stream, "JPEG")
    (folder / "cut.jpg").write_bytes(stream.getvalue()[: len(stream.getvalue()) // 2])
    (folder / "empty.png").write_bytes(b"")
    rotation = Image.Exif()
    rotation[0x0112] = 6
    picture.convert("RGB").rotate(90, expand=True).save(folder / "rotated.jpg", exif=rotation, quality=98)
    ended = wait(server, begin(server, folder), "finished")
    failed = {Path(one["path"]).name for one in ended["result"]["failed"]}
    assert failed == {"cut.jpg", "empty.png"}
    assert {"cmyk.txt", "palette.txt", "rotated.txt"} <= captions(folder).keys()


@pytest.fixture(autouse=True)
def _nothing_runs_afterwards(request: pytest.FixtureRequest) -> Any:
    """A test that fails in the middle does not leave its run to the next one."""
    yield
    if "server" not in request.fixturenames:
        return
    server = request.getfixturevalue("server")
    job = server.request("/train-gamma/v1/state")["job"]
    if job:
        server.request(f"/train-gamma/v1/jobs/{job}/stop", {})
        until(lambda: not server.request("/train-gamma/v1/state")["job"])
