"""What the Tagger tab's buttons do and what it answers, over a real tagger file that is computed in no time."""

import html
import re
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytest.importorskip("gradio", reason="the page needs gradio: pip install gradio==4.40.0")
pytest.importorskip("onnx", reason="the small tagger is made with onnx: pip install onnx")
pytest.importorskip("onnxruntime", reason="the small tagger runs on onnxruntime: pip install onnxruntime")

from tests.tagging.models import TAGS
from tests.ui.pages import after
from tests.ui.taggers import NAME, WITHOUT_CAPTION, FilledTagger, filled_tagger
from tests.ui.test_handlers import text
from train_gamma.service.tag_views import Live, Ranked, TagCount, TagPlan
from train_gamma.tagging.interrogator import Entry
from train_gamma.ui import tag_bars, tag_messages, tagger_actions, tagger_live
from train_gamma.ui.handlers import guarded
from train_gamma.ui.tagger_form import read_form

ALL = {"general_threshold": 0.05, "existing": "overwrite"}
"""Every picture gets the tags that are seen in it at all."""


@pytest.fixture
def page(tmp_path: Path) -> FilledTagger:
    return filled_tagger(tmp_path)


def answer(page: FilledTagger, **changes: Any) -> dict[str, str]:
    """What the tab says of the settings."""
    line, plan, loaded, _, *_ = tagger_live.answer(page.service, page.form, *page.values(**changes))
    return {"line": text(line), "plan": text(plan), "loaded": text(loaded)}


def live(page: FilledTagger, number: Any = 1, step: int = 0, **changes: Any) -> tuple[str, str, Any]:
    """The picture, the counts, and the number of the picture that is shown."""
    values = page.values(**changes)
    shown, counts, at = tagger_live.live(page.service, page.form, "a token", step, number, *values)
    return shown, text(counts), at.get("value")


def pressed(handler: Any, num_outputs: int, *values: Any) -> list[str]:
    """What a button's handler says, as the page wraps it."""
    said = guarded(handler, num_outputs)(*values)
    return [text(one) for one in (said if isinstance(said, list) else [said])]


def tag(page: FilledTagger, **changes: Any) -> str:
    """What Tag says; waits for nothing."""
    values = page.values(**changes)
    return pressed(lambda *sent: tagger_actions.tag(page.service, page.form, *sent), 2, *values)[0]


def captions(page: FilledTagger) -> dict[str, str]:
    return {path.stem: path.read_text("utf-8") for path in sorted(page.pictures.glob("*.txt"))}


# -- the plan and the line on the tagger --------------------------------------------------------------------------


def test_the_plan_says_how_many_pictures_are_new_skipped_and_known(page: FilledTagger) -> None:
    assert "7 pictures: 3 new, 4 skipped; 0 of 3 known from the cache." in answer(page)["plan"]
    page.tag(existing="preview only")
    assert "7 pictures: 3 new, 4 skipped; 3 of 3 known from the cache." in answer(page)["plan"]
    assert "3 new, 4 replaced; 7 of 7 known" in answer(page, existing="overwrite")["plan"]


@pytest.mark.parametrize("folder", ["", "no such folder"])
def test_what_is_wrong_with_the_folder_is_told_in_the_plan_and_the_live_part(folder: str, page: FilledTagger) -> None:
    told = answer(page, folder=folder)["plan"]
    assert "older" in told
    shown, counts, number = live(page, folder=folder)
    assert text(shown) == told
    assert counts.startswith("Counted when")
    assert number is None
    assert tag(page, folder=folder) == f"Error {told}"


def test_a_folder_with_brackets_and_quotes_around_it_is_found(page: FilledTagger) -> None:
    odd = page.pictures.rename(page.pictures.with_name("[a] b"))
    assert "7 pictures" in answer(page, folder=f'"{odd}"')["plan"]


def test_the_line_says_what_the_tagger_is_and_where_it_comes_from(page: FilledTagger) -> None:
    line = answer(page, model="wd-vit-tagger-v3")["line"]
    assert "0.26 for general tags, 0.85 for characters" in line
    assert "It is downloaded when it is first used, from huggingface.co/SmilingWolf/wd-vit-tagger-v3" in line
    assert "It is on this machine." in answer(page)["line"]


