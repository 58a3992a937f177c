"""The page as a whole, under whichever gradio is installed: 3.41.2 in AUTOMATIC1111, 4.40.0 in Forge."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.service.small_host import SmallHost
from train_gamma.service import Service
from train_gamma.ui.ids import TAB, field_id

gradio = pytest.importorskip("gradio", reason="the page needs gradio: pip install gradio==4.40.0")

from tests.ui.pages import build, by_id, components, filled  # noqa: E402 - they import gradio
from train_gamma.ui.fields import all_fields  # noqa: E402
from train_gamma.ui.layout import NOT_ON_THE_PAGE, NOT_WHEN_LENT, RULES, absent_fields  # noqa: E402


@pytest.fixture(params=["lent", "by path"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> SmallHost:
    made = SmallHost(tmp_path)
    made.lends_loaded_model = request.param == "lent"
    return made


@pytest.fixture
def page(host: SmallHost) -> Any:
    return build(Service(host))


def tab_of(component: Any) -> str:
    """The label of the outermost tab that a component is in, "" for none."""
    label = ""
    while component is not None:
        label = str(component.label) if component.get_block_name() == "tabitem" else label
        component = component.parent
    return label


def test_no_label_comes_twice_in_a_tab(page: Any) -> None:
    labels = Counter((tab_of(one), one.label) for one in components(page) if getattr(one, "label", None))
    buttons = Counter((tab_of(one), one.value) for one in components(page) if one.get_block_name() == "button")
    assert len(labels) > 80
    assert {tab for tab, _ in labels} == {"Tagger", "Create", "Train"}
    assert {text: count for text, count in (labels + buttons).items() if count > 1} == {}


def test_every_component_has_an_id_of_ours_that_no_other_has(page: Any) -> None:
    ids = Counter(component.elem_id for component in components(page))
    assert [name for name, count in ids.items() if count > 1 or not str(name).startswith("train_gamma_")] == []


def test_the_host_saves_none_of_the_components(page: Any) -> None:
    assert all(block.do_not_save_to_config for block in page.blocks.values())


def test_every_setting_is_on_the_page_or_left_out_for_a_reason(page: Any, host: SmallHost) -> None:
    shown = by_id(page)
    for key, described in all_fields().items():
        if key in absent_fields(host):
            assert field_id(key) not in shown
            lone = described.choices is not None and len(described.choices) == 1
            assert lone or key in NOT_ON_THE_PAGE or (key in NOT_WHEN_LENT and host.lends_loaded_model)
        else:
            component = shown[field_id(key)]
            assert component.label == described.label
            assert component.info.startswith(described.help)


def test_a_setting_that_does_not_act_is_not_shown(host: SmallHost, tmp_path: Path) -> None:
    form = filled(host, tmp_path).form
    defaults = {key: described.default for key, described in form.fields.items()}
    for rule in RULES:
        assert form.components[rule.field].visible == rule.shown(defaults), rule.field


@pytest.mark.parametrize(
    ("changed", "shown", "hidden"),
    [
        ({"training.clip_mode": "norm"}, ["training.clip_value"], []),
        ({"training.full_batch": True}, [], ["training.gradient_accumulation"]),
        ({"training.max_steps": 0}, ["training.max_epochs"], []),
        (
            {"embedding.start": "random"},
            [],
            ["embedding.init_text", "embedding.long_text", "embedding.short_text", "embedding.init_embedding"],
        ),
        (
            {"embedding.start": "embedding"},
            ["embedding.init_embedding", "embedding.long_text"],
            ["embedding.init_text"],
        ),
        ({"dataset.template_file": "a.txt"}, [], ["dataset.templates"]),
        ({"preview.every_n_steps": 10}, ["preview.at_start"], []),
    ],
)
def test_choices_show_and_hide_what_depends_on_them(
    changed: dict[str, Any], shown: list[str], hidden: list[str], host: SmallHost, tmp_path: Path
) -> None:
    form = filled(host, tmp_path).form
    keys = {id(component): key for key, component in form.components.items()}
    values = [
        changed.get(keys[id(component)], form.fields[keys[id(component)]].default) for component in form.controllers()
    ]
    visible = {
        keys[id(component)]: update["visible"]
        for component, update in zip(form.dependents(), form.visibility(*values), strict=True)
    }
    assert [visible[key] for key in shown] == [True] * len(shown)
    assert [visible[key] for key in hidden] == [False] * len(hidden)


def test_the_page_can_stand_inside_the_page_of_a_webui(host: SmallHost) -> None:
    inner = build(Service(host), txt2img=[])
    with gradio.Blocks() as outer, gradio.Tabs(), gradio.Tab("Train Gamma", id=TAB, elem_id=TAB):
        inner.render()
    assert len(outer.get_config_file()["dependencies"]) > 20
    ids = [block.elem_id for block in outer.blocks.values() if block.elem_id]
    assert ids.count(TAB) == 1


def test_no_handler_needs_a_queue_or_a_timer(page: Any) -> None:
    for dependency in page.get_config_file()["dependencies"]:
        assert not dependency.get("every")
        assert not (dependency.get("types") or {}).get("generator"), "a generator needs the queue"
