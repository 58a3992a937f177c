"""The way of a user through the Tagger tab, in a browser: choose, run, watch, cancel, merge, read and put back."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.host.browsing import fill, open_tab, opened_page, sub_tab
from tests.host.launching import Server
from tests.host.tagging import MINIATURE, captions, drawn, many

MERGE = "merge old first"
BY_HAND = "zorb, by hand"


@pytest.fixture
def pictures(server: Server, request: pytest.FixtureRequest) -> Path:
    """Drawn pictures, of which the first has a caption written by hand."""
    folder = drawn(server.data / f"[walk] {len(request.node.name)}", 12)
    (folder / "001.txt").write_text(BY_HAND, "utf-8")
    return folder


def part(page: Any, name: str) -> Any:
    return page.locator(f'#train_gamma_tagging [data-tg="{name}"]')


def wait_for_state(page: Any, state: str) -> None:
    page.wait_for_selector(f'#train_gamma_tagging [data-tg="state"] >> text="{state}"')


def open_tagger(page: Any, folder: Path) -> None:
    open_tab(page)
    sub_tab(page, "Tagger")
    page.wait_for_function("() => document.querySelector('#train_gamma_tag_plan').innerText.trim()")
    page.wait_for_timeout(2000)  # the form holds what it held last
    fill(page, "tag_folder", str(folder))
    pick(page, "tag_model", MINIATURE)
    pick(page, "tag_existing", "skip")
    page.wait_for_selector("#train_gamma_tag_told >> text=Miniature tagger")


def pick(page: Any, element: str, text: str) -> None:
    """Choose from a dropdown by typing a part and clicking, again if an answer that was under way has undone it."""
    box = page.locator(f"#train_gamma_{element} input").first
    for _ in range(5):
        box.click()
        box.fill(text[:-1])
        page.locator(f"#train_gamma_{element} li, ul.options li").filter(has_text=text).first.click()
        page.locator("#train_gamma_tab_tagger .tg-quiet").first.click()
        page.wait_for_timeout(800)
        if box.input_value() == text:
            return
    raise AssertionError(f"{element} stays {box.input_value()}")


def shown(page: Any, element: str) -> str:
    """The text of a part of the page; gradio 3 has two elements of each id."""
    return str(page.locator(f"#train_gamma_{element}").first.inner_text())


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_choose_run_watch_cancel_merge_and_read(
    theme: str, server: Server, pictures: Path, shoot: Callable[[Any, str], None]
) -> None:
    long = many(server, 2500)
    with opened_page(server.url, dark=theme == "dark") as page:

        def shot(name: str) -> None:
            shoot(page, f"{theme}-tagger-{name}")

        open_tagger(page, long)
        page.wait_for_selector("#train_gamma_tag_plan >> text=2,500 pictures: 2,500 new")
        shot("1-chosen")
        run_and_cancel(page, long, shot)
        fill(page, "tag_folder", str(pictures))
        page.wait_for_selector("#train_gamma_tag_plan >> text=12 pictures: 11 new, 1 skipped")
        page.click("#train_gamma_tag")
        page.wait_for_selector('#train_gamma_tagging [data-tg="message"] >> text=11 captions written')
        assert (pictures / "001.txt").read_text("utf-8") == BY_HAND
        first = captions(pictures)
        merge(page, shot)
        merged = captions(pictures)
        assert merged.pop("001.txt").startswith(BY_HAND.encode() + b", ")
        assert merged == {name: text for name, text in first.items() if name != "001.txt"}
        read(page, pictures, shot)
        put_back(page)
        page.set_viewport_size({"width": 1400, "height": 1800})
        shot("7-put-back")
        assert captions(pictures) == first
        page.wait_for_timeout(1500)  # no answer is under way when the page is closed
    shutil.rmtree(long)


def run_and_cancel(page: Any, folder: Path, shot: Callable[[str], None]) -> None:
    """Tag a folder and cancel in the middle: what is done is written."""
    page.click("#train_gamma_tag")
    wait_for_state(page, "running")
    wait_for_done(page, 40)
    shot("2-running")
    page.click('#train_gamma_tagging [data-tg-command="cancel"]')
    wait_for_state(page, "stopped")
    shot("3-cancelled")
    kept = captions(folder)
    assert f"{len(kept)} captions written" in part(page, "message").inner_text()
    assert 40 <= len(kept) < 2500


def merge(page: Any, shot: Callable[[str], None]) -> None:
    """Tag the folder again, into the captions that are there."""
    pick(page, "tag_existing", MERGE)
    page.wait_for_selector("#train_gamma_tag_plan >> text=merged")
    shot("4-merge-planned")
    page.click("#train_gamma_tag")
    page.wait_for_selector('#train_gamma_tagging [data-tg="message"] >> text=of them merged')
    wait_for_state(page, "finished")


def read(page: Any, folder: Path, shot: Callable[[str], None]) -> None:
    """Look at the first picture with its caption, and at the tags of all."""
    page.locator("#train_gamma_tag_number input").first.fill("1")
    page.wait_for_selector("#train_gamma_tag_shown figcaption >> text=001.png (1 of 12)")
    page.wait_for_selector("#train_gamma_tag_shown .tg-name")
    image = page.locator("#train_gamma_tag_shown img")
    page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=image.element_handle())
    assert (folder / "001.txt").read_text("utf-8") in shown(page, "tag_shown")
    shot("5-read")
    page.locator("#train_gamma_tag_views button", has_text="The whole folder").click()
    page.wait_for_selector("#train_gamma_tag_counts .tg-counted")
    shot("6-whole-folder")


def put_back(page: Any) -> None:
    """Undo the last run with its backup."""
    page.click('[data-tg-command="backups"]')
    page.evaluate("() => train_gamma.lookUp()")  # as when one comes back to the page
    page.wait_for_function("() => document.querySelector('#train_gamma_tag_backup input').value")
    page.click("#train_gamma_tag_put_back")
    page.wait_for_selector("#train_gamma_tag_backup_message .tg-message")


def test_a_single_picture_and_a_tagger_that_is_not_there(
    server: Server, pictures: Path, shoot: Callable[[Any, str], None]
) -> None:
    with opened_page(server.url, size=(1400, 2100)) as page:
        open_tagger(page, pictures)
        page.locator("#train_gamma_group_tag_single .label-wrap").click()
        page.locator("#train_gamma_tag_picture input[type=file]").set_input_files(str(pictures / "002.png"))
        page.wait_for_selector("#train_gamma_tag_picture img")
        page.click("#train_gamma_tag_look")
        page.wait_for_selector("#train_gamma_tag_seen .tg-name")
        assert "1girl" in shown(page, "tag_seen")
        shoot(page, "tagger-8-single")
        page.click("#train_gamma_tag_unload_now")
        page.wait_for_selector("#train_gamma_tag_loaded >> text=No tagger is in memory")

        pick(page, "tag_model", "deepdanbooru")
        page.wait_for_selector("#train_gamma_tag_told >> text=DeepDanbooru of the WebUI")
        page.locator("#train_gamma_group_tag_taggers .label-wrap").click()
        page.wait_for_selector("#train_gamma_tag_taggers >> text=blip")
        shoot(page, "tagger-9-taggers")
        page.wait_for_timeout(1500)


def wait_for_done(page: Any, count: int) -> None:
    """Wait until the panel shows so many pictures done."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        shown = part(page, "done").inner_text().split(" of ")[0]
        if shown.isdigit() and int(shown) >= count:
            return
        page.wait_for_timeout(200)
    raise TimeoutError(f"{count} pictures did not come")
