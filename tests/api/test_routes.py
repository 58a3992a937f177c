"""The API end to end, through HTTP."""

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.service.small_host import PATIENCE_S, SmallHost, small_run
from train_gamma.embedding.files import read_embedding
from train_gamma.service.built_in_presets import BUILT_IN
from train_gamma.training.config import RunConfig
from train_gamma.training.config_reading import section_types

PREVIEWS = {"every_n_steps": 3, "prompts": ["[name], night", "[name], sky"]}


def settings(root: Path, **changes: Any) -> dict[str, Any]:
    """The settings of a short run as a request has them."""
    return dict(json.loads(json.dumps(small_run(root, **changes).to_dict())))


def finish(client: Any, job: str, state: str = "finished") -> Any:
    assert client.service.jobs.get(job).wait(PATIENCE_S)
    shown = client.ok(client.get(f"/jobs/{job}"))
    assert shown["state"] == state, shown
    return shown


def test_the_state_tells_host_model_and_folders(client: Any, host: SmallHost) -> None:
    state = client.ok(client.get("/state"))
    assert (state["host"], state["job"]) == ("small", None)
    assert state["model"]["title"] == "plain [1111111111]"
    assert state["folders"]["runs"] == str(host.folders.runs)


def test_every_setting_is_described(client: Any) -> None:
    options = client.ok(client.get("/options"))
    assert list(options) == list(section_types())
    for name, kind in section_types().items():
        assert [option["key"] for option in options[name]] == [f.name for f in dataclasses.fields(kind)]
    (rate,) = [option for option in options["training"] if option["key"] == "learning_rate"]
    assert (rate["label"], rate["default"]) == ("Learning rate", "0.005")
    (start,) = [option for option in options["embedding"] if option["key"] == "start"]
    assert start["choices"] == ["text", "tags", "embedding", "zero", "random"]


def test_the_whole_way_from_create_to_a_picture(client: Any, host: SmallHost, tmp_path: Path) -> None:
    folder = client.ok(client.post("/sample-dataset"))["folder"]
    assert len(list(Path(folder).glob("*.png"))) == 24
    config = settings(tmp_path, preview=PREVIEWS)
    assert client.ok(client.post("/derive", {"config": config}))["total_steps"] == 6
    assert client.ok(client.post("/tokens", {"config": config}))["tokens"] == [["girl", True]]
    assert client.ok(client.post("/create", {"config": config}))["name"] == "zzgamma"
    assert not client.ok(client.post("/check", {"config": config}))["ok"]
    assert client.ok(client.post("/check", {"config": config, "replace": True}))["ok"]
    job = client.ok(client.post("/train", {"config": config, "replace": True}))["job"]
    shown = finish(client, job)
    assert [point[0] for point in shown["curve"]] == [1, 2, 3, 4, 5, 6]
    assert client.ok(client.get(f"/jobs/{job}?since=4"))["curve"] == shown["curve"][4:]
    picture = client.get(f"/jobs/{job}/previews/6/1")
    assert picture.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(picture.content)).size == (64, 64)
    assert client.get(f"/runs/{shown['run']}/previews/6/1").content == picture.content
    listed = client.ok(client.get("/jobs"))
    assert (listed["current"], listed["jobs"][0]["id"], listed["jobs"][0]["state"]) == (None, job, "finished")
    (embedding,) = client.ok(client.get("/embeddings"))["embeddings"]
    assert (embedding["name"], embedding["step"], embedding["num_vectors"]) == ("zzgamma", 6, 2)
    assert client.ok(client.get("/embeddings/zzgamma"))["num_vectors"] == 2
    copy = client.ok(client.post(f"/runs/{shown['run']}/copies/4/publish"))
    assert read_embedding(Path(copy["path"])).step == 4


def test_stop_save_preview_and_resume(client: Any, host: SmallHost, tmp_path: Path) -> None:
    host.backbone.hold_at = 1
    job = client.ok(client.post("/train", {"config": settings(tmp_path, preview={"prompts": ["[name]"]})}))["job"]
    assert host.backbone.reached.wait(PATIENCE_S)
    assert client.ok(client.get("/state"))["job"] == job
    busy = client.post("/train", {"config": settings(tmp_path, embedding={"name": "zzother"})})
    assert (busy.status_code, busy.json()["detail"][:9]) == (409, "'zzgamma'")
    client.ok(client.post(f"/jobs/{job}/save"))
    client.ok(client.post(f"/jobs/{job}/preview"))
    assert client.ok(client.post(f"/jobs/{job}/stop"))["state"] == "stopping"
    host.backbone.go.set()
    shown = finish(client, job, "stopped")
    step = shown["step"]
    assert shown["copies"] == [{"step": step, "name": f"zzgamma-{step}.safetensors"}]
    assert shown["previews"] == [{"step": step, "count": 1}]
    (run,) = client.ok(client.get("/runs"))["runs"]
    assert (run["step"], run["resumable"]) == (step, True)
    again = client.ok(client.post("/resume", {"run": run["name"], "changes": {"training": {"max_steps": 8}}}))["job"]
    assert finish(client, again)["step"] == 8
    whole = client.ok(client.get(f"/runs/{run['name']}"))
    assert (whole["finished"], len(whole["curve"]), whole["embedding"]) == (True, 8, "zzgamma")
    back = client.ok(client.get(f"/runs/{run['name']}/settings"))
    assert back["training"]["max_steps"] == 8


