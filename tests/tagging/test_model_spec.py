"""Descriptions of models: what they give, and what is wrong with bad ones."""

import re
from pathlib import Path
from typing import Any

import pytest

from train_gamma.errors import UserError
from train_gamma.tagging.model_spec import ModelSpec, read_spec
from train_gamma.tagging.preprocess import Layout

LAYOUTS = {"wd": {"axes": "NHWC", "channels": "BGR", "scale": 1, "size": 448}}


def read(data: Any, base: Path = Path("base")) -> ModelSpec:
    return read_spec(data, base, LAYOUTS, "unnamed")


def test_least_description_is_a_wd_tagger_in_its_own_folder() -> None:
    spec = read({})
    assert (spec.name, spec.folder, spec.repository) == ("unnamed", Path("base"), "")
    assert spec.layout == Layout(axes="NHWC", channels="BGR", scale=1.0, size=448)
    assert spec.all_files == ("model.onnx", "selected_tags.csv")
    assert dict(spec.thresholds) == {"general": 0.35}


def test_repository_has_no_folder_unless_one_is_given(tmp_path: Path) -> None:
    assert read({"repository": "a/b"}).folder is None
    assert read({"repository": "a/b", "path": "sub"}).folder == Path("base/sub")
    assert read({"path": str(tmp_path)}).folder == tmp_path


def test_everything_it_needs_is_listed_once() -> None:
    spec = read({"files": ["model.onnx.data", "model.onnx"], "layout_file": "preprocess.json"})
    assert spec.all_files == ("model.onnx", "selected_tags.csv", "preprocess.json", "model.onnx.data")


def test_thresholds_may_be_in_a_file_of_the_model(tmp_path: Path) -> None:
    (tmp_path / "metadata.json").write_text('{"thresholds": {"general": 0.42}, "f1": 0.9}', "utf-8")
    assert read({"thresholds": "metadata.json"}, tmp_path).thresholds == {"general": 0.42}
    with pytest.raises(UserError, match=r"other\.json', which has none"):
        read({"thresholds": "other.json"}, tmp_path)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (5, "described by"),
        ({"nmae": "x"}, "Unknown key 'nmae'"),
        ({"layout": "wf"}, "'layout' must be one of wd"),
        ({"layout": {"like": "wd", "filter": "x"}}, "Unknown key 'filter' in 'layout'"),
        ({"layout": {"channels": "GBR"}}, "'channels' must be one of RGB, BGR"),
        ({"layout": {"mean": [1, 2]}}, "'mean' must be three numbers"),
        ({"layout": {"std": [1, 0, 1]}}, "'std' must be a number from 1e-06"),
        ({"layout": {"fill": [0, 0, 256]}}, "'fill' must be a number from 0 to 255"),
        ({"layout": {"rounded": 1}}, "'rounded' must be true or false"),
        ({"layout": 5}, "'layout' must be the name of one"),
        ({"thresholds": {"general": 35}}, "'general' must be a number from 0 to 1"),
        ({"thresholds": {"general": True}}, "'general' must be a number from 0 to 1"),
        ({"thresholds": {"character": 0.5}}, "'thresholds' must be such as"),
        ({"form": "xml"}, "'form' must be one of csv"),
        ({"form": ["csv"]}, "'form' must be one of csv"),
        ({"categories": "gelbooru"}, "'categories' must be danbooru or e621"),
        ({"sigmoid": "yes"}, "'sigmoid' must be true or false"),
        ({"name": "../x"}, "'name' must be a name that a folder can have"),
        ({"name": ""}, "'name' must be a name that a folder can have"),
        ({"model": "../../etc/model.onnx"}, "inside the model's own folder"),
        ({"tags": "C:\\tags.csv"}, "inside the model's own folder"),
        ({"files": ["/etc/passwd"]}, "inside the model's own folder"),
        ({"repository": "wd-vit"}, "'repository' must be such as"),
        ({"aliases": "x"}, "'aliases' must be a list of texts"),
        ({"title": 5}, "'title' must be a text"),
        ({"model": ""}, "'model' must name the ONNX file"),
        ({"tags": ""}, "'tags' must name the list of tags"),
    ],
)
def test_what_is_wrong_is_told(data: Any, told: str) -> None:
    with pytest.raises(UserError, match=re.escape(told)):
        read(data)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(UserError) as error:
        read({"form": "xml", "sigmoid": 1, "layout": {"axes": "CHW"}})
    assert [word in str(error.value) for word in ("'form'", "'sigmoid'", "'axes'")] == [True] * 3