def test_a_tagger_that_cannot_be_used_says_why_in_the_line_and_at_tag(page: FilledTagger) -> None:
    broken = page.service.host.folders.taggers / "broken"
    broken.mkdir()
    (broken / "model.onnx").write_bytes(b"none")
    entry = next(entry for entry in page.service.tagging.entries() if entry.name == "broken")
    assert entry.problem
    assert text(tag_messages.tagger(entry, "broken")).startswith("Error")
    assert answer(page, model="broken")["line"].startswith("Error broken cannot be used.")
    assert tag(page, model="broken").startswith("Error")
    assert "broken" in text(tagger_live.lists(page.service, "", "")[2])


def test_an_unknown_tagger_is_told_with_what_to_do(page: FilledTagger) -> None:
    assert "smal" in answer(page, model="smal")["plan"]
    assert tag(page, model="smal").startswith("Error")


def test_the_lists_hold_the_taggers_and_what_was_dropped_into_the_folder(page: FilledTagger) -> None:
    models, captioners, told, backups = tagger_live.lists(page.service, str(page.pictures), "")
    assert {"wd-vit-tagger-v3", "miniature", NAME} <= set(models["choices"])
    assert captioners["choices"][0] == ""
    assert "wd-vit-tagger-v3" in text(told)
    assert (backups["choices"], backups["value"]) == ([], "")


# -- tagging ------------------------------------------------------------------------------------------------------


def test_tag_writes_what_the_live_part_promised(page: FilledTagger) -> None:
    assert tag(page, existing="preview only") == "Started. Closing the page does not stop it."
    page.service.jobs.latest.wait(20)  # type: ignore[union-attr]
    before = captions(page)
    promised = page.service.tagging.proposals(read_form(page.service, page.form, page.values(**ALL)))
    page.tag(**ALL)
    written = captions(page)
    assert set(before) == set("0123")
    assert written == {proposal.path.stem: proposal.outcome for proposal in promised}
    assert len(written) == 7


def test_tag_while_a_job_runs_is_refused(page: FilledTagger) -> None:
    over = threading.Event()
    job = page.service.jobs.start("train", "tg-other", lambda _hear, _control: over.wait(20))
    assert "'tg-other' is being trained" in tag(page)
    over.set()
    assert job.wait(20)


def test_captions_are_put_back_as_they_were_and_that_too_can_be_undone(page: FilledTagger) -> None:
    def backups(chosen: str = "") -> Any:
        return tagger_live.backups(page.service, str(page.pictures), chosen)

    def put_back(label: str) -> str:
        return pressed(lambda *sent: tagger_actions.put_back(page.service, *sent), 2, str(page.pictures), label)[0]

    before = captions(page)
    page.tag(**ALL)
    after_run = captions(page)
    assert before != after_run
    offered = backups()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d: \d changed, 3 new", offered["value"])
    assert not put_back(offered["value"]).startswith("Error")
    assert captions(page) == before
    assert backups(offered["value"])["value"] == offered["value"], "a choice stays as it is"
    assert not put_back(backups()["value"]).startswith("Error")
    assert captions(page) == after_run
    assert put_back("").startswith("Error Kept before is none of the list.")


def test_a_picture_that_cannot_be_read_is_listed_and_the_others_are_tagged(page: FilledTagger) -> None:
    (page.pictures / "5.png").write_bytes(b"no picture")
    result = page.tag(general_threshold=0.05)["result"]
    assert [Path(one["path"]).name for one in result["failed"]] == ["5.png"]
    assert result["written"] == len(WITHOUT_CAPTION) - 1


# -- the live part ------------------------------------------------------------------------------------------------


def test_nothing_is_shown_of_a_picture_before_the_tagger_has_looked(page: FilledTagger) -> None:
    shown, counts, number = live(page)
    assert "The tagger has not looked at it yet." in text(shown)
    assert counts == "Counted when the tagger has looked at the folder."
    assert number is None, "it is the one that was asked for"
    assert page.service.tagging.loaded == "", "looking at the page loads nothing"


