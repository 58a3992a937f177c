"""The tagger's settings on the page: every one is there, survives the way there and back, and is kept."""

from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gradio", reason="the page needs gradio: pip install gradio==4.40.0")
pytest.importorskip("onnx", reason="the small tagger is made with onnx: pip install onnx")

from tests.service.small_host import SmallHost
from tests.ui.pages import after, build, by_id
from tests.ui.taggers import NAME, FilledTagger, filled_tagger
from tests.ui.test_form import another, sent_back
from train_gamma.errors import UserError
from train_gamma.service import Service
from train_gamma.service.tag_memory import FILE, remember, remembered
from train_gamma.tagging.config import TagConfig
from train_gamma.tagging.interrogator import Entry
from train_gamma.ui import tagger_actions
from train_gamma.ui.fields import tag_fields
from train_gamma.ui.ids import field_id
from train_gamma.ui.tagger_form import find_entry, read_form, recommended, updates

VALUES = {"tag.categories": ("general", "artist"), "tag.replace_tags": ("a, b -> c", "d -> e"), "tag.model": "another"}


@pytest.fixture
def page(tmp_path: Path) -> FilledTagger:
    return filled_tagger(tmp_path)


def shown(page: FilledTagger, config: TagConfig) -> dict[str, Any]:
    """What the components hold when the form was brought to ``config``."""
    values = after(page.form, updates(page.service, page.form, config), page.values())
    return {key: sent_back(page.form.components[key], value) for key, value in values.items()}


def test_every_setting_is_on_the_page_with_its_description(tmp_path: Path) -> None:
    components = by_id(build(Service(SmallHost(tmp_path))))
    for key, described in tag_fields().items():
        component = components[field_id(key)]
        assert component.label == described.label
        assert component.info.startswith(described.help.rstrip("."))


@pytest.mark.parametrize("key", tag_fields())
def test_every_setting_survives_the_way_to_the_form_and_back(key: str, page: FilledTagger) -> None:
    value = VALUES.get(key, another(page.form.fields[key]))
    config = replace(TagConfig(), **{key.removeprefix("tag."): value})
    assert config != TagConfig()
    assert read_form(page.service, page.form, list(shown(page, config).values())) == config


def test_an_untouched_form_is_the_default(page: FilledTagger) -> None:
    values = [sent_back(component, component.value) for component in page.form.all()]
    assert read_form(page.service, page.form, values) == TagConfig()


def test_sliders_show_what_is_recommended_and_mean_exactly_that(page: FilledTagger) -> None:
    config = TagConfig(model="wd-v1-4-convnext-tagger-v2")  # its threshold is 0.3685, which a slider rounds
    now = shown(page, config)
    assert now["tag.general_threshold"] == 0.37
    assert now["tag.character_threshold"] == 0.85
    assert read_form(page.service, page.form, list(now.values())) == config
    now["tag.general_threshold"] = 0.38
    assert read_form(page.service, page.form, list(now.values())).general_threshold == 0.38


@pytest.mark.parametrize(
    ("thresholds", "expected"),
    [
        ({"general": 0.2614, "character": 0.9}, [0.26, 0.9, 0.26]),
        ({"general": 0.4}, [0.4, 0.85, 0.4]),
        ({"general": 0.4, "artist": 0.6, "meta": 0.6}, [0.4, 0.85, 0.6]),
        ({"general": 0.4, "artist": 0.6, "meta": 0.7}, [0.4, 0.85, 0.0]),
    ],
)
def test_what_is_recommended_for_each_slider(thresholds: dict[str, float], expected: list[float]) -> None:
    entry = Entry("a", "A", "tagger", "project", thresholds)
    assert list(recommended(entry).values()) == expected
    assert list(recommended(None).values()) == [0.0, 0.0, 0.0]


def test_choosing_a_tagger_moves_the_sliders_and_an_unfinished_name_does_not(page: FilledTagger) -> None:
    entry = find_entry(page.service, "wd-vit-tagger-v3")
    assert entry is not None
    moved = tagger_actions.choose(page.service, entry.name)
    assert [update["value"] for update in moved] == [0.26, 0.85, 0.26]
    assert all("value" not in update for update in tagger_actions.choose(page.service, "wd-vit"))


@pytest.mark.parametrize(
    ("changes", "visible", "hidden"),
    [
        ({}, ["general_threshold"], ["character_threshold", "other_threshold", "add_position"]),
        ({"categories": ["character"]}, ["character_threshold"], ["other_threshold"]),
        ({"categories": ["general", "meta"]}, ["other_threshold"], ["character_threshold"]),
        ({"threshold_method": "mcut", "categories": ["character", "meta"]}, [], ["general_threshold"]),
        ({"add_tags": "a"}, ["add_position"], []),
    ],
)
def test_settings_that_do_not_act_are_not_shown(
    changes: dict[str, Any], visible: list[str], hidden: list[str], page: FilledTagger
) -> None:
    found = page.form.visibility_of(page.values(**changes))
    keys = [rule.field for rule in page.form.rules]
    state = {key.removeprefix("tag."): update["visible"] for key, update in zip(keys, found, strict=True)}
    assert [state[name] for name in visible] == [True] * len(visible)
    assert [state[name] for name in hidden] == [False] * len(hidden)


def test_bad_numbers_and_unknown_choices_are_told_by_their_labels(page: FilledTagger) -> None:
    with pytest.raises(UserError, match="Pictures at once must be at most 128"):
        read_form(page.service, page.form, page.values(batch_size=1000))
    with pytest.raises(UserError, match="Maximum tags .* must be a whole number"):
        read_form(page.service, page.form, page.values(max_tags=None))


def test_a_path_in_quotes_and_a_name_with_blanks_are_read_without(page: FilledTagger) -> None:
    config = read_form(page.service, page.form, page.values(folder='"C:\\[a] b"', model=f" {NAME} "))
    assert (config.folder, config.model) == ("C:\\[a] b", NAME)


def test_settings_are_kept_and_read_again(tmp_path: Path) -> None:
    changed = TagConfig(
        folder="a folder", general_threshold=0.4, categories=("general", "meta"), replace_tags=("a -> b",)
    )
    assert remembered(tmp_path) == TagConfig()
    remember(tmp_path, changed)
    assert remembered(tmp_path) == changed
    assert set(asdict(changed)) == {field.name for field in fields(TagConfig)}


@pytest.mark.parametrize(
    "content", ["", "[1]", '{"general_threshold": 7}', '{"folder": 1.5, "unknown": 2}', "\u00ff\u00fe"]
)
def test_what_cannot_be_read_again_is_as_nothing(content: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(content, "latin-1")
    assert remembered(tmp_path).general_threshold == 0.0


def test_a_setting_of_a_later_version_does_not_lose_the_others(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"folder": "a folder", "of_the_future": 2}', "utf-8")
    assert remembered(tmp_path).folder == "a folder"


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot be kept"):
        remember(tmp_path / "file", TagConfig())
