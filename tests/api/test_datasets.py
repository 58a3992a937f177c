"""Datasets through HTTP."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.service.open_sets import CAPTIONS, on_disk, write_set
from tests.service.small_host import PATIENCE_S, SmallHost
from train_gamma.api import AccessRules


class Open:
    """A dataset that a page has open."""

    def __init__(self, client: Any, folder: Path, **options: Any) -> None:
        self.client = client
        self.state = client.ok(client.post("/datasets/open", {"folder": str(folder), **options}))
        self.path = f"/datasets/{self.state['id']}"
        self.version = self.state["version"]  # when it was opened

    def post(self, route: str, **content: Any) -> Any:
        return self.client.ok(self.client.post(self.path + route, content))

    def get(self, path: str = "", **keywords: Any) -> Any:
        return self.client.ok(self.client.get(self.path + path, **keywords))

    def refused(self, path: str, **content: Any) -> tuple[int, str, str]:
        answer = self.client.post(self.path + path, content)
        return answer.status_code, answer.headers.get("X-Train-Gamma-Reason", ""), answer.json()["detail"]

    def finish(self, job: str) -> Any:
        assert self.client.service.datasets.jobs.get(job).wait(PATIENCE_S)
        return self.client.ok(self.client.get(f"/jobs/{job}"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_set(tmp_path / "set")


@pytest.fixture
def dataset(client: Any, folder: Path) -> Open:
    return Open(client, folder)


def test_from_opening_to_saving_and_back(dataset: Open, folder: Path) -> None:
    assert {key: dataset.state[key] for key in ("name", "pictures", "changed", "undo", "job")} == {
        "name": "set", "pictures": 5, "changed": 0, "undo": None, "job": None,
    }  # fmt: skip
    rows = dataset.post("/tags", search="ha", limit=1)
    assert (rows["total"], rows["pictures"]) == (2, 5)
    assert rows["rows"] == [
        {"tag": "long hair", "key": "long hair", "count": 3, "share": 0.6, "tokens": 2, "class": "trait"}
    ]
    page = dataset.post("/pictures", filter={"any": ["hat"]})
    assert (page["total"], page["indices"], [item["name"] for item in page["items"]]) == (1, [2], ["3.png"])
    one = dataset.get("/pictures/2")
    assert (one["index"], one["text"], one["width"], one["file"]) == (2, CAPTIONS["3"], 24, str(folder / "3.txt"))
    assert one["tags"][1] == {
        "tag": "long hair", "text": "(long hair:1.2)", "count": 3, "class": "trait", "confidence": None
    }  # fmt: skip
    change = {"action": "replace", "rules": [{"search": "hair", "replacement": "fur", "kind": "substring"}]}
    preview = dataset.post("/edit", **change, preview=True, version=dataset.version)
    assert (preview["files"], preview["version"]) == (3, dataset.version)
    assert preview["matches"] == [{"tag": "long hair", "becomes": ["long fur"], "count": 3}]
    assert preview["diff"]["added"] == [{"tag": "long fur", "count": 3}]
    assert preview["diff"]["examples"][0] == {
        "index": 0, "name": "1.png", "old": CAPTIONS["1"], "new": CAPTIONS["1"].replace("hair", "fur")
    }  # fmt: skip
    made = dataset.post("/edit", **change, version=dataset.version)
    assert (made["files"], made["version"], made["state"]["changed"], made["diff"]) == (3, dataset.version + 1, 3, None)
    assert dataset.post("/undo", version=dataset.version + 1)["label"] == "Replace 'hair'"
    assert dataset.post("/redo", version=dataset.version + 2)["state"]["redo"] is None
    assert dataset.post("/diff", most=1)["removed"] == [{"tag": "long hair", "count": 3}]
    saved = dataset.post("/save", version=dataset.version + 3)
    assert (saved["written"], saved["taken"], saved["state"]["changed"]) == (3, 0, 0)
    (kept,) = dataset.get("/backups")["backups"]
    assert (kept["name"], kept["changed"], kept["when"][-6:]) == (saved["backup"], 3, "+00:00")
    assert "3 captions" in dataset.post("/restore", name=kept["name"])["done"]
    assert on_disk(folder)["1"] == CAPTIONS["1"]


def test_two_pages_do_not_overwrite_each_other(client: Any, dataset: Open, folder: Path) -> None:
    other = Open(client, folder)
    other.post("/edit", action="remove", tags=["sky"], version=dataset.version)
    status, reason, detail = dataset.refused("/edit", action="remove", tags=["hat"], version=dataset.version)
    assert (status, reason) == (409, "stale")
    assert "another window" in detail
    assert (dataset.get()["changed"], dataset.get()["version"]) == (1, dataset.version + 1)
    (folder / "1.txt").write_text("by somebody else")
    status, reason, detail = dataset.refused("/save", version=dataset.version + 1)
    assert (status, reason, "1.txt" in detail) == (409, "conflict", True)
    assert dataset.refused("/restore", name="x")[:2] == (409, "unsaved")
    assert dataset.post("/reload", version=dataset.version + 1)["state"]["changed"] == 0
    assert dataset.get("/pictures/0")["text"] == "by somebody else"


def test_thumbnails_are_kept_by_browsers_as_long_as_they_are_right(dataset: Open, folder: Path) -> None:
    path = f"{dataset.path}/thumbnails/0"
    first = dataset.client.get(path, params={"size": 16})
    assert (first.headers["content-type"], Image.open(io.BytesIO(first.content)).size) == ("image/jpeg", (16, 11))
    assert first.headers["cache-control"] == "private, no-cache"
    known = {"If-None-Match": first.headers["etag"]}
    assert dataset.client.get(path, params={"size": 16}, headers=known).status_code == 304
    (item, *_) = dataset.post("/pictures", limit=1)["items"]
    stamped = dataset.client.get(path, params={"size": 16, "v": item["stamp"]})
    assert "immutable" in stamped.headers["cache-control"]
    Image.new("RGB", (9, 9)).save(folder / "1.png")
    again = dataset.client.get(path, params={"size": 16, "v": item["stamp"]}, headers=known)
    assert (again.status_code, again.headers["cache-control"]) == (200, "private, no-cache")
    assert dataset.client.get(f"{dataset.path}/thumbnails/9").status_code == 404
    (folder / "2.png").write_bytes(b"no picture")
    assert dataset.client.get(f"{dataset.path}/thumbnails/1").status_code == 422


def test_an_examination_with_fix_and_report(dataset: Open, folder: Path) -> None:
    assert dataset.get("/findings")["counts"] == {"errors": 0, "warnings": 0, "notes": 0}
    assert dataset.client.get(f"{dataset.path}/report.html").status_code == 404
    (folder / "2.png").write_bytes(b"no picture")
    shown = dataset.finish(dataset.post("/examine", name="zz", num_vectors=2)["job"])
    assert (shown["kind"], shown["state"], shown["total"]) == ("examine", "finished", 5)
    found = dataset.get("/findings")
    assert found["counts"] == shown["result"]
    (bad,) = [one for one in found["findings"] if one["kind"] == "unreadable"]
    assert (bad["level"], bad["action"], bad["pictures"], bad["files"]) == ("error", "exclude", [1], [])
    request = {"finding": bad["index"], "examination": found["examination"], "version": dataset.version}
    fixed = dataset.post("/fix", **request)
    assert (fixed["fix"]["files"], sorted(fixed["touched"]), fixed["state"]["pictures"]) == (2, ["2.png", "2.txt"], 4)
    assert dataset.refused("/fix", **request)[:2] == (409, "stale")
    report = dataset.client.get(f"{dataset.path}/report.html")
    assert "default-src 'none'" in report.headers["content-security-policy"]
    assert dataset.client.get(f"{dataset.path}/report.md").text.startswith("# Dataset 'set'")
    assert dataset.post("/undo_fix", id=fixed["fix"]["id"])["state"]["pictures"] == 5
    assert dataset.refused("/undo_fix")[0] == 404


def test_suggestions_and_completion(dataset: Open) -> None:
    found = dataset.post("/prune", name="zz", num_vectors=3)
    assert (found["subject"], found["pictures"]) == ("1girl", 3)
    (hair,) = [one for one in found["suggestions"] if one["tag"] == "long hair"]
    assert (hair["class"], hair["band"], hair["without"], hair["count"]) == ("trait", "ticked", [], 3)
    assert found["init_text"]["tokens"] <= 3
    (match, *_) = dataset.get("/complete", params={"text": "miku"})["matches"]
    assert match == {
        "tag": "miku (cosplay)", "insert": "miku \\(cosplay\\)", "count": 0, "in_set": 1, "alias": ""
    }  # fmt: skip


def test_rules_are_kept(client: Any, dataset: Open) -> None:
    rules = [{"search": "sky", "replacement": "", "kind": "exact"}]
    assert client.http.put("/train-gamma/v1/datasets/rules/mine", json={"rules": rules}).json() == {"name": "mine"}
    listed = {one["name"]: one for one in client.ok(client.get("/datasets/rules"))["rules"]}
    assert listed["mine"] == {"name": "mine", "rules": rules, "note": "", "built_in": False}
    assert listed["NSFW"]["built_in"]
    assert dataset.post("/edit", action="apply_rules", name="mine")["files"] == 1
    bad = client.http.put("/train-gamma/v1/datasets/rules/bad", json={"rules": [{"search": "(", "kind": "regex"}]})
    assert (bad.status_code, "not a regular expression" in bad.json()["detail"]) == (422, True)
    assert client.http.delete("/train-gamma/v1/datasets/rules/mine").json() == {"name": "mine"}
    assert client.http.delete("/train-gamma/v1/datasets/rules/mine").status_code == 422


def test_metadata(dataset: Open, tmp_path: Path) -> None:
    path = str(tmp_path / "meta.json")
    assert dataset.post("/kohya/export", path=path) == {"path": path, "pictures": 4, "metadata": None}
    assert json.loads(Path(path).read_text()) == dataset.post("/kohya/export")["metadata"]
    answer = dataset.client.post(f"{dataset.path}/kohya/export", {"path": path})
    assert (answer.status_code, answer.headers["X-Train-Gamma-Reason"]) == (409, "exists")
    dataset.post("/edit", action="keep_first", count=0)
    back = dataset.post("/kohya/import", path=path)
    assert (back["files"], back["matched"], back["unmatched"], back["diff"]) == (3, 4, [], None)


def test_pictures_are_prepared(dataset: Open, tmp_path: Path) -> None:
    options = {one["key"]: one for one in dataset.client.ok(dataset.client.get("/datasets/prepare/options"))["options"]}
    assert options["crop"]["choices"] == ["bucket", "none"]
    assert "folder" not in options
    config = {"crop": "none", "size": "keep", "into": str(tmp_path / "new")}
    planned = dataset.post("/prepare/plan", config=config, limit=1)
    assert (planned["total"], planned["problem"]) == (5, "")
    (plan,) = planned["plans"]
    assert (plan["index"], plan["name"], plan["size"], plan["how"]) == (0, "1.png", [24, 16], "whole")
    assert plan["cuts"][0]["box"] == {"x": 0, "y": 0, "width": 24, "height": 16}
    answer = dataset.client.post(f"{dataset.path}/prepare/preview", {"config": config, "index": 0})
    assert (answer.headers["content-type"], Image.open(io.BytesIO(answer.content)).size) == ("image/jpeg", (24, 16))
    shown = dataset.finish(dataset.post("/prepare", config=config)["job"])
    assert (shown["kind"], shown["state"], shown["result"]["pictures"]) == ("prepare", "finished", 5)
    assert len(list((tmp_path / "new").glob("*.png"))) == 5


def test_what_can_be_chosen_is_listed(client: Any) -> None:
    options = client.ok(client.get("/datasets/options"))
    assert options["on_conflict"] == ["refuse", "overwrite", "merge", "reload"]
    assert {"name", "help", "on"} == set(options["cleaning"][0])


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        ("/edit", {"action": "explode"}, 422, "There is no edit"),
        ("/edit", {}, 422, ""),
        ("/edit", {"action": "remove", "tags": "sky", "scope": 1, "selected": {}}, 422, ""),
        ("/tags", {"search": "(", "mode": "regex"}, 422, "not a regular expression"),
        ("/tags", {"sort": "colour"}, 422, "Sort by one of"),
        ("/tags", {"mode": "fuzzy", "search": "a"}, 422, "Search by one of"),
        ("/save", {"on_conflict": "panic"}, 422, "On conflict must be one of"),
        ("/restore", {"name": "../../x.zip"}, 404, "There is no backup"),
        ("/fix", {"finding": 0}, 404, "not examined yet"),
        ("/prepare", {"config": {"into": ""}}, 422, "New folder is not set"),
        ("/prepare/preview", {"index": 77}, 404, "no picture 77"),
        ("/kohya/import", {"path": "nothing.json"}, 422, "cannot be read"),
    ],
)
def test_mistakes_are_told(path: str, body: Any, status: int, text: str, dataset: Open) -> None:
    answer = dataset.client.post(dataset.path + path, body)
    assert answer.status_code == status, answer.text
    assert text in str(answer.json()["detail"])


def test_what_is_not_open_is_unknown_and_what_is_outside_forbidden(
    client: Any, folder: Path, tmp_path: Path, make_client: Any
) -> None:
    assert client.get("/datasets/0123456789ab").status_code == 404
    assert client.post("/datasets/0123456789ab/edit", {"action": "unique"}).status_code == 404
    inside = write_set(tmp_path / "in")
    client = make_client(SmallHost(tmp_path / "data", readable=(inside,)))
    assert client.post("/datasets/open", {"folder": str(folder)}).status_code == 403
    dataset = Open(client, inside)
    for path in (str(folder / "x.json"), "~/x.json", f"{inside}/../x.json"):
        assert client.post(f"{dataset.path}/kohya/export", {"path": path}).status_code == 403
        assert client.post(f"{dataset.path}/kohya/import", {"path": path}).status_code == 403
    assert client.post(f"{dataset.path}/prepare", {"config": {"into": str(folder)}}).status_code == 403


def test_who_may_see_pictures_and_reports(make_client: Any, host: SmallHost, folder: Path) -> None:
    """They are asked for without headers, so they have the token in the address; nothing else has."""
    client = make_client(host, AccessRules({"anna": "secret"}, locked=True, token="t0ken"))
    client.http.headers["X-Train-Gamma-Token"] = "t0ken"
    dataset = Open(client, folder)
    dataset.finish(dataset.post("/examine")["job"])
    del client.http.headers["X-Train-Gamma-Token"]
    for path in ("/thumbnails/0", "/report.html", "/report.md"):
        assert client.get(dataset.path + path).status_code == 401
        assert client.get(dataset.path + path, params={"token": "t0ken"}).status_code == 200
    assert client.get(dataset.path, params={"token": "t0ken"}).status_code == 401
    assert client.get(f"{dataset.path}/pictures/0?token=t0ken").status_code == 401
    assert client.post(f"{dataset.path}/edit?token=t0ken", {"action": "unique"}).status_code == 401


def test_names_of_files_are_text_in_reports(client: Any, tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", {"<script>alert(1)<": "a", "b": "b"})
    dataset = Open(client, folder)
    dataset.finish(dataset.post("/examine")["job"])
    assert "<script>" not in client.get(f"{dataset.path}/report.html").text