def test_a_threshold_changes_picture_and_counts_without_the_model(page: FilledTagger) -> None:
    page.tag(existing="preview only")
    page.service.tagging.unload()
    low, many, _ = live(page, general_threshold=0.05)
    high, few, _ = live(page, general_threshold=1.0)
    assert low.count('class="tg-written"') > 0
    assert high.count('class="tg-written"') == 0
    assert "(no tags)" in text(high)
    assert re.match(r"7 pictures, [1-3] different tags", many)
    assert few.startswith("7 pictures, 0 different tags, 0.0 per picture.")
    assert page.service.tagging.loaded == ""


def test_counts_say_what_has_changed_against_the_recommended_thresholds(page: FilledTagger) -> None:
    page.tag(existing="preview only")
    values = read_form(page.service, page.form, page.values())
    base = {one.tag: one.count for one in page.service.tagging.live(values).counts}
    now = {one.tag: one.count for one in page.service.tagging.live(replace(values, general_threshold=0.05)).counts}
    told = live(page, general_threshold=0.05)[1]
    assert "With the recommended thresholds:" in told
    assert any(now[tag] != base.get(tag, 0) for tag in now)
    for name, count in now.items():
        change = f" {count - base.get(name, 0):+d}" if count != base.get(name, 0) else ""
        assert f"{name} {count} of 7{change}" in told
    assert "recommended" not in live(page)[1]


def test_pictures_are_turned_over_and_the_first_and_last_are_the_ends(page: FilledTagger) -> None:
    assert live(page, 1, 1)[2] == 2
    assert live(page, 2, -1)[2] == 1
    assert live(page, 1, -1)[2] is None
    assert live(page, 7, 1)[2] is None
    assert live(page, 1000)[2] == 7
    assert live(page, None)[2] == 1
    assert '"6.png (7 of 7)"' in live(page, 7)[0].replace("<figcaption>", '"').replace("</figcaption>", '"')


def test_the_thumbnail_is_asked_relative_to_the_page_with_its_path_and_token(page: FilledTagger) -> None:
    odd = page.pictures.rename(page.pictures.with_name("a&b 'c' #1"))
    shown = live(page, folder=str(odd))[0]
    source = html.unescape(re.findall(r'<img src="([^"]*)"', shown)[0])
    assert source.startswith("./train-gamma/v1/tag/thumbnail?path=")
    assert "a%26b%20%27c%27%20%231" in source
    assert source.endswith("&token=a%20token")


def test_what_stands_in_files_and_names_is_text_and_not_markup(page: FilledTagger) -> None:
    (page.pictures / "0.txt").write_text("<script>alert(1)</script>", "utf-8")
    page.tag(existing="preview only")
    told = live(page, add_tags="<b onclick='x'>")[0]
    assert "<script" not in told
    assert "<b " not in told
    assert "&lt;script" in told


def test_a_mistake_in_a_setting_is_told_in_the_live_part(page: FilledTagger) -> None:
    assert "Pictures at once" in text(live(page, batch_size=0)[0])
    assert "Pictures at once" in answer(page, batch_size=0)["plan"]


# -- a single picture, and what is in memory ----------------------------------------------------------------------


def test_a_single_picture_is_looked_at_when_the_button_is_pressed(page: FilledTagger) -> None:
    def look(picture: Any, **changes: Any) -> list[str]:
        values = page.values(**changes)
        return pressed(lambda *sent: tagger_actions.look(page.service, page.form, *sent), 3, picture, *values)

    assert look(None)[0].startswith("Error There is no picture yet.")
    seen, loaded, _ = look(Image.new("RGBA", (40, 30), (200, 30, 90, 255)), general_threshold=0.05)
    assert seen.startswith("Rating ")
    assert {name for name, category, _ in TAGS if category == 9} & set(seen.split())
    assert "s on CPU." in seen
    assert loaded == f"In memory: {NAME} on CPU."
    assert not list(page.service.host.folders.kept.glob("captions/*"))


