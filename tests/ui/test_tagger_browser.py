"""The Tagger tab in a browser: a folder is tagged, cancelled, watched from elsewhere, tuned and put back."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.service.small_host import SmallHost
from train_gamma.service import Service
from train_gamma.service.making import sample_dataset
from train_gamma.service.tag_memory import remembered

pytest.importorskip("gradio", reason="the page needs gradio: pip install gradio==4.40.0")
pytest.importorskip("uvicorn", reason="the page is served by uvicorn: pip install uvicorn")
pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
pytest.importorskip("onnxruntime", reason="the miniature tagger runs on onnxruntime: pip install onnxruntime")
pytest.importorskip("onnx", reason="tests.ui.taggers needs onnx: pip install onnx")

from tests.ui.browsing import CHROMIUM, Served, fill, page_of
from tests.ui.taggers import GatedTagger

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.is_file(), reason=f"needs Chromium at {CHROMIUM}: apt-get install chromium"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

PICTURES = 12


@pytest.fixture
def gated() -> GatedTagger:
    return GatedTagger()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Drawn pictures, of which two have a caption."""
    folder = sample_dataset(tmp_path / "[a] set")
    for number in range(1, 25):
        (folder / f"{number:03}.txt").unlink()
        if number > PICTURES:
            (folder / f"{number:03}.png").unlink()
    (folder / "001.txt").write_text("a sentence by hand", "utf-8")
    (folder / "002.txt").write_text("red hair, by hand", "utf-8")
    return folder


@pytest.fixture
def served(tmp_path: Path, gated: GatedTagger) -> Iterator[Served]:
    host = SmallHost(tmp_path)
    host.own_interrogators = (gated,)
    made = Served(Service(host))
    made.start()
    yield made
    gated.go.set()
    host.backbone.go.set()
    made.stop()


def open_tagger(page: Any, pictures: Path | None = None, tagger: str = "") -> None:
    page.locator("#train_gamma_tabs button", has_text="Tagger").first.click()
    if pictures is not None:
        fill(page, "tag_folder", str(pictures))
        page.wait_for_selector("#train_gamma_tag_plan >> text=12 pictures")
    if tagger:
        page.locator("#train_gamma_tag_model input").first.click()
        page.locator("#train_gamma_tag_model input").first.fill(tagger)
        page.locator(
            f"#train_gamma_tag_model li:has-text('{tagger}'), ul.options li:has-text('{tagger}')"
        ).first.click()


def open_group(page: Any, name: str) -> None:
    page.locator(f"#train_gamma_group_tag_{name} .label-wrap").focus()
    page.keyboard.press("Enter")


def part(page: Any, name: str) -> Any:
    return page.locator(f'#train_gamma_tagging [data-tg="{name}"]')


def wait_for_state(page: Any, state: str) -> None:
    page.wait_for_selector(f'#train_gamma_tagging [data-tg="state"] >> text="{state}"')


def chosen_tags(page: Any) -> list[str]:
    return list(page.locator("#train_gamma_tag_shown .tg-written .tg-name").all_inner_texts())


def number_field(page: Any, name: str) -> Any:
    return page.locator(f"#train_gamma_{name} input[type=number]").first


