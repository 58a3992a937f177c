"""The page in a browser, served by the stand-alone app: typing, training, watching, coming back, and being cut off."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.service.small_host import SmallHost
from tests.worlds import write_pictures
from train_gamma.service import Service

pytest.importorskip("gradio", reason="the page needs gradio: pip install gradio==4.40.0")
pytest.importorskip("uvicorn", reason="the page is served by uvicorn: pip install uvicorn")
pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")

from tests.ui.browsing import CHROMIUM, Served, choose, fill, page_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.is_file(), reason=f"needs Chromium at {CHROMIUM}: apt-get install chromium"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture
def host(tmp_path: Path) -> SmallHost:
    write_pictures(tmp_path / "pictures")
    return SmallHost(tmp_path)


@pytest.fixture
def served(host: SmallHost) -> Iterator[Served]:
    made = Served(Service(host))
    made.start()
    yield made
    host.backbone.go.set()
    made.stop()


def open_train(page: Any) -> None:
    page.locator("#train_gamma_tabs button", has_text="Train").first.click()


def part(page: Any, name: str) -> Any:
    return page.locator(f'#train_gamma_run [data-tg="{name}"]')


def prepare(page: Any, root: Path, steps: int) -> None:
    """Fill in a run, with the accordions opened by the keyboard."""
    open_train(page)
    choose(page, "embedding", "tg-browser")
    fill(page, "dataset_folder", str(root / "pictures"))
    for group in ("dataset", "training", "preview"):
        page.locator(f"#train_gamma_group_{group} .label-wrap").focus()
        page.keyboard.press("Enter")
    for name, value in {
        "dataset_width": 64,
        "dataset_height": 64,
        "dataset_bucket_step": 8,
        "dataset_bucket_min": 64,
        "dataset_bucket_max": 96,
        "training_max_steps": steps,
        "training_batch_size": 2,
        "preview_every_n_steps": 5,
        "preview_prompts": "[name], hat --w 64 --h 64",
    }.items():
        fill(page, name, str(value))
    page.keyboard.press("Tab")


def test_the_name_is_checked_and_the_embedding_created(browser: Any, served: Served, host: SmallHost) -> None:
    with page_of(browser, served) as page:
        fill(page, "embedding_name", "girl")
        page.wait_for_selector("#train_gamma_create_name_check >> text=is a common word")
        fill(page, "embedding_name", "tg-browser")
        page.wait_for_selector("#train_gamma_create_name_check >> text=is a good name")
        fill(page, "embedding_init_text", "red girl hat")
        page.wait_for_selector("#train_gamma_create_start_check del >> text=hat")
        page.locator("#train_gamma_embedding_num_vectors input[type=number]").fill("3")
        page.wait_for_selector("#train_gamma_create_start_check del", state="detached")
        page.locator("#train_gamma_create").click()
        page.locator("#train_gamma_create_train_it").click()
        page.wait_for_selector("#train_gamma_embedding_told >> text=3 vectors, not trained yet.")
        assert page.locator("#train_gamma_embedding input").first.input_value() == "tg-browser"
    assert (host.folders.embeddings / "tg-browser.safetensors").is_file()


def test_a_run_is_watched_commanded_and_found_again(browser: Any, served: Served, host: SmallHost) -> None:
    host.backbone.hold_at = 12
    with page_of(browser, served) as page:
        prepare(page, host.folders.runs.parent, 40)
        page.wait_for_selector("#train_gamma_derived >> text=40")
        page.locator("#train_gamma_train").click()
        page.wait_for_selector('#train_gamma_run [data-tg="state"] >> text=running')
        page.wait_for_selector('[data-tg="step"] >> text=of 40')
        page.wait_for_selector('[data-tg="plot"] svg path.tg-raw')
        page.wait_for_selector('[data-tg="pictures"] img')
        assert host.backbone.reached.wait(20)
        page.wait_for_selector('[data-tg="step"] >> text="12 of 40"')
        assert part(page, "plot").locator("svg").get_attribute("aria-label").startswith("Loss curve. Smoothed loss:")
        assert part(page, "pictures").locator("figcaption").first.inner_text() == "Step 10"

        part(page, "pictures").locator("button").first.focus()
        page.keyboard.press("Enter")
        assert page.locator("dialog").get_attribute("aria-label") == "Preview 1 at step 10"
        page.keyboard.press("Escape")
        page.wait_for_selector("dialog", state="detached")

        with page_of(browser, served) as second:  # another browser finds the job and stops it
            open_train(second)
            second.wait_for_selector('[data-tg="step"] >> text="12 of 40"')
            assert second.locator("#train_gamma_embedding input").first.input_value() == "tg-browser"
            assert second.locator("#train_gamma_training_max_steps input").input_value() == "40"
            second.locator('[data-tg-command="stop"]').click()
            second.wait_for_selector('#train_gamma_run [data-tg="state"] >> text=stopping')
            host.backbone.go.set()
            second.wait_for_selector('#train_gamma_run [data-tg="state"] >> text=stopped')
        page.wait_for_selector('#train_gamma_run [data-tg="state"] >> text=stopped')
        assert "everything is saved" in part(page, "message").inner_text()
        assert not page.locator('[data-tg-command="stop"]').is_visible()
        assert not page.locator('[data-tg-command="send"]').is_visible(), "there is no txt2img here"

    with page_of(browser, served) as page:  # whoever comes later sees how it ended
        open_train(page)
        page.wait_for_selector('#train_gamma_run [data-tg="state"] >> text=stopped')
        page.wait_for_selector("#train_gamma_embedding_told >> text=steps trained.")


def test_errors_of_the_check_are_shown_and_nothing_starts(browser: Any, served: Served) -> None:
    with page_of(browser, served) as page:
        open_train(page)
        page.locator("#train_gamma_train").click()
        page.wait_for_selector("#train_gamma_train_message >> text=Embedding is empty.")
        choose(page, "embedding", "tg-browser")
        page.locator("#train_gamma_check").click()
        page.wait_for_selector("#train_gamma_report >> text=Not ready: 1 problem to solve first.")
        page.wait_for_selector("#train_gamma_report >> text=Dataset folder")
    assert served.service.jobs.latest is None


def test_a_server_that_is_away_is_told_and_found_again(browser: Any, served: Served) -> None:
    with page_of(browser, served) as page:
        open_train(page)
        served.stop()
        page.wait_for_selector(
            '#train_gamma_run [data-tg="network"] >> text=The server is not reachable, trying again.'
        )
        served.start()
        page.wait_for_selector('#train_gamma_run [data-tg="network"]', state="hidden")


def test_presets_fill_the_form_and_show_what_they_make_act(browser: Any, served: Served) -> None:
    with page_of(browser, served) as page:
        open_train(page)
        page.locator("#train_gamma_group_training .label-wrap").click()
        assert not page.locator("#train_gamma_training_max_epochs").is_visible()
        choose(page, "preset", "Character")
        page.wait_for_selector("#train_gamma_train_message >> text=Preset 'Character'")
        page.wait_for_selector("#train_gamma_training_max_epochs", state="visible")
        assert page.locator("#train_gamma_training_max_epochs input").input_value() == "200"


def test_every_control_is_reached_by_the_keyboard_and_shows_it(browser: Any, served: Served) -> None:
    with page_of(browser, served) as page:
        page.locator("#train_gamma_tabs button", has_text="Train").first.focus()
        page.keyboard.press("Enter")
        reached: dict[str, tuple[float, str]] = {}
        for _ in range(40):
            page.keyboard.press("Tab")
            name, height, outline = page.evaluate(
                "() => { const e = document.activeElement, own = e.closest('[id^=train_gamma_]');"
                "return [own ? own.id : '', e.getBoundingClientRect().height, getComputedStyle(e).outlineStyle]; }"
            )
            reached[name.removeprefix("train_gamma_")] = (height, outline)
            if name == "train_gamma_group_runs":
                break
        expected = ["embedding", "preset", "dataset_folder", "sample", "train", "check"]
        expected += [
            f"group_{name}" for name in ("dataset", "training", "preview", "output", "model", "presets", "runs")
        ]
        assert [name for name in reached if name in expected] == expected
        for name in expected:
            assert reached[name][1] == "solid", name
        for name in ("sample", "train", "check"):
            assert reached[name][0] >= 24
