"""What the buttons do, over a service whose host has a model that is computed in milliseconds."""

import html
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from tests.service.small_host import SmallHost, done
from train_gamma.embedding.files import read_embedding
from train_gamma.errors import UserError
from train_gamma.training.config import ModelConfig

pytest.importorskip("gradio", reason="the page needs gradio: pip install gradio==4.40.0")

from tests.ui.pages import Filled, after, filled
from train_gamma.ui import create_tab, live, messages, presets_part, runs_part, train_actions
from train_gamma.ui.chosen import FRESH, PRESENT
from train_gamma.ui.handlers import guarded, quietly, told


@pytest.fixture
def page(tmp_path: Path) -> Filled:
    return filled(SmallHost(tmp_path), tmp_path)


def text(answer: Any) -> str:
    """What people read of an answer; "" for an output that stays as it is."""
    shown = answer if isinstance(answer, str) else ""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", shown))).strip()


def create(page: Filled, name: str, replace: bool = False, **values: Any) -> list[Any]:
    handler = guarded(lambda *sent: create_tab.create(page.service, page.form, *sent), 2)
    answer: list[Any] = handler(replace, *page.values(embedding__name=name, **values))
    return answer


def train(page: Filled, name: str, begin: str = PRESENT, **values: Any) -> list[str]:
    handler = guarded(lambda *sent: train_actions.train(page.service, page.form, *sent), 2)
    return [text(answer) for answer in handler(name, begin, *page.values(**values))]


def finish(page: Filled) -> dict[str, Any]:
    job = page.service.jobs.latest
    assert job is not None
    return done(job)


def test_create_writes_the_embedding_and_offers_to_train_it(page: Filled) -> None:
    message, train_it = create(page, "tg-new", embedding__num_vectors=3, output__format="pt")
    path = page.service.host.folders.embeddings / "tg-new.pt"
    assert read_embedding(path).num_vectors == 3
    assert "Created 'tg-new'" in text(message)
    assert str(path) in text(message)
    assert train_it["visible"] is True


def test_create_replaces_only_when_that_is_allowed(page: Filled) -> None:
    create(page, "tg-new", embedding__num_vectors=3)
    message, _ = create(page, "tg-new", embedding__num_vectors=5)
    path = page.service.host.folders.embeddings / "tg-new.safetensors"
    assert text(message).startswith("Error There is an embedding 'tg-new' already.")
    assert read_embedding(path).num_vectors == 3
    create(page, "tg-new", replace=True, embedding__num_vectors=5)
    assert read_embedding(path).num_vectors == 5


def test_create_starts_from_an_embedding_chosen_by_its_name(page: Filled) -> None:
    create(page, "tg-old", embedding__start="random", embedding__num_vectors=2)
    create(page, "tg-new", embedding__start="embedding", embedding__init_embedding="tg-old", embedding__num_vectors=2)
    folder = page.service.host.folders.embeddings
    old, new = (read_embedding(folder / f"{name}.safetensors").vectors["clip_l"] for name in ("tg-old", "tg-new"))
    assert (old == new).all()


def test_the_name_is_checked_while_it_is_typed(page: Filled) -> None:
    def answer(name: str, replace: bool = False) -> str:
        return text(create_tab.check(page.service, page.form, replace, *page.values(embedding__name=name))[0])

    assert answer("girl").startswith("Error 'girl' is a common word")
    assert answer("tg-new") == "'tg-new' is a good name."
    create(page, "tg-new")
    assert answer("tg-new").startswith("There is an embedding 'tg-new' already.")
    assert answer("tg-new", replace=True) == "'tg-new' is a good name."


def test_words_without_room_are_struck_through(page: Filled) -> None:
    values = page.values(embedding__init_text="red girl hat", embedding__num_vectors=2, embedding__long_text="cut")
    chips = create_tab.check(page.service, page.form, False, *values)[1]
    assert re.findall(r"<li[^>]*>(?:<del>)?([^<]*)", chips) == ["red", "girl", "hat"]
    assert re.findall(r"<del>([^<]*)", chips) == ["hat"]


def test_what_people_type_is_text_and_not_markup(page: Filled) -> None:
    values = page.values(embedding__name="<b onclick='x'>", embedding__init_text="<script>alert(1)</script>")
    shown = "".join(create_tab.check(page.service, page.form, False, *values))
    assert "<script" not in shown
    assert "<b " not in shown
    assert "&lt;" in shown


def test_train_begins_a_new_embedding_as_the_create_tab_says(page: Filled) -> None:
    message, _ = train(page, "tg-new", embedding__num_vectors=3)
    assert message.startswith("Started.")
    finish(page)
    made = read_embedding(page.service.host.folders.embeddings / "tg-new.safetensors")
    assert (made.num_vectors, made.step) == (3, 3)


