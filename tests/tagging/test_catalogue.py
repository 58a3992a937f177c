"""What can be chosen: shipped, described in a file, dropped as a folder, and brought by the host."""

import importlib.util
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.tagging.models import TAGS, write_model, write_tags, write_wd
from train_gamma.errors import UserError
from train_gamma.tagging import catalogue as catalogue_module
from train_gamma.tagging.catalogue import Catalogue
from train_gamma.tagging.interrogator import Captioner, Entry, Interrogator, Tell
from train_gamma.tagging.onnx_tagger import OnnxTagger

SHIPPED = (
    "wd-vit-tagger-v3", "wd-swinv2-tagger-v3", "wd-convnext-tagger-v3", "wd-vit-large-tagger-v3",
    "wd-eva02-large-tagger-v3", "wd-v1-4-convnext-tagger-v2", "wd-v1-4-vit-tagger-v2", "wd-v1-4-swinv2-tagger-v2",
    "wd-v1-4-convnextv2-tagger-v2", "wd-v1-4-moat-tagger-v2", "pixai-tagger-v0.9", "camie-tagger-v2", "joytag",
    "cl-tagger-1.02", "Z3D-E621-Convnext", "miniature",
)  # fmt: skip
PACKAGE = Path(catalogue_module.__file__).parents[1]
PICTURE = Image.new("RGB", (30, 20), (200, 100, 50))


@pytest.fixture(autouse=True)
def _no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "no cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "taggers [x]"
    path.mkdir()
    return path


def catalogue(folder: Path, host: Sequence[Any] = ()) -> Catalogue:
    return Catalogue(lambda: folder, lambda: host)


def quiet(text: str, done: int, total: int) -> None:
    pass


def load(folder: Path, name: str) -> OnnxTagger:
    tagger = catalogue(folder).load(name, "cpu", quiet)
    assert isinstance(tagger, OnnxTagger)
    return tagger


def described(folder: Path, content: Any, name: str = "mine.json") -> None:
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")


def of_user(folder: Path) -> list[Entry]:
    return [entry for entry in catalogue(folder).entries() if entry.origin != "project"]


def test_shipped_entries_are_all_there_without_a_problem(folder: Path) -> None:
    entries = catalogue(folder).entries()
    assert tuple(entry.name for entry in entries) == SHIPPED
    assert [entry.problem for entry in entries] == [""] * len(SHIPPED)
    assert all("general" in entry.thresholds for entry in entries)
    assert [entry.name for entry in entries if entry.ready] == ["miniature"]


def test_missing_folder_is_no_problem(tmp_path: Path) -> None:
    assert len(catalogue(tmp_path / "none").entries()) == len(SHIPPED)


@pytest.mark.parametrize("name", ["wd14-convnext", "WD14-ConvNeXt", " wd-v1-4-convnext-tagger-v2 "])
def test_name_of_the_guides_is_known(folder: Path, name: str) -> None:
    assert catalogue(folder).entry(name).name == "wd-v1-4-convnext-tagger-v2"


def test_no_name_is_taken_twice() -> None:
    models = json.loads((PACKAGE / "tagging" / "models.json").read_text("utf-8"))["models"]
    names = [name.lower() for model in models for name in (model["name"], *model.get("aliases", ()))]
    assert len(names) == len(set(names))


def test_unknown_name_is_told_with_those_that_are_near(folder: Path) -> None:
    with pytest.raises(UserError, match="There is no tagger 'wd-vit-taggr-v3'.*wd-vit-tagger-v3"):
        catalogue(folder).entry("wd-vit-taggr-v3")


def test_miniature_tagger_loads(folder: Path) -> None:
    tagger = load(folder, "miniature")
    found = tagger.predict(np.stack([tagger.prepare(PICTURE)] * 2))
    assert found.shape == (2, len(tagger.labels))
    metadata = json.loads((PACKAGE / "demo" / "tagger" / "metadata.json").read_text("utf-8"))
    assert tagger.thresholds == metadata["thresholds"]


@pytest.mark.parametrize("tags", ["selected_tags.csv", "tags-selected.csv"])
def test_dropped_folder_is_taken_for_a_wd_tagger(folder: Path, tags: str) -> None:
    weights = write_wd(folder / "my tagger")
    (folder / "my tagger" / "selected_tags.csv").rename(folder / "my tagger" / tags)
    (entry,) = of_user(folder)
    assert (entry.name, entry.origin, entry.ready, entry.problem) == ("my tagger", "folder", True, "")
    tagger = load(folder, "my tagger")
    found = tagger.predict(tagger.prepare(Image.new("RGB", (9, 9), (200, 100, 50)))[None])
    logits = np.array([50, 100, 200]) / 255 @ weights.astype(np.float64)
    assert np.abs(found[0] - 1 / (1 + np.exp(-logits))).max() < 1e-6


