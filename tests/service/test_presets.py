"""Presets, built in and saved, and what the form held last."""

import json
import logging
import threading
from pathlib import Path
from typing import Any

import pytest

from train_gamma.demo.benchmark import demo_config
from train_gamma.errors import UserError
from train_gamma.service.built_in_presets import BUILT_IN
from train_gamma.service.presets import OF_ONE_RUN, Presets
from train_gamma.training.config import RunConfig
from train_gamma.training.config_reading import from_dict
from train_gamma.training.plan import make_plan

OWN = {"training": {"max_steps": 500, "learning_rate": "0.01"}, "dataset": {"templates": ["[name] x"]}}


@pytest.fixture
def presets(tmp_path: Path) -> Presets:
    return Presets(lambda: tmp_path / "presets")


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_preset_is_a_configuration_that_can_be_planned(name: str, presets: Presets) -> None:
    config = from_dict(presets.load(name))
    for pictures in (1, 15, 24, 150, 300):
        assert make_plan(config, pictures).total_steps >= 50
    assert not {(section, key) for section, values in BUILT_IN[name].items() for key in values} & set(OF_ONE_RUN)
    json.dumps(presets.load(name))


def test_the_miniature_has_the_settings_of_the_demo(presets: Presets, tmp_path: Path) -> None:
    demo = demo_config(tmp_path, seed=1).to_dict()
    ours = from_dict(presets.load("Miniature (demo)")).to_dict()
    for section, key in (("embedding", "name"), ("dataset", "folder"), ("output", "folder"), ("training", "seed")):
        del demo[section][key], ours[section][key]
    assert ours == demo


@pytest.mark.parametrize("first", BUILT_IN)
@pytest.mark.parametrize("second", BUILT_IN)
def test_nothing_of_a_preset_stays_after_another_was_chosen(first: str, second: str, presets: Presets) -> None:
    between = from_dict(presets.load(first))
    after, plain = from_dict(presets.load(second), between), from_dict(presets.load(second))
    kept = {"model": {"path": between.model.path}, "embedding": {"init_text": between.embedding.init_text}}
    named = presets.load(second)
    kept = {s: {k: v for k, v in values.items() if k not in named.get(s, {})} for s, values in kept.items()}
    assert after == from_dict(kept, plain)


def test_the_numbers_that_the_guides_give() -> None:
    """200 passes over 20 pictures at 4 a step are 1000 steps; 15 pictures at once 200 times, whatever the batch."""
    character = make_plan(from_dict(BUILT_IN["Character"]), 20)
    assert character.total_steps / (20 / character.samples_per_step) == 200
    fifteen = make_plan(from_dict(BUILT_IN["Fifteen pictures"]), 15)
    assert (fifteen.samples_per_step, fifteen.total_steps) == (15, 200)


def test_what_is_saved_is_loaded_and_listed_and_deleted(presets: Presets) -> None:
    presets.save("My girls (2)", OWN)
    assert presets.load("My girls (2)") == OWN
    assert presets.names() == [*BUILT_IN, "My girls (2)"]
    assert not presets.is_built_in("My girls (2)")
    presets.save("My girls (2)", {"training": {"max_steps": 7}})
    assert presets.load("My girls (2)") == {"training": {"max_steps": 7}}
    presets.delete("My girls (2)")
    assert presets.names() == list(BUILT_IN)
    with pytest.raises(UserError, match="no preset"):
        presets.delete("My girls (2)")
    with pytest.raises(UserError, match="does not exist"):
        presets.load("My girls (2)")


def test_a_preset_does_not_say_which_run_it_is(presets: Presets) -> None:
    whole = from_dict({"embedding": {"name": "zz"}, "dataset": {"folder": "/p"}, "output": {"export_to": "/e"}})
    presets.save("x", whole.to_dict())
    kept = presets.load("x")
    assert not {(section, key) for section, values in kept.items() for key in values} & set(OF_ONE_RUN)
    assert from_dict(kept).training == whole.training