def test_the_tagger_is_unloaded_by_the_button(page: FilledTagger) -> None:
    assert answer(page)["loaded"] == "No tagger is in memory."
    page.tag()
    assert answer(page)["loaded"] == f"In memory: {NAME} on CPU."
    message, loaded, button = tagger_actions.unload(page.service)
    assert text(message) == f"{NAME} is unloaded; its memory is free."
    assert (text(loaded), button["visible"]) == ("No tagger is in memory.", False)


# -- the form over a reload ---------------------------------------------------------------------------------------


def test_the_form_remembers(page: FilledTagger) -> None:
    answer(page, general_threshold=0.4, categories=["general", "rating"], replace_tags="a -> b\nc -> d")
    shown = after(page.form, tagger_live.restore(page.service, page.form), page.values(model="", folder=""))
    assert (shown["tag.folder"], shown["tag.model"]) == (str(page.pictures), NAME)
    assert (shown["tag.general_threshold"], shown["tag.categories"]) == (0.4, ["general", "rating"])
    assert shown["tag.replace_tags"] == "a -> b\nc -> d"


def test_a_value_that_does_not_fit_is_not_remembered(page: FilledTagger) -> None:
    answer(page, general_threshold=0.4)
    answer(page, general_threshold=0.5, batch_size=0)
    shown = after(page.form, tagger_live.restore(page.service, page.form), page.values())
    assert shown["tag.general_threshold"] == 0.4


# -- what bars and lines look like --------------------------------------------------------------------------------


def ranked(*probabilities: float, category: str = "general") -> Sequence[Ranked]:
    return [Ranked(f"tag_{p}", f"tag {p}", category, p, 0.5, p >= 0.5) for p in probabilities]


def test_bars_are_ordered_marked_and_told_without_colour() -> None:
    shown = tag_bars.ranked([*ranked(0.9, 0.3), *ranked(0.7, category="character"), *ranked(0.6, category="rating")])
    assert re.findall(r"<h5[^>]*>(\w+)", shown) == ["rating", "general", "character"]
    assert re.findall(r"width:([\d.]+)%", shown) == ["60.0", "90.0", "30.0", "70.0"]
    assert shown.count('class="tg-mark" style="left:50.0%"') == 4
    assert text(shown).count("not written") == 1


def test_a_probability_is_not_rounded_to_certainty() -> None:
    shown = text(tag_bars.ranked(ranked(0.9984, 1.0)))
    assert "99 %" in shown
    assert "100 %" in shown


def test_of_what_is_not_written_only_the_most_probable_are_listed() -> None:
    shown = text(tag_bars.ranked(ranked(*(0.4 - 0.01 * n for n in range(20)))))
    assert shown.count("not written") == tag_bars.MOST_LEFT_OUT
    assert "And 12 less probable." in shown


def test_tags_that_are_gone_are_named() -> None:
    now, before = (TagCount("hat", 3, 0.5),), Live(counts=(TagCount("cat", 1, 0.2),), num_known=6, mean_tags=1.0)
    shown = text(tag_messages.live_counts(Live(num_pictures=6, num_known=6, counts=now, mean_tags=0.5), before))
    assert "hat 3 of 6 +3" in shown
    assert "In no picture any more: cat." in shown


def test_a_very_long_list_of_tags_is_cut_and_says_so() -> None:
    counts = [TagCount(f"tag {n}", 1, 0.1) for n in range(1000)]
    assert f"And {1000 - tag_bars.MOST_COUNTED} more tags" in text(tag_bars.counted(counts, 10))


def test_notes_of_the_plan_stand_below_its_numbers() -> None:
    shown = tag_messages.plan(TagPlan(2, 2, 1, {"new": 1, "merged": 1}, ("<one>", "two")))
    assert text(shown) == "2 pictures: 1 new, 1 merged; 1 of 2 known from the cache. <one> two"


def test_a_captioner_without_a_tagger_is_told() -> None:
    assert "only a sentence" in text(tag_messages.tagger(None, ""))
    entry = Entry("a", "A tagger", "tagger", "host", {}, problem="Why. What to do.")
    assert text(tag_messages.tagger(entry, "a")) == "Error A tagger cannot be used. Why. What to do."
