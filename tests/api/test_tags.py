"""Tagging through HTTP."""

import base64
import dataclasses
import io
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from tests.service.small_host import PATIENCE_S, SmallHost
from tests.tagging.seeing import BLUE, PINK, RED, brought_captioner, brought_tagger, draw_all, truth
from train_gamma.api import AccessRules, add_routes
from train_gamma.service import Service
from train_gamma.tagging.config import TagConfig


@pytest.fixture
def host(tmp_path: Path) -> SmallHost:
    host = SmallHost(tmp_path)
    host.own_interrogators = (brought_tagger(), brought_captioner())
    return host


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    draw_all(tmp_path / "set")
    return {"folder": str(tmp_path / "set"), "model": "colours"}


def encoded(colour: tuple[int, int, int]) -> str:
    content = io.BytesIO()
    Image.new("RGB", (5, 4), colour).save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode()


def finish(client: Any, job: str) -> Any:
    assert client.service.jobs.get(job).wait(PATIENCE_S)
    return client.ok(client.get(f"/jobs/{job}"))


def test_the_whole_way(client: Any, config: dict[str, Any], tmp_path: Path) -> None:
    named = {one["name"]: one for one in client.ok(client.get("/taggers"))["taggers"]}
    assert (named["colours"]["kind"], named["colours"]["problem"], named["sayer"]["kind"]) == (
        "tagger",
        "",
        "captioner",
    )
    assert client.ok(client.post("/tag/plan", {"config": config}))["actions"] == {"new": 4}
    shown = finish(client, client.ok(client.post("/tag", {"config": config}))["job"])
    assert (shown["kind"], shown["state"], shown["result"]["written"]) == ("tag", "finished", 4)
    assert (tmp_path / "set" / "1.txt").read_text() == "red sky"
    listed = client.ok(client.get("/jobs"))["jobs"][0]
    assert (listed["kind"], listed["title"], listed["done"], listed["total"]) == ("tag", "set", 4, 4)
    live = client.ok(client.post("/tag/live", {"config": {**config, "general_threshold": 0.6}, "picture": 3}))
    assert (live["caption"], live["num_known"], live["path"]) == ("red sky", 4, str(tmp_path / "set" / "4.png"))
    assert live["counts"][0] == {"tag": "red sky", "count": 2, "share": 0.5}
    (first, *_) = client.ok(client.post("/tag/proposals", {"config": {**config, "existing": "overwrite"}}))["proposals"]
    assert (first["action"], first["outcome"]) == ("unchanged", "red sky")
    (kept,) = client.ok(client.get("/tag/backups", params={"folder": config["folder"]}))["backups"]
    assert kept["when"].endswith("+00:00")
    body = {"folder": config["folder"], "name": kept["name"]}
    assert "4 are removed" in client.ok(client.post("/tag/backups", body))["done"]
    assert not list((tmp_path / "set").glob("*.txt"))
    assert client.ok(client.get("/taggers"))["loaded"] == "colours on CPU"
    assert client.ok(client.post("/taggers/unload"))["unloaded"] == "colours"


def test_one_picture(client: Any) -> None:
    body = {"image": f"data:image/png;base64,{encoded(PINK)}", "config": {"model": "colours", "captioner": "sayer"}}
    found = client.ok(client.post("/tag/picture", body))
    assert found["caption"] == r"a picture of red, red sky, blue, green \(leaf\)"
    assert [tag["name"] for tag in found["tags"]][:2] == ["red_sky", "blue"]
    assert (found["rating"], found["device"]) == ("safe", "CPU")


def test_thumbnails(client: Any, config: dict[str, Any]) -> None:
    answer = client.get("/tag/thumbnail", params={"path": f"{config['folder']}/1.png", "size": 32})
    assert answer.headers["content-type"] == "image/jpeg"
    red, *others = Image.open(io.BytesIO(answer.content)).convert("RGB").getpixel((1, 1))
    assert red > 240 > 20 > max(others)


