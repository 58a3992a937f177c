"""Configurations: described, checked, and every setting acts."""

import ast
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from train_gamma.errors import UserError
from train_gamma.training.config import RunConfig
from train_gamma.training.config_reading import describe, from_dict, section_types

PACKAGE = Path(__file__).parents[2] / "modules" / "train_gamma"

FIELDS = [
    pytest.param(section, field, id=f"{section}.{field.name}")
    for section, kind in section_types().items()
    for field in dataclasses.fields(kind)
]

CHANGED: dict[str, dict[str, Any]] = {
    "model": {"path": "m.safetensors", "clip_skip": 2, "precision": "fp16"},
    "embedding": {"name": "zz", "num_vectors": 5, "start": "random"},
    "dataset": {"folder": "/cats", "tag_dropout": 0.25, "flip": True, "caption_extensions": (".tags",)},
    "training": {"learning_rate": "0.1:50%, 0.01", "seed": 2**63 - 1, "epsilon": 1e-12},
    "preview": {"prompts": ("[name] größe", "b"), "guidance_scale": 1.0},
    "output": {"format": "png", "overwrite": True},
}


def test_a_configuration_survives_json() -> None:
    config = from_dict(CHANGED)
    text = json.dumps(config.to_dict())
    assert from_dict(json.loads(text)) == config != RunConfig()
    for section, values in CHANGED.items():
        for key, value in values.items():
            assert getattr(getattr(config, section), key) == value


def test_what_is_not_given_comes_from_the_base() -> None:
    base = from_dict(CHANGED)
    changed = from_dict({"training": {"max_steps": 7}}, base)
    assert changed == dataclasses.replace(base, training=dataclasses.replace(base.training, max_steps=7))


def test_the_version_is_written_and_checked() -> None:
    assert RunConfig().to_dict()["version"] == 1
    with pytest.raises(UserError, match="version 2 is not known; this program reads version 1"):
        from_dict({"version": 2})


@pytest.mark.parametrize(
    ("section", "key", "text", "value"),
    [
        ("training", "max_steps", "500", 500),
        ("training", "max_steps", 500.0, 500),
        ("training", "weight_decay", "0.5", 0.5),
        ("training", "weight_decay", 1, 1.0),
        ("training", "learning_rate", 0.005, "0.005"),
        ("training", "full_batch", "TRUE", True),
        ("dataset", "upscale", "false", False),
        ("embedding", "name", 7, "7"),
        ("preview", "prompts", "one", ("one",)),
        ("preview", "prompts", ["one", "two"], ("one", "two")),
        ("dataset", "templates", [], ()),
    ],
)
def test_texts_of_a_command_line_and_values_of_a_file_mean_the_same(
    section: str, key: str, text: Any, value: Any
) -> None:
    found = getattr(getattr(from_dict({section: {key: text}}), section), key)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(("section", "field"), FIELDS)
def test_every_setting_is_described(section: str, field: Any) -> None:
    described = field.metadata
    assert described["label"]
    assert described["label"][0].isupper()
    assert described["help"].endswith(".")
    assert (field.name, field.default, described) in describe(section_types()[section])


def test_no_label_stands_for_two_settings() -> None:
    labels = [field.metadata["label"] for kind in section_types().values() for field in dataclasses.fields(kind)]
    assert sorted(labels) == sorted(set(labels))


@pytest.mark.parametrize(("section", "field"), FIELDS)
def test_every_range_is_enforced_and_named_by_its_label(section: str, field: Any) -> None:
    described, default = field.metadata, field.default
    bad = []
    if described["minimum"] is not None:
        bad.append(described["minimum"] - 1)
    if described["maximum"] is not None:
        bad.append(described["maximum"] + 1)
    if described["choices"] is not None:
        assert default in described["choices"]
        bad.append("something else")
    if isinstance(default, float):
        bad.append(float("nan"))
    for value in bad:
        with pytest.raises(UserError) as caught:
            from_dict({section: {field.name: value}})
        assert described["label"] in str(caught.value)
        assert str(value) in str(caught.value)


@pytest.mark.parametrize(("section", "field"), FIELDS)
def test_every_type_is_enforced_and_named_by_its_label(section: str, field: Any) -> None:
    wrong: list[Any] = [{"a": 1}]
    if isinstance(field.default, bool):
        wrong += ["maybe", 1, None]
    elif isinstance(field.default, (int, float)):
        wrong += ["many", True, None, [1]]
    elif isinstance(field.default, tuple):
        wrong += [1, [1], None]
    else:
        wrong += [True, None, ["a"]]
    for value in wrong:
        with pytest.raises(UserError) as caught:
            from_dict({section: {field.name: value}})
        assert f"{field.metadata['label']} ({section}.{field.name}) must be" in str(caught.value)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(UserError) as caught:
        from_dict({"training": {"sped": 1, "max_steps": "many"}, "trainin": {}, "model": 3})
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert all(line.startswith("- ") for line in lines)
    with pytest.raises(UserError) as caught:
        from_dict({"training": {"batch_size": 0, "learning_rate": "x"}, "model": {"device": "tpu"}})
    assert len(str(caught.value).splitlines()) == 3


SECTIONS = ("model", "embedding", "dataset", "training", "preview", "output")
OWNERS = {*SECTIONS, "config", "_config", "settings", "choice", "request", "plain"}
"""What a section of the configuration is called where it is used."""


def read_settings() -> set[str]:
    """``config.name`` and its like, wherever the package reads them outside the configuration's own files."""
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        if path.parent.name == "training" and path.stem in ("config", "config_reading", "options"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                owner = node.value
                name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
                if name in OWNERS:
                    found.add(node.attr)
    return found


def test_every_setting_is_read_somewhere() -> None:
    read = read_settings()
    unread = [f"{p.values[0]}.{p.values[1].name}" for p in FIELDS if p.values[1].name not in read]
    assert unread == []