def test_failure_is_shown_as_failure(client: Any, host: SmallHost, tmp_path: Path, monkeypatch: Any) -> None:
    def predict(*_arguments: Any) -> Any:
        raise RuntimeError("the driver is gone")

    monkeypatch.setattr(host.backbone, "predict", predict)
    job = client.ok(client.post("/train", {"config": settings(tmp_path)}))["job"]
    assert finish(client, job, "failed")["message"] == "RuntimeError: the driver is gone"


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"training": {"max_stepz": 3}}, "Unknown key 'max_stepz'"),
        ({"nothing": {}}, "Unknown section [nothing]"),
        ({"training": {"max_steps": "many"}}, "Max steps (training.max_steps) must be a whole number"),
        ({"training": {"max_steps": None}}, "must be a whole number"),
        ({"training": {"batch_size": 0}}, "Batch size must be at least 1"),
        ({"version": 9}, "version"),
        ({}, "Dataset folder is not set"),
    ],
)
def test_what_is_wrong_is_answered_in_words(config: Any, text: str, client: Any) -> None:
    answer = client.post("/train", {"config": config})
    assert answer.status_code == 422
    assert text in str(answer.json()["detail"])


def test_what_is_no_request_is_refused(client: Any) -> None:
    headers = {"Content-Type": "application/json"}
    for path in ("/train", "/check", "/derive", "/create", "/tokens"):
        for content in ("not json", "[1]", '{"config": 3}', '{"config": {"training": 5}}', "null"):
            answer = client.http.post("/train-gamma/v1" + path, content=content, headers=headers)
            assert answer.status_code == 422, (path, content)


@pytest.mark.parametrize(
    "path",
    [
        *("/jobs/nothing", "/jobs/nothing/previews/0/0", "/runs/nothing", "/runs/nothing/settings"),
        *("/runs/nothing/previews/0/0", "/embeddings/nothing", "/presets/nothing"),
        *(
            "/runs/..",
            "/runs/%2e%2e",
            "/runs/..%2f..%2fetc",
            "/runs/%2fetc",
            "/presets/%2e%2e%2fx",
            "/embeddings/..%2f",
        ),
    ],
)
def test_what_is_not_there_is_not_found(path: str, client: Any) -> None:
    assert client.get(path).status_code in (404, 422)
    assert "Traceback" not in client.get(path).text


def test_a_step_must_be_a_number(client: Any) -> None:
    assert client.get("/runs/x/previews/..%2f..%2fetc%2fpasswd/0").status_code in (404, 422)
    assert client.get("/runs/x/previews/1/x").status_code == 422


def test_presets_are_kept_and_built_in_ones_stay(client: Any) -> None:
    values = {"training": {"max_steps": 500}, "embedding": {"name": "zz", "num_vectors": 4}}
    assert client.ok(client.http.put("/train-gamma/v1/presets/My one", json={"values": values})) == {"name": "My one"}
    listed = client.ok(client.get("/presets"))["presets"]
    assert [preset["name"] for preset in listed] == [*BUILT_IN, "My one"]
    assert [preset["built_in"] for preset in listed] == [True] * len(BUILT_IN) + [False]
    loaded = client.ok(client.get("/presets/My one"))
    assert loaded["values"] == {"training": {"max_steps": 500}, "embedding": {"num_vectors": 4}}
    assert client.ok(client.get("/presets/Style"))["values"] == json.loads(json.dumps(BUILT_IN["Style"]))
    assert client.http.put("/train-gamma/v1/presets/Style", json={"values": values}).status_code == 422
    assert client.http.delete("/train-gamma/v1/presets/Style").status_code == 422
    client.ok(client.http.delete("/train-gamma/v1/presets/My one"))
    assert client.get("/presets/My one").status_code == 404


def test_places_outside_the_readable_folders_are_forbidden(make_client: Any, tmp_path: Path) -> None:
    client = make_client(SmallHost(tmp_path / "data", readable=[tmp_path / "mine"]))
    config = settings(tmp_path)
    for path in ("/train", "/derive", "/create", "/tokens"):
        assert client.post(path, {"config": config}).status_code == 403
    assert not client.ok(client.post("/check", {"config": config}))["ok"]
    for run in ("/etc", str(tmp_path), "../.."):
        assert client.post("/resume", {"run": run}).status_code in (403, 404)


def test_the_schema_describes_every_route_and_body(client: Any) -> None:
    schema = client.http.get("/openapi.json").json()
    routes = {path: set(methods) for path, methods in schema["paths"].items()}
    assert routes["/train-gamma/v1/train"] == {"post"}
    assert routes["/train-gamma/v1/presets/{name}"] == {"get", "put", "delete"}
    for methods in schema["paths"].values():
        for route in methods.values():
            assert route["tags"] == ["Train Gamma"]
            assert route["description"]
    assert {"Settings", "TrainRequest", "ResumeRequest", "PresetValues"} <= set(schema["components"]["schemas"])
    assert set(schema["components"]["schemas"]["TrainRequest"]["properties"]) == {"config", "replace"}
    assert client.http.get("/docs").status_code == 200


def test_routes_can_be_added_to_an_app_that_runs(make_client: Any, host: SmallHost) -> None:
    """The WebUI calls its extensions after the server has started, and again with a new app after Reload UI."""
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    from train_gamma.api import AccessRules, add_routes

    app = FastAPI()
    http = TestClient(app)
    assert http.get("/train-gamma/v1/state").status_code == 404
    first = make_client(host)
    add_routes(app, first.service, AccessRules())
    assert http.get("/train-gamma/v1/state").status_code == 200
    assert http.post("/train-gamma/v1/train", json={"config": {}}).status_code == 422


def test_settings_that_are_left_out_have_their_defaults(client: Any) -> None:
    derived = client.ok(client.post("/derive", {}))
    assert derived["problem"]
    assert RunConfig().training.max_steps == 1000