def test_what_is_typed_while_the_page_opens_stays(
    browser: Any, served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(kept: Path) -> Any:
        time.sleep(3)  # it is asked again meanwhile
        return remembered(kept)

    monkeypatch.setattr("train_gamma.ui.tagger_live.remembered", slowly)
    page = browser.new_page()
    page.goto(served.url)
    page.locator("#train_gamma_tabs button", has_text="Tagger").first.click()
    page.wait_for_selector("#train_gamma_tab_tagger[inert]")
    folder = page.locator("#train_gamma_tag_folder").locator("textarea, input").first
    folder.click()  # as soon as it can be clicked
    page.keyboard.type(str(tmp_path))
    page.wait_for_timeout(6000)
    assert folder.input_value() == str(tmp_path)
    page.close()


def test_a_folder_is_tagged_tuned_without_the_model_and_put_back(browser: Any, served: Served, pictures: Path) -> None:
    (pictures / "012.png").write_bytes((pictures / "012.png").read_bytes()[:900])
    with page_of(browser, served) as page:
        open_tagger(page, pictures, "miniature")
        page.wait_for_selector("#train_gamma_tag_told >> text=Miniature tagger")
        page.wait_for_selector("#train_gamma_tag_plan >> text=12 pictures: 10 new, 2 skipped; 0 of 10 known")
        page.locator("#train_gamma_tag").click()
        wait_for_state(page, "finished")
        assert "9 captions written" in part(page, "message").inner_text()
        assert "012.png" in part(page, "failed").inner_text()
        assert not page.locator('[data-tg-command="cancel"]').is_visible()
        page.wait_for_selector("#train_gamma_tag_plan >> text=1 new, 11 skipped")
        page.wait_for_selector("#train_gamma_tag_loaded >> text=In memory: miniature on CPU.")

        number_field(page, "tag_number").fill("5")
        page.wait_for_selector('#train_gamma_tag_shown figcaption >> text="005.png (5 of 12)"')
        shown = page.locator("#train_gamma_tag_shown img")
        page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=shown.element_handle())
        many = chosen_tags(page)
        assert ", ".join(many) == (pictures / "005.txt").read_text("utf-8").strip()
        open_group(page, "thresholds")
        slider = page.locator("#train_gamma_tag_general_threshold input[type=range]")
        slider.focus()
        page.keyboard.press("End")
        page.locator("#train_gamma_tag_views button", has_text="The whole folder").click()
        page.wait_for_selector("#train_gamma_tag_counts >> text=In no picture any more: ")
        page.locator("#train_gamma_tag_views button", has_text="One picture").click()
        assert set(chosen_tags(page)) < set(many)
        assert (pictures / "005.txt").read_text("utf-8").strip() == ", ".join(many), "a slider writes nothing"
        page.locator("#train_gamma_tag_views button", has_text="The whole folder").click()
        page.locator("#train_gamma_tag_recommended").click()
        page.wait_for_selector("#train_gamma_tag_counts .tg-counted")
        page.wait_for_selector("#train_gamma_tag_counts >> text=In no picture any more: ", state="detached")

        page.locator('[data-tg-command="backups"]').click()
        page.locator("#train_gamma_tag_put_back").click()
        page.wait_for_selector("#train_gamma_tag_backup_message >> text=9 are removed")
        page.wait_for_selector("#train_gamma_tag_plan >> text=10 new, 2 skipped; 9 of 10 known")
    assert sorted(path.name for path in pictures.glob("*.txt")) == ["001.txt", "002.txt"]


def test_a_run_is_cancelled_and_what_is_done_stays(
    browser: Any, served: Served, pictures: Path, gated: GatedTagger
) -> None:
    gated.hold_at = 4
    with page_of(browser, served) as page:
        open_tagger(page, pictures, "gated")
        page.wait_for_selector("#train_gamma_tag_told >> text=Gated tagger")
        page.locator("#train_gamma_tag").click()
        assert gated.reached.wait(20)
        page.wait_for_selector('#train_gamma_tagging [data-tg="done"] >> text="4 of 10"')

        with page_of(browser, served) as second:  # whoever comes later sees it, on the other tabs too
            second.locator("#train_gamma_tabs button", has_text="Train").first.click()
            second.wait_for_selector('#train_gamma_run [data-tg="other"] >> text=Pictures are being tagged: [a] set.')
            assert second.locator('#train_gamma_run [data-tg="state"]').inner_text() == "idle"
            assert not second.locator('#train_gamma_run [data-tg="running"]').is_visible()
            open_tagger(second)
            second.wait_for_selector('#train_gamma_tagging [data-tg="done"] >> text="4 of 10"')
            assert number_field(second, "tag_general_threshold").input_value() == "0.5"

        page.locator('[data-tg-command="cancel"]').click()
        wait_for_state(page, "stopping")
        gated.go.set()
        wait_for_state(page, "stopped")
        written = len(list(pictures.glob("*.txt"))) - 2
        assert 4 <= written < 10
        assert f"{written} captions written" in part(page, "message").inner_text()
        page.locator("#train_gamma_tabs button", has_text="Train").first.click()
        page.wait_for_selector('#train_gamma_run [data-tg="other"]', state="hidden")


