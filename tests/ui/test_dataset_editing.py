"""Captions are edited in the Dataset tab, one and many at once, in a browser."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gradio", reason="the page needs gradio: pip install gradio==4.40.0")
pytest.importorskip("uvicorn", reason="the page is served by uvicorn: pip install uvicorn")
pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
pytest.importorskip("onnxruntime", reason="the miniature tagger runs on onnxruntime: pip install onnxruntime")

from tests.ui.browsing import CHROMIUM, Served, fill, page_of
from tests.ui.dataset_page import (
    ROOT,
    apply,
    button,
    cells,
    dialog,
    find,
    load,
    open_edit,
    part,
    row,
    save,
    says,
    text,
    tick,
    waits_for,
)
from tests.ui.dataset_stories import focus_is_kept

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.is_file(), reason=f"needs Chromium at {CHROMIUM}: apt-get install chromium"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

COUNT = 8


# -- editing ----------------------------------------------------------------------------------------------------------


def test_ticked_tags_go_from_the_shown_pictures_only(browser: Any, dataset_server: Served, few_pictures: Path) -> None:
    with page_of(browser, dataset_server) as page:
        load(page, few_pictures, COUNT)
        row(page, "hat").locator(".tg-ds-name").click()
        waits_for(page, "shown", "4 of 8")
        tick(page, "1girl")
        find(page, "tag_scope").select_option("filtered")
        waits_for(page, "tag_told", "4 files will change")
        button(page, "remove_tags").click()
        says(page, "4 files changed")
        waits_for(page, "summary", "4 files unsaved")
        assert text(few_pictures, 1).startswith("1girl"), "nothing is written before it is saved"
        save(page)
    assert [text(few_pictures, number).startswith("1girl") for number in range(1, 9)] == [False, True] * 4


def test_a_tag_is_renamed_and_moved_to_the_front(browser: Any, dataset_server: Served, few_pictures: Path) -> None:
    with page_of(browser, dataset_server) as page:
        load(page, few_pictures, COUNT)
        tick(page, "hat")
        button(page, "front_tags").click()
        says(page, "4 files changed")
        button(page, "rename_tag").click()
        page.locator(f"{ROOT} dialog input").fill("witch hat")
        page.keyboard.press("Enter")
        says(page, "Renamed hat to witch hat: 4 files changed")
        save(page)
    assert text(few_pictures, 1) == "witch hat, 1girl, red hair, place 1"
    assert text(few_pictures, 2) == "1girl, red hair, place 2, cap"


def test_one_tag_is_corrected_over_many_pictures(browser: Any, dataset_server: Served, few_pictures: Path) -> None:
    with page_of(browser, dataset_server) as page:
        load(page, few_pictures, COUNT)
        tick(page, "hat")
        button(page, "yes_no").click()
        marks = cells(page).evaluate_all("cells => cells.map(cell => cell.dataset.judged)")
        assert marks == ["yes", "no"] * 4
        cells(page).nth(0).click()
        cells(page).nth(1).click()
        cells(page).nth(2).click()
        cells(page).nth(2).click()
        waits_for(page, "yes_no_told", "2 pictures will change")
        button(page, "yes_no_apply").click()
        says(page, "2 files changed")
        save(page)
    assert text(few_pictures, 1) == "1girl, red hair, place 1"
    assert text(few_pictures, 2) == "1girl, red hair, place 2, cap, hat"
    assert text(few_pictures, 3).endswith("hat")


def test_the_caption_of_one_picture_is_edited(browser: Any, dataset_server: Served, few_pictures: Path) -> None:
    with page_of(browser, dataset_server) as page:
        load(page, few_pictures, COUNT)
        cells(page).first.click()
        waits_for(page, "one_place", "1 of 8")
        find(page, "one_add").press_sequentially("ca", delay=30)
        page.wait_for_selector(f"{ROOT} .tg-ds-complete li >> text=cap")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        own = find(page, "one_tags").locator("li")
        own.nth(4).wait_for()
        assert page.evaluate("() => document.activeElement.dataset.ds") == "one_add"
        own.first.focus()
        page.keyboard.press("Shift+ArrowRight")
        own.nth(1).get_by_text("1girl").wait_for()
        assert page.evaluate("() => document.activeElement.dataset.key") == "1girl", "the focus goes with the tag"
        page.keyboard.press("Delete")
        own.get_by_text("1girl").wait_for(state="detached")
        focus_is_kept(page)
        own.filter(has_text="place 1").drag_to(own.first)
        own.first.get_by_text("place 1").wait_for()
        save(page)
        assert text(few_pictures, 1) == "place 1, red hair, hat, cap"
        find(page, "one_raw").locator("summary").click()
        find(page, "one_text").fill("A girl stands here. She smiles.")
        button(page, "one_text_apply").click()
        waits_for(page, "one_problem", "is a sentence; change it as text")
        button(page, "next").click()
        waits_for(page, "one_place", "2 of 8")
        for number in (6, 7):
            cells(page).nth(number).locator(".tg-ds-box").click()
        page.locator(f"{ROOT} summary", has_text="Copy its tags").click()
        button(page, "one_copy").click()
        waits_for(page, "one_copy_told", "2 files changed")
        save(page)
    assert text(few_pictures, 1) == "A girl stands here. She smiles."
    assert text(few_pictures, 7) == text(few_pictures, 8) == text(few_pictures, 2) == "1girl, red hair, place 2, cap"


def test_many_captions_are_edited_at_once(browser: Any, dataset_server: Served, few_pictures: Path) -> None:
    with page_of(browser, dataset_server) as page:
        load(page, few_pictures, COUNT)
        open_edit(page, "add")
        find(page, "add_tags").fill("solo, outdoors")
        find(page, "add_position").select_option("after")
        find(page, "add_beside").fill("1girl")
        apply(page, "add", 8)
        open_edit(page, "replace")
        search, replacement = (page.locator(f'{ROOT} [data-ds="rules"] input').nth(n) for n in (0, 1))
        search.fill("hat, cap")
        replacement.fill("headwear")
        waits_for(page, "matches", "headwear")
        assert find(page, "matches").locator("li").count() == 2
        button(page, "replace_show").click()
        page.wait_for_selector(f"{ROOT} dialog ins >> text=headwear")
        dialog(page, "Close")
        apply(page, "replace", 8)
        open_edit(page, "sort")
        find(page, "sort_order").select_option("alphabetical")
        find(page, "sort_keep").fill("1")
        apply(page, "sort", 8)
        open_edit(page, "shorten")
        find(page, "keep_count").fill("3")
        apply(page, "keep", 8)
        save(page)
    assert text(few_pictures, 1) == "1girl, headwear, outdoors"


def test_rules_are_kept_and_used_again(browser: Any, dataset_server: Served, few_pictures: Path) -> None:
    with page_of(browser, dataset_server) as page:
        load(page, few_pictures, COUNT)
        open_edit(page, "replace")
        inputs = page.locator(f'{ROOT} [data-ds="rules"] input')
        inputs.nth(0).fill("hair")
        inputs.nth(1).fill("fur")
        page.locator(f'{ROOT} [data-ds="rules"] select').select_option("substring")
        page.locator(f"{ROOT} summary", has_text="Rule sets").click()
        find(page, "rule_name").fill("my rules")
        button(page, "rules_keep").click()
        waits_for(page, "rules_told", "Kept as my rules.")
    with page_of(browser, dataset_server) as page:
        load(page, few_pictures, COUNT)
        open_edit(page, "replace")
        page.locator(f"{ROOT} summary", has_text="Rule sets").click()
        find(page, "rule_set").locator("option", has_text="my rules").wait_for(state="attached")
        find(page, "rule_set").select_option("my rules")
        button(page, "rules_use").click()
        waits_for(page, "matches", "red fur")
        apply(page, "replace", 8)
        row(page, "red fur").wait_for()


def test_the_words_to_start_from_go_to_the_create_form(
    browser: Any, dataset_server: Served, few_pictures: Path
) -> None:
    with page_of(browser, dataset_server) as page:
        fill(page, "embedding_name", "tg-browser")
        load(page, few_pictures, COUNT)
        part(page, "prune").click()
        assert find(page, "prune_name").input_value() == "tg-browser"
        find(page, "prune_vectors").fill("4")
        button(page, "suggest").click()
        page.wait_for_selector(f'{ROOT} [data-ds="suggestions"] input[data-tag="red hair"]:checked')
        words = find(page, "init_text")
        page.wait_for_function("area => area.value.includes('red hair')", arg=words.element_handle())
        proposed = words.input_value()
        button(page, "send_to_create").click()
        field = page.locator("#train_gamma_embedding_init_text textarea, #train_gamma_embedding_init_text input").first
        field.wait_for(state="visible")
        assert field.input_value() == proposed
        page.wait_for_function("() => document.activeElement.closest('#train_gamma_embedding_init_text')")
        assert page.locator("#train_gamma_embedding_num_vectors input[type=number]").first.input_value() == "4"
