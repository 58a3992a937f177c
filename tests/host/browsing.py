"""A headless Chromium on the page of a started WebUI."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
OF_THE_HOST = "Cannot read properties of undefined (reading 'props')"
"""What the page of 1.9.4 throws at every Generate, without any extension."""


@contextmanager
def opened_page(url: str, dark: bool = False, size: tuple[int, int] = (1400, 1000)) -> Iterator[Any]:
    """A page of the WebUI whose script has filled the form. Skipped with a message where there is no browser."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    if not CHROMIUM.is_file():
        pytest.skip(f"needs Chromium at {CHROMIUM}: apt-get install chromium")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=list(ARGUMENTS))
        page = browser.new_page(viewport={"width": size[0], "height": size[1]})
        page.set_default_timeout(60_000)
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)) if str(error) != OF_THE_HOST else None)
        page.goto(f"{url}/?__theme={'dark' if dark else 'light'}")
        page.wait_for_selector("#tabs")
        yield page
        browser.close()
        assert not problems, problems


def open_tab(page: Any) -> None:
    """Click "Train Gamma" in the WebUI's row of tabs."""
    page.locator("#tabs > .tab-nav button", has_text="Train Gamma").click()
    page.wait_for_selector("#train_gamma_tabs", state="visible")
    page.wait_for_timeout(2500)  # the form is filled by the script


def sub_tab(page: Any, name: str) -> None:
    """Click one of our own tabs."""
    page.locator("#train_gamma_tabs > .tab-nav button", has_text=name).first.click()


def fill(page: Any, element: str, text: str) -> None:
    """Type into the field with that id."""
    box = page.locator(f"#train_gamma_{element}").locator("textarea, input").first
    box.fill(text)
    box.blur()


def choose(page: Any, element: str, text: str) -> None:
    """Choose from a dropdown, by typing what is wanted."""
    box = page.locator(f"#train_gamma_{element} input").first
    box.click()
    box.fill(text)
    page.wait_for_timeout(300)
    box.press("Enter")
    box.press("Tab")