@pytest.mark.parametrize("name", [*BUILT_IN, "character", "MINIATURE (demo)"])
def test_built_in_presets_stay_as_they_are(name: str, presets: Presets) -> None:
    with pytest.raises(UserError, match="built in"):
        presets.save(name, OWN)
    with pytest.raises(UserError, match="built in"):
        presets.delete(name)


def test_a_built_in_preset_that_was_loaded_can_be_changed_without_harm(presets: Presets) -> None:
    presets.load("Style")["training"]["max_steps"] = 1
    assert presets.load("Style")["training"]["max_steps"] == 2000


@pytest.mark.parametrize(
    "name",
    ["", " ", "../evil", "a/b", "a\\b", "..", ".hidden", "x.", "a\nb", "a:b", "x" * 61, "last-form"],
)
def test_a_name_that_could_be_a_path_is_refused(name: str, presets: Presets, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Choose another name"):
        presets.save(name, OWN)
    for action in (presets.load, presets.delete):
        with pytest.raises(UserError):
            action(name)
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize(
    "values",
    [
        {"training": {"max_steps": -1}},
        {"training": {"max_stepz": 1}},
        {"nothing": {}},
        {"preview": {"seed": "x"}},
    ],
)
def test_values_that_are_wrong_are_not_kept(values: Any, presets: Presets) -> None:
    with pytest.raises(UserError):
        presets.save("x", values)
    with pytest.raises(UserError):
        presets.remember(values)
    assert presets.names() == list(BUILT_IN)
    assert presets.remembered() == {}


def test_settings_of_another_version_are_left_out_with_a_warning(
    presets: Presets, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    presets.save("old", OWN)
    path = tmp_path / "presets" / "old.json"
    content = json.loads(path.read_text("utf-8"))
    content["version"] = 99
    content["training"]["ancient_option"] = 3
    content["gone"] = {"key": 1}
    path.write_text(json.dumps(content), "utf-8")
    with caplog.at_level(logging.WARNING, logger="train_gamma"):
        values, warnings = presets.load_with_warnings("old")
    assert values == OWN
    assert len(warnings) == 2
    assert "training.ancient_option" in warnings[0] + warnings[1]
    assert "ancient_option" in caplog.text


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b"\xff\xfe\x00", b'{"training": {"max_steps": -5}}'])
def test_a_damaged_preset_says_so(damage: bytes, presets: Presets, tmp_path: Path) -> None:
    presets.save("x", OWN)
    (tmp_path / "presets" / "x.json").write_bytes(damage)
    with pytest.raises(UserError):
        presets.load("x")


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b"\xff\xfe\x00", b'{"training": {"max_steps": -5}}'])
def test_a_damaged_memory_is_an_empty_one(damage: bytes, presets: Presets, tmp_path: Path) -> None:
    presets.remember(OWN)
    assert presets.remembered() == OWN
    (tmp_path / "presets" / "last-form.json").write_bytes(damage)
    assert presets.remembered() == {}


def test_the_form_remembers_everything(presets: Presets) -> None:
    whole = from_dict({"embedding": {"name": "zz"}, "dataset": {"folder": "/p"}})
    presets.remember(whole.to_dict())
    assert from_dict(presets.remembered()) == whole
    assert presets.names() == list(BUILT_IN)
    assert RunConfig() != whole


def test_a_full_disk_leaves_the_old_preset(presets: Presets, monkeypatch: pytest.MonkeyPatch) -> None:
    presets.save("x", OWN)

    def full(*_arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("train_gamma.atomic.os.fsync", full)
    with pytest.raises(UserError, match="No space left"):
        presets.save("x", {"training": {"max_steps": 1}})
    assert presets.load("x") == OWN


def test_many_pages_that_remember_at_once_leave_one_whole_memory(presets: Presets) -> None:
    def remember(steps: int) -> None:
        for k in range(20):
            presets.remember({"training": {"max_steps": steps, "batch_size": steps}, "preview": {"seed": k}})

    threads = [threading.Thread(target=remember, args=(steps,)) for steps in (11, 22, 33)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        values = presets.remembered().get("training", {"max_steps": 0, "batch_size": 0})
        assert values["max_steps"] == values["batch_size"]
    for thread in threads:
        thread.join()