def test_dropped_folder_goes_by_its_stages(folder: Path) -> None:
    write_model(folder / "own" / "v1.onnx", len(TAGS), axes="NCHW", divisor=1.0)
    write_tags(folder / "own" / "selected_tags.csv")
    stages = [{"type": "resize", "size": [16, 16]}, {"type": "to_tensor"}]
    described(folder / "own", {"stages": stages}, "preprocess.json")
    row = load(folder, "own").prepare(PICTURE)
    assert row.shape == (3, 16, 16)
    assert row[:, 0, 0] == pytest.approx(np.array([200, 100, 50]) / 255)


def test_dropped_folder_of_joytag_has_logits(folder: Path) -> None:
    weights = write_model(folder / "joy" / "model.onnx", 2, axes="NCHW", divisor=1.0, sigmoid=False)
    (folder / "joy" / "top_tags.txt").write_text("1girl\nsolo\n", "utf-8")
    tagger = load(folder, "joy")
    clip = (np.array([200, 100, 50]) / 255 - [0.48145466, 0.4578275, 0.40821073]) / [0.26862954, 0.26130258, 0.27577711]
    found = tagger.predict(tagger.prepare(Image.new("RGB", (9, 9), (200, 100, 50)))[None])
    assert found[0] == pytest.approx(1 / (1 + np.exp(-clip @ weights.astype(np.float64))), abs=1e-5)


@pytest.mark.parametrize(
    ("left", "told"), [("model.onnx", "none of selected_tags.csv"), ("selected_tags.csv", "no .onnx")]
)
def test_half_a_folder_is_listed_with_what_is_missing(folder: Path, left: str, told: str) -> None:
    write_wd(folder / "half")
    for path in (folder / "half").iterdir():
        if path.name != left:
            path.unlink()
    (entry,) = of_user(folder)
    assert told in entry.problem
    assert not entry.ready
    with pytest.raises(UserError, match="Put the missing file there"):
        load(folder, "half")


def test_folders_of_other_things_are_not_listed(folder: Path) -> None:
    (folder / "notes").mkdir()
    (folder / "notes" / "read.txt").write_text("-", "utf-8")
    write_wd(folder / ".hidden")
    assert of_user(folder) == []


def test_files_in_a_folder_of_a_shipped_name_are_its_files(folder: Path) -> None:
    write_wd(folder / "wd-vit-tagger-v3")
    assert of_user(folder) == []
    assert catalogue(folder).entry("wd-vit-tagger-v3").ready
    assert load(folder, "wd-vit-tagger-v3").thresholds["general"] == 0.2614


def test_described_model_is_used_as_described(folder: Path, tmp_path: Path) -> None:
    write_model(tmp_path / "elsewhere" / "net.onnx", 2, axes="NCHW", sigmoid=False)
    described(
        tmp_path / "elsewhere",
        {"0": {"tag": "a", "category": "General"}, "1": {"tag": "b", "category": "Quality"}},
        "t.json",
    )
    layout = {"like": "cl", "channels": "RGB", "fit": "stretch", "fill": [1, 2, 3]}
    described(
        folder,
        {
            "name": "mine", "title": "My tagger", "path": str(tmp_path / "elsewhere"), "model": "net.onnx",
            "tags": "t.json", "form": "mapping", "sigmoid": True, "layout": layout,
            "thresholds": {"general": 0.6, "quality": 0.2},
            "aliases": ["the other"], "licence": "MIT", "about": "trained on my own drawings",
        },
    )  # fmt: skip
    (entry,) = of_user(folder)
    assert (entry.name, entry.title, entry.origin, entry.licence) == ("mine", "My tagger", "file", "MIT")
    tagger = load(folder, "the other")
    assert [(label.name, label.category) for label in tagger.labels] == [("a", "general"), ("b", "quality")]
    assert tagger.thresholds == {"general": 0.6, "quality": 0.2}
    assert tagger.prepare(PICTURE)[:, 0, 0] == pytest.approx(np.array([200, 100, 50]) / 127.5 - 1)


def test_one_file_may_describe_several(folder: Path) -> None:
    write_wd(folder / "a" / "files")
    models = [{"name": name, "path": "a/files"} for name in ("one", "two")]
    described(folder, {"models": models})
    assert [entry.name for entry in of_user(folder)] == ["one", "two"]
    assert load(folder, "two").labels == load(folder, "one").labels


