"""Values of components become a configuration, and a configuration becomes values of components."""

from pathlib import Path
from typing import Any

import pytest

from tests.service.small_host import SmallHost
from train_gamma.errors import UserError
from train_gamma.training.config import RunConfig
from train_gamma.training.config_reading import from_dict

pytest.importorskip("gradio", reason="the page needs gradio: pip install gradio==4.40.0")

from tests.ui.pages import Filled, after, filled
from train_gamma.ui.fields import Field, all_fields

TEXTS = {
    "training.learning_rate": "0.05:10, 0.02:50%, 0.01",
    "training.clip_value": "0.5:10, 0.1",
    "dataset.filename_join": ", ",
    "dataset.background": "#102030",
}
WITH = {"training.max_epochs": {"training": {"max_steps": 0}}}
"""Values that only hold together with another one."""


@pytest.fixture
def page(tmp_path: Path) -> Filled:
    host = SmallHost(tmp_path)
    host.lends_loaded_model = False
    return filled(host, tmp_path)


def another(described: Field) -> Any:
    """A value that the field may have and has not by default."""
    if described.is_list:
        return ("one, [name]", "two  [filewords]")
    if described.kind is bool:
        return not described.default
    if described.choices is not None:
        return next(choice for choice in reversed(described.choices) if choice != described.default)
    if described.kind is str:
        return TEXTS.get(described.key, "a text with spaces")
    low = described.minimum or 0
    high = described.maximum if described.maximum is not None else 10_000
    value = described.kind(low + (high - low) * 0.3)
    return value if value != described.default else described.kind(low + (high - low) * 0.4)


def sent_back(component: Any, value: Any) -> Any:
    """What gradio gives a handler for a value that a handler gave to it, with the browser in between."""
    shown = component.postprocess(value)
    return component.preprocess(shown)


@pytest.mark.parametrize("key", all_fields())
def test_every_setting_survives_the_way_to_the_form_and_back(key: str, page: Filled) -> None:
    form = page.form
    if key in form.absent:
        return  # test_page holds the reason
    section, name = key.split(".")
    nested: dict[str, Any] = {**WITH.get(key, {})}
    nested[section] = {**nested.get(section, {}), name: another(form.fields[key])}
    config = from_dict(nested)
    assert getattr(getattr(config, section), name) != form.fields[key].default
    shown = after(form, form.updates(config.to_dict()), page.values())
    values = [sent_back(form.components[k], v) for k, v in shown.items()]
    assert from_dict(form.plain(values)) == config


def test_an_untouched_form_is_the_default_configuration(page: Filled) -> None:
    values = [sent_back(component, component.value) for component in page.form.all()]
    assert from_dict(page.form.plain(values)) == RunConfig()


def test_a_partial_preset_leaves_the_other_fields_alone(page: Filled) -> None:
    updates = page.form.updates({"training": {"max_steps": 77}, "unknown": {"x": 1}})
    shown = after(page.form, updates, page.values(training__batch_size=3))
    assert (shown["training.max_steps"], shown["training.batch_size"]) == (77, 3)
    assert sum("value" in update for update in updates) == 1


def test_a_choice_of_another_version_is_left_out(page: Filled) -> None:
    updates = page.form.updates({"training": {"timestep_sampling": "of_the_future", "max_steps": 5}})
    shown = after(page.form, updates, page.values())
    assert (shown["training.timestep_sampling"], shown["training.max_steps"]) == ("uniform", 5)


@pytest.mark.parametrize("empty", [None, ""])
def test_an_empty_number_is_told_by_its_label(empty: Any, page: Filled) -> None:
    with pytest.raises(UserError, match="Batch size .* must be a whole number"):
        from_dict(page.form.plain(page.values(training__batch_size=empty)))


def test_a_number_out_of_range_is_told_by_its_label(page: Filled) -> None:
    with pytest.raises(UserError, match="Batch size must be at least 1, got 0"):
        from_dict(page.form.plain(page.values(training__batch_size=0)))


def test_a_seed_keeps_every_digit(page: Filled) -> None:
    assert from_dict(page.form.plain(page.values(training__seed=str(2**63 - 1)))).training.seed == 2**63 - 1


def test_a_path_copied_with_quotes_is_read_without(page: Filled) -> None:
    assert (
        from_dict(page.form.plain(page.values(dataset__folder='"C:\\my pictures"'))).dataset.folder == "C:\\my pictures"
    )
