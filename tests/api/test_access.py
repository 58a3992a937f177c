"""Who may use the API: a page with the token, programs with user and password, nobody else."""

import base64
from pathlib import Path
from typing import Any

import pytest

from tests.service.small_host import SmallHost, done, small_run
from train_gamma.api import AccessRules

RULES = AccessRules({"anna": "se:cret", "böb": "pässwort"}, locked=True, token="t0ken")


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.fixture
def locked(make_client: Any, host: SmallHost) -> Any:
    return make_client(host, RULES)


STRANGERS: tuple[dict[str, str], ...] = (
    {},
    basic("anna", "wrong"),
    basic("anna", ""),
    basic("", "se:cret"),
    basic("böb", "se:cret"),
    {"Authorization": "Basic"},
    {"Authorization": "Basic !!!"},
    {"Authorization": "Basic " + base64.b64encode(b"anna").decode()},
    {"Authorization": "Basic " + base64.b64encode(b"\xff\xfe").decode()},
    {"Authorization": "Bearer t0ken"},
    {"X-Train-Gamma-Token": ""},
    {"X-Train-Gamma-Token": "t0ke"},
    {"X-Train-Gamma-Token": "T0KEN"},
)


def test_a_stranger_gets_401_everywhere(locked: Any) -> None:
    for headers in STRANGERS:
        for method, path in (("GET", "/state"), ("POST", "/train"), ("GET", "/jobs"), ("DELETE", "/presets/x")):
            answer = locked.http.request(method, f"/train-gamma/v1{path}", headers=headers)
            assert answer.status_code == 401, headers
            assert answer.headers["www-authenticate"].startswith("Basic")


def test_every_route_is_guarded(locked: Any) -> None:
    from train_gamma.api.routes import PREFIX, ROUTES

    for method, path, _ in ROUTES:
        filled = path.format(job="x", run="x", name="x", dataset="x", step=1, index=1) if "{" in path else path
        assert locked.http.request(method, PREFIX + filled, json={}).status_code == 401


@pytest.mark.parametrize(
    "headers", [basic("anna", "se:cret"), basic("böb", "pässwort"), {"X-Train-Gamma-Token": "t0ken"}]
)
def test_those_who_may_get_in(headers: dict[str, str], locked: Any) -> None:
    assert locked.get("/state", headers=headers).status_code == 200


def test_a_picture_takes_the_token_in_its_address_and_nothing_else_does(locked: Any, tmp_path: Path) -> None:
    shown = done(locked.service.train(small_run(tmp_path, preview={"every_n_steps": 3, "prompts": ["[name]"]})))
    path = f"/runs/{shown['run']}/previews/6/0"
    assert locked.get(path).status_code == 401
    assert locked.get(f"{path}?token=wrong").status_code == 401
    assert locked.get(f"{path}?token=t0ken").headers["content-type"] == "image/png"
    assert locked.get(f"/jobs/{shown['id']}/previews/6/0?token=t0ken").status_code == 200
    assert locked.get("/state?token=t0ken").status_code == 401
    assert locked.post(f"/jobs/{shown['id']}/stop?token=t0ken").status_code == 401


def test_nothing_is_asked_for_where_the_host_asks_for_nothing(make_client: Any, host: SmallHost) -> None:
    assert make_client(host, AccessRules(token="t0ken")).get("/state").status_code == 200


CHANGING = (("POST", "/derive"), ("POST", "/sample-dataset"), ("PUT", "/presets/x"), ("DELETE", "/presets/x"))


@pytest.mark.parametrize(
    "origin", ["http://elsewhere", "http://testserver:7860", "http://testserver.elsewhere", "null", "", "http://[bad"]
)
def test_another_sites_page_changes_nothing(origin: str, make_client: Any, host: SmallHost) -> None:
    client = make_client(host, AccessRules(token="t0ken"))
    for method, path in CHANGING:
        answer = client.http.request(method, f"/train-gamma/v1{path}", headers={"Origin": origin}, json={})
        assert answer.status_code == 403, (method, path)
        assert "Origin" in answer.json()["detail"]
    assert not (host.folders.runs.parent / "sample dataset").exists()
    assert client.get("/state", headers={"Origin": origin}).status_code == 200  # browsers keep the answer from the page


def test_a_signed_in_browser_is_not_led_by_another_site(locked: Any) -> None:
    """Browsers send the user and password that they know with whatever a page asks for."""
    headers = {"Origin": "http://elsewhere", **basic("anna", "se:cret")}
    assert locked.post("/derive", {}, headers=headers).status_code == 403
    assert locked.post("/derive", {}, headers={**headers, "Origin": "http://testserver"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://testserver"},
        {"Origin": "https://TestServer"},
        {"Origin": "http://mine:7860", "Host": "mine:7860"},
        {"Origin": "https://proxied", "X-Train-Gamma-Token": "t0ken"},
    ],
)
def test_programs_and_the_own_page_may_change_things(
    headers: dict[str, str], make_client: Any, host: SmallHost
) -> None:
    client = make_client(host, AccessRules(token="t0ken"))
    assert client.post("/derive", {}, headers=headers).status_code == 200


def test_a_lock_without_keys_lets_nobody_in(make_client: Any, host: SmallHost) -> None:
    locked = make_client(host, AccessRules(locked=True))
    for headers in ({}, basic("", ""), {"X-Train-Gamma-Token": ""}):
        assert locked.get("/state", headers=headers).status_code == 401