def test_folder_may_bring_its_own_description(folder: Path) -> None:
    write_wd(folder / "own")
    described(
        folder / "own", {"thresholds": {"general": 0.77}, "layout": {"like": "wd", "channels": "RGB"}}, "model.json"
    )
    tagger = load(folder, "own")
    assert tagger.thresholds == {"general": 0.77}
    assert tagger.prepare(PICTURE)[8, 8].tolist() == [200, 100, 50]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "is not JSON"),
        ("\x00", "not plain text"),
        ([1], "described by"),
        ({"nmae": "x"}, "Unknown key 'nmae'"),
        ({"name": "odd", "layout": "wf"}, "'layout' must be one of wd"),
        ({"path": "nowhere"}, "has no model.onnx and no selected_tags.csv"),
    ],
)
def test_bad_description_is_listed_with_its_reason_and_hurts_nothing_else(
    folder: Path, content: Any, told: str
) -> None:
    write_wd(folder / "good")
    described(folder, content)
    (bad,) = [entry for entry in of_user(folder) if entry.name != "good"]
    assert told in bad.problem
    assert not bad.ready
    assert load(folder, "good").device == "CPU"
    with pytest.raises(UserError):
        catalogue(folder).load(bad.name, "cpu", quiet)


def test_description_of_a_shipped_name_takes_its_place_but_a_bad_one_does_not(folder: Path) -> None:
    write_wd(folder / "joytag")
    described(folder, {"name": "joytag", "path": "joytag", "thresholds": {"general": 0.9}}, "a.json")
    described(folder, {"name": "miniature", "sigmoid": 5}, "b.json")
    assert load(folder, "joytag").thresholds == {"general": 0.9}
    assert catalogue(folder).entry("miniature").problem == ""
    assert "sigmoid" in catalogue(folder).entry("miniature (2)").problem


def test_two_of_one_name_are_both_listed(folder: Path) -> None:
    write_wd(folder / "same")
    for name in ("a.json", "b.json"):
        described(folder, {"name": "same", "path": "same"}, name)
    assert [entry.name for entry in of_user(folder)] == ["same", "same (2)"]


def test_missing_runtime_is_said_in_the_list(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_wd(folder / "own")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    entries = catalogue(folder).entries()
    assert len(entries) == len(SHIPPED) + 1
    assert all("onnxruntime" in entry.problem for entry in entries)
    with pytest.raises(UserError, match="onnxruntime"):
        catalogue(folder).load("own", "cpu", quiet)


class OfHost:
    """One that the host brings along."""

    def __init__(self, entry: Entry, loaded: Any = None) -> None:
        self.entry = entry
        self._loaded = loaded

    def load(self, tell: Tell) -> Interrogator | Captioner:
        tell("loading", 0, 0)
        loaded: Interrogator = self._loaded
        return loaded


def test_host_entries_are_offered_and_loaded(folder: Path) -> None:
    loaded, heard = object(), []
    good = OfHost(Entry("DeepDanbooru", "DeepDanbooru", "tagger", "host", ready=True), loaded)
    bad = OfHost(Entry("BLIP", "BLIP", "captioner", "host", problem="The host has none."))
    choices = catalogue(folder, [good, bad])
    assert [entry.name for entry in choices.entries()][-2:] == ["DeepDanbooru", "BLIP"]
    assert choices.load("deepdanbooru", "auto", lambda *told: heard.append(told)) is loaded
    assert heard == [("loading", 0, 0)]
    with pytest.raises(UserError, match="The host has none"):
        choices.load("BLIP", "auto", quiet)


def test_folder_dropped_in_later_is_there_at_once(folder: Path) -> None:
    choices = catalogue(folder)
    before = len(choices.entries())
    write_wd(folder / "new")
    assert len(choices.entries()) == before + 1
    shutil.rmtree(folder / "new")
    assert len(choices.entries()) == before


def test_stamp_changes_with_files_and_description(folder: Path) -> None:
    choices = catalogue(folder)
    described(folder, {"name": "mine", "path": "mine"})
    without = choices.stamp("mine")
    write_wd(folder / "mine")
    with_files = choices.stamp("mine")
    assert with_files.startswith(f"{without} ")
    write_tags(folder / "mine" / "selected_tags.csv", TAGS[:-1])
    assert choices.stamp("mine") != with_files
    described(folder, {"name": "mine", "path": "mine", "sigmoid": True})
    assert not choices.stamp("mine").startswith(without)