def test_train_goes_on_with_an_existing_embedding_in_its_file(page: Filled) -> None:
    create(page, "tg-new", embedding__num_vectors=5, output__format="pt")
    before = read_embedding(page.service.host.folders.embeddings / "tg-new.pt")
    train(page, "tg-new", PRESENT, embedding__num_vectors=2)
    finish(page)
    after_run = read_embedding(page.service.host.folders.embeddings / "tg-new.pt")
    assert (after_run.num_vectors, after_run.step) == (5, 3)
    assert (after_run.vectors["clip_l"] - before.vectors["clip_l"]).abs().max() < 0.1


def test_train_can_put_new_vectors_in_the_place_of_an_embedding(page: Filled) -> None:
    create(page, "tg-new", embedding__num_vectors=5)
    train(page, "tg-new", FRESH, embedding__num_vectors=2)
    shown = finish(page)
    assert read_embedding(page.service.host.folders.embeddings / "tg-new.safetensors").num_vectors == 2
    kept = page.service.host.folders.runs / shown["run"] / "replaced" / "tg-new.safetensors"
    assert read_embedding(kept).num_vectors == 5


def test_errors_of_the_check_block_and_are_shown_with_their_fix(page: Filled) -> None:
    message, report = train(page, "girl")
    assert message == "Error Not started. What to solve first is in the report."
    assert report.startswith("Not ready: 1 problem to solve first. Error 'girl' is a common word")
    assert "Call it 'tg-girl'" in report
    assert page.service.jobs.latest is None


def test_warnings_of_the_check_explain_and_go_on(page: Filled) -> None:
    _, report = train(page, "tg-new", training__weight_decay=0.1)
    assert "Warning Weight decay 0.1 pulls the vectors towards zero." in report
    finish(page)


def test_train_without_a_name_or_with_a_bad_number_says_so(page: Filled) -> None:
    assert train(page, "  ")[0].startswith("Error Embedding is empty.")
    assert "Learning rate" in train(page, "tg-new", training__learning_rate="fast")[0]
    assert page.service.jobs.latest is None


def test_train_while_a_job_runs_is_refused(page: Filled) -> None:
    backbone = page.service.host.look(ModelConfig())
    backbone.hold_at = 1  # type: ignore[attr-defined]
    train(page, "tg-new")
    assert backbone.reached.wait(20)  # type: ignore[attr-defined]
    assert "'tg-new' is being trained" in train(page, "tg-other")[0]
    backbone.go.set()  # type: ignore[attr-defined]
    finish(page)


def test_check_reports_without_starting(page: Filled) -> None:
    _, report = train_actions.check(page.service, page.form, "tg-new", PRESENT, *page.values())
    assert text(report).startswith("Ready, with")
    assert page.service.jobs.latest is None


def test_a_stopped_run_is_resumed_with_more_steps(page: Filled) -> None:
    backbone: Any = page.service.host.look(ModelConfig())
    backbone.hold_at = 2
    train(page, "tg-new", training__max_steps=6)
    assert backbone.reached.wait(20)
    job = page.service.jobs.current
    assert job is not None
    job.control.stop()
    backbone.go.set()
    run = done(job, "stopped")["run"]
    _, line, _, steps = runs_part.show(page.service, run)
    assert "can be resumed" in text(line)
    assert steps["value"] == 6
    assert text(runs_part.resume(page.service, run, 8)[0]).startswith("Resumed 'tg-new' at step")
    assert finish(page)["step"] == 8


def test_the_settings_of_a_run_come_back_into_the_form(page: Filled) -> None:
    train(page, "tg-new", training__batch_size=3, embedding__init_text="hat", training__seed="5")
    run = finish(page)["run"]
    _, name, _, *updates = runs_part.load_settings(page.service, page.form, run)
    shown = after(page.form, updates, page.values())
    assert name == "tg-new"
    assert (shown["training.batch_size"], shown["embedding.init_text"], shown["training.seed"]) == (3, "hat", "5")
    assert shown["dataset.folder"] == str(page.pictures)


def test_a_copy_of_a_run_is_what_the_next_one_starts_from(page: Filled) -> None:
    train(page, "tg-new", embedding__num_vectors=3)
    run = finish(page)["run"]
    _, _, copies, _ = runs_part.show(page.service, run)
    assert copies["choices"] == ["tg-new-2.safetensors"]
    _, _, begin, *updates = runs_part.start_from_copy(page.service, page.form, run, "tg-new-2.safetensors")
    shown = after(page.form, updates, page.values())
    assert begin == FRESH
    assert shown["embedding.start"] == "embedding"
    assert read_embedding(Path(shown["embedding.init_embedding"])).step == 2
    with pytest.raises(UserError, match="which the run does not have"):
        runs_part.start_from_copy(page.service, page.form, run, "tg-new-7.safetensors")