def test_every_setting_is_described(client: Any) -> None:
    options = client.ok(client.get("/tag/options"))["options"]
    assert [option["key"] for option in options] == [f.name for f in dataclasses.fields(TagConfig)]
    (sort,) = [option for option in options if option["key"] == "sort"]
    assert sort["choices"] == ["confidence", "alphabetical", "frequency"]


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        ("/tag", {"config": {"folder": "", "model": "colours"}}, 422, "Pictures is not set"),
        ("/tag", {"config": {"fold": "x"}}, 422, "Unknown key 'fold'"),
        ("/tag", {"config": {"max_tags": "many"}}, 422, "Maximum tags (max_tags) must be a whole number"),
        ("/tag", {"config": {"general_threshold": 3}}, 422, "General threshold must be at most 1.0"),
        ("/tag", {"config": {"max_tags": 1e400}}, 422, ""),
        ("/tag/plan", {"config": {"recursive": "maybe"}}, 422, "true or false"),
        ("/tag/picture", {"image": "?", "config": {"model": "colours"}}, 422, "not base64"),
        ("/tag/picture", {"image": "", "config": {"model": "colours"}}, 422, "image is empty"),
        ("/tag/picture", {"image": "aGVsbG8=", "config": {"model": "colours"}}, 422, "not a PNG"),
        ("/tag/backups", {"folder": "/nowhere", "name": "../x.zip"}, 404, "There is no backup"),
    ],
)
def test_mistakes_are_told(path: str, body: Any, status: int, text: str, client: Any) -> None:
    import json

    answer = client.http.post(
        f"/train-gamma/v1{path}", content=json.dumps(body), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == status, answer.text
    assert text in answer.json()["detail"]


def test_what_is_outside_is_forbidden(tmp_path: Path, make_client: Any) -> None:
    draw_all(tmp_path / "out")
    (tmp_path / "in").mkdir()
    client = make_client(SmallHost(tmp_path / "data", readable=(tmp_path / "in",)))
    place = str(tmp_path / "out")
    assert client.post("/tag", {"config": {"folder": place, "model": "miniature"}}).status_code == 403
    assert client.get("/tag/backups", params={"folder": place}).status_code == 403
    assert client.get("/tag/thumbnail", params={"path": f"{place}/1.png"}).status_code == 403


def test_who_may_see_thumbnails(make_client: Any, host: SmallHost, config: dict[str, Any]) -> None:
    """Pictures are asked for without headers, so they have the token in the address; nothing else has."""
    client = make_client(host, AccessRules({"anna": "secret"}, locked=True, token="t0ken"))
    query = {"path": f"{config['folder']}/1.png"}
    assert client.get("/tag/thumbnail", params=query).status_code == 401
    assert client.get("/tag/thumbnail", params={**query, "token": "t0ken"}).status_code == 200
    assert client.get("/taggers", params={"token": "t0ken"}).status_code == 401
    assert client.post("/tag/plan?token=t0ken", {"config": config}).status_code == 401
    assert client.http.get("/tagger/v1/interrogators").status_code == 401
    assert client.http.get("/tagger/v1/interrogators", auth=("anna", "secret")).status_code == 200


def test_another_tagger_runs_no_two_jobs(client: Any, config: dict[str, Any], host: SmallHost) -> None:
    job = client.service.jobs.start("train", "zz", lambda hear, control: wait(control))
    answer = client.post("/tag", {"config": config})
    assert (answer.status_code, answer.json()["detail"][:22]) == (409, "'zz' is being trained.")
    assert client.post("/tag/picture", {"image": encoded(RED), "config": config}).status_code == 409
    job.control.stop()
    assert job.wait(PATIENCE_S)


def wait(control: Any) -> None:
    while not control.stop_requested:
        pass


# -- the routes of the other extension --------------------------------------------------------------------------------


def test_other_programs_find_their_routes(client: Any) -> None:
    models = client.http.get("/tagger/v1/interrogators").json()["models"]
    assert "colours" in models
    assert "sayer" not in models
    body = {"image": encoded(PINK), "model": "colours"}
    answer = client.http.post("/tagger/v1/interrogate", json=body).json()
    safe, risky, red, green, blue, *_ = truth(PINK)
    expected = {"safe": safe, "risky": risky, "red_sky": red, "blue": blue, "green_(leaf)": green, "grey_lady": green}
    assert answer == {"caption": {name: pytest.approx(p, abs=1e-6) for name, p in expected.items()}}
    assert list(answer["caption"])[:3] == ["safe", "risky", "red_sky"]
    body = {"image": encoded(PINK), "model": "COLOURS", "threshold": 0.55}
    assert set(client.http.post("/tagger/v1/interrogate", json=body).json()["caption"]) == {
        *("safe", "risky", "red_sky", "blue"),
    }


def test_other_programs_hear_what_they_expect_when_it_fails(client: Any) -> None:
    for body in ({"image": encoded(RED), "model": "none"}, {"image": "", "model": "colours"}, {"model": "colours"}):
        assert client.http.post("/tagger/v1/interrogate", json=body).status_code == 404


def theirs(app: FastAPI) -> None:
    @app.post("/tagger/v1/interrogate")
    def interrogate() -> str:
        return "theirs"

    @app.get("/tagger/v1/interrogators")
    def interrogators() -> str:
        return "theirs"


@pytest.mark.parametrize("first", ["theirs", "ours"])
def test_the_other_extension_has_its_routes_whoever_comes_first(first: str, host: SmallHost) -> None:
    app = FastAPI()
    if first == "theirs":
        theirs(app)
    add_routes(app, Service(host), AccessRules())
    if first == "ours":
        assert "colours" in TestClient(app).get("/tagger/v1/interrogators").json()["models"]
        theirs(app)
    http = TestClient(app)
    assert http.get("/tagger/v1/interrogators").json() == "theirs"
    assert http.post("/tagger/v1/interrogate", json={"image": encoded(BLUE), "model": "colours"}).json() == "theirs"


def test_adding_the_routes_twice_changes_nothing(host: SmallHost) -> None:
    app = FastAPI()
    for _ in range(2):
        add_routes(app, Service(host), AccessRules())
    assert "colours" in TestClient(app).get("/tagger/v1/interrogators").json()["models"]
