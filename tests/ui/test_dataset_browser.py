"""The Dataset tab in a browser: the chapter of the guide, looking, and the layout."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytest.importorskip("gradio", reason="the page needs gradio: pip install gradio==4.40.0")
pytest.importorskip("uvicorn", reason="the page is served by uvicorn: pip install uvicorn")
pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
pytest.importorskip("onnxruntime", reason="the miniature tagger runs on onnxruntime: pip install onnxruntime")

from tests.ui.browsing import CHROMIUM, Served, page_of
from tests.ui.dataset_page import ROOT, button, cells, dialog, find, listed, load, part, row, says, waits_for
from tests.ui.dataset_stories import Walked, draw_folder, tag_folder, walk, walk_by_keyboard

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.is_file(), reason=f"needs Chromium at {CHROMIUM}: apt-get install chromium"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

COUNT = 8
HOSTILE = "<img src=x onerror=window.hacked=1>"


# -- the guide's chapter ----------------------------------------------------------------------------------------------


def check(walked: Walked) -> None:
    """What the traits of the drawn character are is known from how it is drawn."""
    assert {"black hair", "red eyes", "green skin", "witch hat"} <= set(walked.pruned)
    assert "1girl" not in walked.pruned
    assert walked.restored == walked.tagged != walked.saved
    for name, caption in walked.tagged.items():
        kept = [tag for tag in caption.decode().strip().split(", ") if tag not in walked.pruned]
        assert walked.saved[name].decode().strip() == ", ".join(kept)


def test_the_chapter_of_the_guide_by_mouse(browser: Any, dataset_server: Served, tmp_path: Path) -> None:
    folder = draw_folder(tmp_path / "[a] set")
    with page_of(browser, dataset_server) as page:
        check(walk(page, folder, lambda _: None))


def test_the_chapter_of_the_guide_by_keyboard(browser: Any, dataset_server: Served, tmp_path: Path) -> None:
    folder = draw_folder(tmp_path / "[a] set")
    with page_of(browser, dataset_server) as page:
        tag_folder(page, folder, 150)
        check(walk_by_keyboard(page, folder, lambda _: None))


# -- looking ----------------------------------------------------------------------------------------------------------


def test_a_click_shows_pictures_that_have_a_tag_another_those_that_lack_it(
    browser: Any, dataset_server: Served, few_pictures: Path
) -> None:
    with page_of(browser, dataset_server) as page:
        load(page, few_pictures, COUNT)
        assert (listed(page)["1girl"], listed(page)["hat"]) == (COUNT, 4)
        name = row(page, "hat").locator(".tg-ds-name")
        for chip, count in (("has hat", 4), ("lacks hat", 4), (None, 8)):
            name.click()
            waits_for(page, "shown", "4 of 8" if count == 4 else "8")
            assert cells(page).count() == count
            assert find(page, "chips").inner_text().startswith(chip or "")
        name.click()
        row(page, "cap").locator(".tg-ds-name").click()
        find(page, "nothing").wait_for(state="visible")
        find(page, "filter").locator("summary").click()
        find(page, "filter_join").select_option("any")
        waits_for(page, "shown", "8")
        row(page, "place 3").locator(".tg-ds-name").click()
        row(page, "place 3").locator(".tg-ds-name").click()
        waits_for(page, "shown", "7 of 8")
        button(page, "no_filter").click()
        waits_for(page, "shown", "8")
        find(page, "filter_text").fill("PLACE 5")
        waits_for(page, "shown", "1 of 8")
        assert "005.png" in cells(page).first.inner_text()


def test_the_list_of_tags_is_searched_and_sorted(browser: Any, dataset_server: Served, few_pictures: Path) -> None:
    with page_of(browser, dataset_server) as page:
        load(page, few_pictures, COUNT)
        find(page, "tag_search").fill("place")
        waits_for(page, "tag_total", "8")
        find(page, "tag_mode").select_option("regex")
        find(page, "tag_search").fill("place [12")
        page.keyboard.press("Enter")
        find(page, "tag_problem").wait_for(state="visible")
        assert len(listed(page)) == 8, "half an expression takes nothing away"
        find(page, "tag_search").fill("place [12]")
        page.keyboard.press("Enter")
        waits_for(page, "tag_total", "2")
        find(page, "tag_search").fill("")
        waits_for(page, "tag_total", "12")
        find(page, "tag_sort").select_option("name")
        page.wait_for_function(f"() => document.querySelector('{ROOT} [data-ds=tags] li').dataset.tag === '1girl'")
        assert list(listed(page)) == sorted(listed(page))
        find(page, "tag_sort").select_option("length")
        page.wait_for_function(f"() => document.querySelector('{ROOT} [data-ds=tags] li').dataset.tag === 'red hair'")


def test_names_and_tags_are_shown_as_they_are(browser: Any, dataset_server: Served, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    Image.new("RGB", (40, 30), (90, 20, 160)).save(folder / "<b onmouseover=alert(1)>.png")
    (folder / "<b onmouseover=alert(1)>.txt").write_text(f'{HOSTILE}, it\'s "so"', "utf-8")
    with page_of(browser, dataset_server) as page:
        load(page, folder, 1)
        assert set(listed(page)) == {HOSTILE, 'it\'s "so"'}
        cells(page).first.click()
        waits_for(page, "one_name", "<b onmouseover=alert(1)>.png")
        assert HOSTILE in find(page, "one_tags").inner_text()
        row(page, HOSTILE.replace('"', '\\"')).locator(".tg-ds-box").click()
        button(page, "remove_tags").click()
        says(page, "Removed")
        button(page, "diff").click()
        page.wait_for_selector(f"{ROOT} dialog del")
        dialog(page, "Close")
        assert page.evaluate("() => window.hacked") is None


# -- the layout -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [900, 1280])
def test_nothing_is_cut_off_at_the_side(width: int, browser: Any, dataset_server: Served, few_pictures: Path) -> None:
    with page_of(browser, dataset_server) as page:
        page.set_viewport_size({"width": width, "height": 800})
        load(page, few_pictures, COUNT)
        cells(page).first.click()
        waits_for(page, "one_place", "1 of 8")
        for name in ("picture", "edit", "prune", "check", "prepare", "saved"):
            part(page, name).click()
            page.wait_for_timeout(150)
            wide = page.evaluate(
                f"""() => Array.from(document.querySelectorAll('{ROOT} *'))
                .filter(e => e.offsetParent !== null && !e.closest('table, .tg-spoken')
                    && e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
                .map(e => e.outerHTML.slice(0, 120))"""
            )
            assert wide == [], name
            assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth + 1")


def test_every_control_of_a_part_is_big_enough_to_hit(browser: Any, dataset_server: Served, few_pictures: Path) -> None:
    with page_of(browser, dataset_server) as page:
        load(page, few_pictures, COUNT)
        cells(page).first.click()
        waits_for(page, "one_place", "1 of 8")
        for name in ("picture", "edit", "prune", "check", "saved"):
            part(page, name).click()
            small = page.evaluate(
                f"""() => Array.from(document.querySelectorAll('{ROOT} :is(button, summary, select, [role=option])'))
                .filter(e => e.offsetParent !== null && e.getBoundingClientRect().height < 24)
                .map(e => e.outerHTML.slice(0, 120))"""
            )
            assert small == [], name