def test_what_was_chosen_is_there_after_a_reload(browser: Any, served: Served, pictures: Path) -> None:
    with page_of(browser, served) as page:
        open_tagger(page, pictures, "wd-v1-4-moat-tagger-v2")
        page.wait_for_selector("#train_gamma_tag_told >> text=MOAT")
        open_group(page, "thresholds")
        number_field(page, "tag_general_threshold").fill("0.44")
        page.locator("#train_gamma_tag_categories label", has_text="rating").click()
        open_group(page, "words")
        fill(page, "tag_exclude_tags", "red hair")
        page.keyboard.press("Tab")
        page.wait_for_timeout(1500)
        assert remembered(served.service.host.folders.kept).exclude_tags == "red hair"
    with page_of(browser, served) as page:
        open_tagger(page)
        page.wait_for_selector("#train_gamma_tag_plan >> text=12 pictures")
        assert number_field(page, "tag_general_threshold").input_value() == "0.44"
        assert page.locator("#train_gamma_tag_model input").first.input_value() == "wd-v1-4-moat-tagger-v2"
        assert page.locator("#train_gamma_tag_categories input").nth(2).is_checked()


def test_a_dropped_picture_is_looked_at_when_the_button_is_pressed(
    browser: Any, served: Served, pictures: Path
) -> None:
    with page_of(browser, served) as page:
        open_tagger(page, pictures, "miniature")
        open_group(page, "single")
        page.locator("#train_gamma_tag_picture input[type=file]").first.set_input_files(str(pictures / "005.png"))
        page.wait_for_selector("#train_gamma_tag_picture img")
        page.wait_for_timeout(1500)
        assert served.service.tagging.loaded == "", "a drop runs nothing"
        page.locator("#train_gamma_tag_look").click()
        page.wait_for_selector("#train_gamma_tag_seen >> text=s on CPU.")
        seen = page.locator("#train_gamma_tag_seen .tg-written .tg-name").all_inner_texts()
        assert {"1girl", "red hair"} <= set(seen)
        page.locator("#train_gamma_tag_unload_now").click()
        page.wait_for_selector("#train_gamma_tag_message >> text=is unloaded; its memory is free.")
        page.wait_for_selector("#train_gamma_tag_unload_now", state="hidden")


def test_a_training_is_told_on_the_tagger_tab(browser: Any, served: Served, pictures: Path) -> None:
    import threading

    over = threading.Event()
    job = served.service.jobs.start("train", "tg-other", lambda _hear, _control: over.wait(30))
    with page_of(browser, served) as page:
        open_tagger(page, pictures, "miniature")
        page.wait_for_selector(
            '#train_gamma_tagging [data-tg="other"] >> text=An embedding is being trained: tg-other.'
        )
        assert part(page, "state").inner_text() == "idle"
        page.locator("#train_gamma_tag").click()
        page.wait_for_selector("#train_gamma_tag_message >> text='tg-other' is being trained.")
        over.set()
        assert job.wait(20)
        page.wait_for_selector('#train_gamma_tagging [data-tg="other"]', state="hidden")


@pytest.mark.parametrize("width", [1000, 700, 400])
def test_nothing_is_wider_than_the_window(width: int, browser: Any, served: Served, pictures: Path) -> None:
    with page_of(browser, served) as page:
        page.set_viewport_size({"width": width, "height": 800})
        open_tagger(page, pictures)
        for name in ("thresholds", "words", "style", "files", "speed", "backups", "single", "taggers"):
            open_group(page, name)
        page.wait_for_timeout(500)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        wider = "box => Array.from(box.querySelectorAll('*')).filter(e => e.offsetParent && e.clientWidth && "
        wider += (
            "e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX === 'visible').map(e => e.outerHTML)"
        )
        assert page.locator("#train_gamma_tab_tagger").evaluate(wider) == []


def test_every_control_is_reached_by_the_keyboard_and_shows_it(browser: Any, served: Served, pictures: Path) -> None:
    with page_of(browser, served) as page:
        open_tagger(page, pictures)
        page.locator("#train_gamma_tag_folder").locator("textarea, input").first.focus()
        reached: dict[str, str] = {}
        for _ in range(40):
            name, outline = page.evaluate(
                "() => { const e = document.activeElement, own = e.closest('[id^=train_gamma_]');"
                "return [own ? own.id : '', getComputedStyle(e).outlineStyle]; }"
            )
            reached.setdefault(name.removeprefix("train_gamma_"), outline)
            if name == "train_gamma_tag_next":
                break
            page.keyboard.press("Tab")
        expected = ["tag_folder", "tag_model", "tag_existing", "tag"]
        groups = ("thresholds", "words", "style", "files", "speed", "backups", "single", "taggers")
        expected += [f"group_tag_{name}" for name in groups]
        expected += ["tag_previous", "tag_number", "tag_next"]
        assert [name for name in reached if name in expected] == expected
        assert {name for name in expected if reached[name] != "solid"} == set()