def test_presets_are_saved_filled_in_and_deleted(page: Filled) -> None:
    _, choices = presets_part.save(page.service, page.form, "Mine", *page.values(training__batch_size=7))
    assert "Mine" in choices["choices"]
    _, name, *updates = presets_part.load(page.service, page.form, "Mine")
    shown = after(page.form, updates, page.values(dataset__folder="elsewhere", embedding__name="tg-other"))
    assert (name, shown["training.batch_size"]) == ("Mine", 7)
    assert (shown["dataset.folder"], shown["embedding.name"]) == ("elsewhere", "tg-other")
    _, choices = presets_part.delete(page.service, "Mine")
    assert "Mine" not in choices["choices"]


@pytest.mark.parametrize("name", ["", "Character"])
def test_a_preset_that_cannot_be_saved_says_why(name: str, page: Filled) -> None:
    handler = guarded(lambda *sent: presets_part.save(page.service, page.form, *sent), 2)
    assert text(handler(name, *page.values())[0]).startswith("Error")


def test_the_sample_dataset_fills_the_folder_and_a_name(page: Filled) -> None:
    _, name, *updates = train_actions.sample(page.service, page.form, "")
    folder = Path(after(page.form, updates, page.values())["dataset.folder"])
    assert len(list(folder.glob("*.png"))) == 24
    assert name["value"] == "tg-sample"
    shown = after(page.form, updates, page.values())
    assert shown["dataset.width"] == 64, "settings for the miniature are for the miniature"


def test_the_sample_dataset_brings_the_miniature_preset_where_that_is_the_model(page: Filled) -> None:
    page.service.host.lends_loaded_model = False  # type: ignore[misc]
    message, name, *updates = train_actions.sample(page.service, page.form, "tg-mine")
    assert "the preset 'Miniature (demo)'" in text(message)
    assert "value" not in name
    assert after(page.form, updates, page.values())["dataset.width"] == 80


def test_the_form_remembers(page: Filled) -> None:
    sent = page.values(training__batch_size=5, embedding__init_text="hat")
    live.answer(page.service, page.form, False, "tg-new", PRESENT, *sent)
    name, begin, *updates = live.restore(page.service, page.form)
    shown = after(page.form, updates, page.values())
    assert (name["value"], begin["value"]) == ("tg-new", PRESENT)
    assert (shown["training.batch_size"], shown["embedding.init_text"]) == (5, "hat")


def test_a_value_that_does_not_fit_is_told_while_it_is_typed_and_not_remembered(page: Filled) -> None:
    answers = live.answer(page.service, page.form, False, "tg-new", PRESENT, *page.values(training__batch_size=None))
    assert "Batch size" in text(answers[5])
    assert page.service.presets.remembered() == {}


def test_the_first_form_has_the_clip_skip_of_the_host(page: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    from train_gamma.host import LoadedModel

    monkeypatch.setattr(page.service.host, "loaded", lambda: LoadedModel("anime", clip_skip=2))
    _, _, *updates = live.restore(page.service, page.form)
    assert after(page.form, updates, page.values())["model.clip_skip"] == 2


def test_the_derived_numbers_follow_from_form_and_folder(page: Filled) -> None:
    count = len([p for p in page.pictures.iterdir() if p.suffix == ".png"])
    sent = page.values(training__batch_size=2, training__gradient_accumulation=3, training__max_steps=10)
    shown = text(live.answer(page.service, page.form, False, "tg-new", PRESENT, *sent)[5])
    assert f"Pictures {count} Pictures per step 6 Steps 10 Epochs {60 / count:,.1f}" in shown


def test_lists_hold_what_there_is(page: Filled) -> None:
    create(page, "tg-new")
    embeddings, presets, runs, starts = live.lists(page.service)
    assert embeddings["choices"] == starts["choices"] == ["tg-new"]
    assert "Miniature (demo)" in presets["choices"]
    assert runs["choices"] == []


def test_a_bug_is_told_as_one_and_keeps_its_traceback_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def broken(*_: Any) -> list[Any]:
        return [1 // 0]

    with caplog.at_level(logging.ERROR, "train_gamma"):
        assert text(guarded(broken, 1)()).startswith("Error Internal error")
        assert len(quietly(broken, 3)()) == 3
        assert "Internal error" in told(lambda: str(broken()))
    assert [record.exc_info is not None for record in caplog.records] == [True] * 3


def test_durations_and_sizes_have_units() -> None:
    assert [messages.duration(s) for s in (45.2, 200, 7500)] == ["45 s", "3 min 20 s", "2 h 5 min"]
    assert [messages.size(n) for n in (100, 5120, 3 * 1024**2)] == ["100 B", "5.0 KiB", "3.0 MiB"]
