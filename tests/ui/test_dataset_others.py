"""The Dataset tab with others at work on the same folder, and its examination, copies and exchange, in a browser."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytest.importorskip("gradio", reason="the page needs gradio: pip install gradio==4.40.0")
pytest.importorskip("uvicorn", reason="the page is served by uvicorn: pip install uvicorn")
pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
pytest.importorskip("onnxruntime", reason="the miniature tagger runs on onnxruntime: pip install onnxruntime")

from tests.ui.browsing import CHROMIUM, Served, page_of
from tests.ui.dataset_page import (
    ROOT,
    button,
    cells,
    dialog,
    find,
    listed,
    load,
    part,
    row,
    save,
    says,
    text,
    tick,
    waits_for,
)
from tests.ui.dataset_stories import captions

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.is_file(), reason=f"needs Chromium at {CHROMIUM}: apt-get install chromium"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

COUNT = 8


# -- what others do ---------------------------------------------------------------------------------------------------


def test_two_pages_do_not_overwrite_each_other(browser: Any, dataset_server: Served, few_pictures: Path) -> None:
    with page_of(browser, dataset_server) as first, page_of(browser, dataset_server) as second:
        for page in (first, second):
            load(page, few_pictures, COUNT)
        tick(second, "cap")
        second.route("**/datasets/*", lambda route: route.abort())  # its question for the state is under way
        tick(first, "hat")
        button(first, "remove_tags").click()
        says(first, "Removed hat")
        second.wait_for_timeout(400)
        second.unroute("**/datasets/*")
        button(second, "remove_tags").click()
        row(second, "hat").wait_for(state="detached")
        assert row(second, "cap").count() == 1, "what was not made from what is there now is not made"
        assert "1 tag ticked: cap" in find(second, "ticked").inner_text()
        button(second, "remove_tags").click()
        says(second, "Removed cap")
        row(first, "cap").wait_for(state="detached")  # by itself, after a while
        save(first)
    assert text(few_pictures, 1) == "1girl, red hair, place 1"
    assert text(few_pictures, 2) == "1girl, red hair, place 2"


def test_changes_of_another_program_are_put_together(browser: Any, dataset_server: Served, few_pictures: Path) -> None:
    with page_of(browser, dataset_server) as page:
        load(page, few_pictures, COUNT)
        tick(page, "red hair")
        button(page, "remove_tags").click()
        says(page, "8 files changed")
        (few_pictures / "001.txt").write_text("1girl, red hair, place 1, hat, by another", "utf-8")
        button(page, "save").click()
        dialog(page, "Put both together")
        says(page, "Saved:")
        assert text(few_pictures, 1) == "1girl, place 1, hat, by another"
        assert text(few_pictures, 2) == "1girl, place 2, cap"
        row(page, "by another").wait_for()


def test_leaving_with_unsaved_changes_asks_first(browser: Any, dataset_server: Served, few_pictures: Path) -> None:
    with page_of(browser, dataset_server) as page:
        load(page, few_pictures, COUNT)
        tick(page, "hat")
        button(page, "remove_tags").click()
        says(page, "Removed hat")
        asked: list[str] = []
        page.on("dialog", lambda one: (asked.append(one.type), one.accept()))
        page.reload()
        assert asked == ["beforeunload"]
        page.wait_for_selector("#train_gamma_create_name_check p", state="attached", timeout=60_000)
        load(page, few_pictures, COUNT)
        waits_for(page, "summary", "4 files unsaved")
        button(page, "discard").click()
        dialog(page, "Discard")
        row(page, "hat").wait_for()
        waits_for(page, "summary", "all saved")
    assert captions(few_pictures)["001.txt"] == b"1girl, red hair, place 1, hat"


def test_unsaved_changes_wait_while_another_folder_is_looked_at(
    browser: Any, dataset_server: Served, few_pictures: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    Image.new("RGB", (40, 30)).save(other / "1.png")
    (other / "1.txt").write_text("a lone tag", "utf-8")
    with page_of(browser, dataset_server) as page:
        load(page, few_pictures, COUNT)
        tick(page, "hat")
        button(page, "remove_tags").click()
        says(page, "Removed hat")
        load(page, other, 1)
        says(page, "[a] set has unsaved changes")
        assert list(listed(page)) == ["a lone tag"]
        load(page, few_pictures, COUNT)
        waits_for(page, "summary", "4 files unsaved")
        save(page)
    assert text(few_pictures, 1) == "1girl, red hair, place 1"


def test_a_server_that_is_away_is_told_and_found_again(
    browser: Any, dataset_server: Served, few_pictures: Path
) -> None:
    with page_of(browser, dataset_server) as page:
        load(page, few_pictures, COUNT)
        dataset_server.stop()
        waits_for(page, "network", "not reachable, trying again")
        dataset_server.start()
        find(page, "network").wait_for(state="hidden")


# -- checking, preparing, exchanging ----------------------------------------------------------------------------------


def test_a_damaged_picture_is_found_moved_out_and_put_back(
    browser: Any, dataset_server: Served, few_pictures: Path
) -> None:
    whole = (few_pictures / "003.png").read_bytes()
    (few_pictures / "003.png").write_bytes(whole[:700])
    with page_of(browser, dataset_server) as page:
        load(page, few_pictures, COUNT)
        cells(page).nth(4).locator(".tg-ds-box").click()
        waits_for(page, "selected", "1 selected")
        part(page, "check").click()
        button(page, "examine").click()
        finding = page.locator(f'{ROOT} [data-ds="findings"] li', has_text="003.png").first
        finding.wait_for()
        finding.locator("button", has_text="Move out of the dataset").first.click()
        assert "Nothing is deleted" in page.locator(f"{ROOT} dialog").inner_text()
        dialog(page, "Move out of the dataset")
        says(page, "Move out of the dataset: ")
        waits_for(page, "summary", "7 pictures")
        waits_for(page, "selected", "None is selected.")  # the fifth picture is another one now
        assert not (few_pictures / "003.png").exists()
        button(page, "undo_fix").click()
        waits_for(page, "summary", "8 pictures")
        assert (few_pictures / "003.png").read_bytes() == whole[:700]
        assert text(few_pictures, 3) == "1girl, red hair, place 3, hat"
        with page.expect_popup() as opened:
            button(page, "report_html").click()
        assert "003.png" in opened.value.content()


def test_copies_are_cut_by_a_box_drawn_on_the_picture(
    browser: Any, dataset_server: Served, few_pictures: Path, tmp_path: Path
) -> None:
    new = tmp_path / "copies"
    with page_of(browser, dataset_server) as page:
        load(page, few_pictures, COUNT)
        part(page, "prepare").click()
        page.locator(f'{ROOT} [data-option="into"]').fill(str(new))
        page.locator(f'{ROOT} [data-option="crop"]').select_option("none")
        page.locator(f'{ROOT} [data-option="size"]').select_option("keep")
        button(page, "plan").click()
        waits_for(page, "prepare_told", "8 pictures")
        page.locator(f'{ROOT} [aria-label="Draw a box on 001.png"]').click()
        image = find(page, "crop_picture")
        page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=image.element_handle())
        image.scroll_into_view_if_needed()
        frame = image.bounding_box()
        assert frame is not None
        page.mouse.move(frame["x"] + 0.25 * frame["width"], frame["y"] + 0.25 * frame["height"])
        page.mouse.down()
        page.mouse.move(frame["x"] + 0.75 * frame["width"], frame["y"] + 0.75 * frame["height"])
        page.mouse.up()
        drawn = [int(find(page, f"crop_{name}").input_value()) for name in ("x", "y", "width", "height")]
        assert drawn == pytest.approx([32, 32, 64, 64], abs=2)
        find(page, "crop_width").fill("70")
        button(page, "crop_use").click()
        waits_for(page, "plan", "your box")
        button(page, "prepare").click()
        says(page, "files written to")
        with Image.open(new / "001.png") as cut, Image.open(new / "002.png") as uncut:
            assert cut.size == (70, drawn[3])
            assert uncut.size == Image.open(few_pictures / "002.png").size
        assert (new / "001.txt").read_bytes() == (few_pictures / "001.txt").read_bytes()


def test_captions_go_to_kohyas_metadata_and_come_back(
    browser: Any, dataset_server: Served, few_pictures: Path, tmp_path: Path
) -> None:
    path = tmp_path / "meta.json"
    with page_of(browser, dataset_server) as page:
        load(page, few_pictures, COUNT)
        part(page, "saved").click()
        page.locator(f"{ROOT} summary", has_text="Metadata of kohya").click()
        find(page, "kohya_path").fill(str(path))
        button(page, "kohya_export").click()
        waits_for(page, "kohya_told", "8 pictures written")
        tick(page, "hat")
        button(page, "remove_tags").click()
        says(page, "Removed hat")
        button(page, "kohya_import").click()
        page.wait_for_selector(f"{ROOT} dialog ins >> text=hat")
        dialog(page, "Import")
        says(page, "Imported: 4 files changed")
        row(page, "hat").wait_for()
