"""Finding one's way in the Dataset tab of a page, stand-alone or the WebUI's."""

from pathlib import Path
from typing import Any

ROOT = "#train_gamma_dataset [data-ds-root]"


def find(page: Any, name: str) -> Any:
    """A part of the tab by its ``data-ds``."""
    return page.locator(f'{ROOT} [data-ds="{name}"]')


def button(page: Any, name: str) -> Any:
    """A button of the tab by what it does."""
    return page.locator(f'{ROOT} [data-ds-do="{name}"]')


def tab(page: Any, name: str) -> Any:
    """The button of one of our tabs."""
    return page.locator("#train_gamma_tabs button", has_text=name).first


def part(page: Any, name: str) -> Any:
    """The button of a part of the side panel."""
    return page.locator(f'{ROOT} [data-ds-tab="{name}"]')


def row(page: Any, tag: str) -> Any:
    """The line of a tag in the list."""
    return page.locator(f'{ROOT} [data-ds="tags"] li[data-tag="{tag}"]')


def listed(page: Any) -> dict[str, int]:
    """The tags in the list and how many pictures have them, in its order."""
    lines = find(page, "tags").locator("li")
    names = lines.evaluate_all("lines => lines.map(line => line.dataset.tag)")
    counts = lines.locator('[title="pictures"]').all_inner_texts()
    return {name: int(count) for name, count in zip(names, counts, strict=True)}


def says(page: Any, text: str) -> None:
    """Wait until the message above the lists has this in it."""
    page.wait_for_selector(f'{ROOT} [data-ds="message"] >> text={text}')


def loaded(page: Any, count: int) -> None:
    """Wait until so many pictures are shown."""
    page.wait_for_selector(f'{ROOT} [data-ds="summary"] >> text={count} picture')
    page.wait_for_selector(f'{ROOT} [data-ds="grid"] li')
    page.wait_for_selector(f'{ROOT} [data-ds="tags"] li')


def load(page: Any, folder: Path, count: int) -> None:
    """Open the tab and load a folder."""
    tab(page, "Dataset").click()
    find(page, "folder").fill(str(folder))
    page.locator(f"{ROOT} form button").click()
    loaded(page, count)


def text(folder: Path, number: int) -> str:
    return (folder / f"{number:03}.txt").read_text("utf-8")


def tick(page: Any, tag: str) -> None:
    row(page, tag).locator(".tg-ds-box").click()


def cells(page: Any) -> Any:
    return find(page, "grid").locator("li")


def waits_for(page: Any, name: str, told: str) -> None:
    page.wait_for_selector(f'{ROOT} [data-ds="{name}"] >> text={told}')


def dialog(page: Any, words: str) -> None:
    page.locator(f"{ROOT} dialog button", has_text=words).first.click()
    page.wait_for_selector(f"{ROOT} dialog", state="detached")


def save(page: Any) -> None:
    button(page, "save").click()
    says(page, "Saved:")


def open_edit(page: Any, name: str) -> Any:
    """The part of Edit with that name, opened."""
    part(page, "edit").click()
    group = find(page, f"edit_{name}")
    if group.get_attribute("open") is None:
        group.locator("summary").first.click()
    return group


def apply(page: Any, name: str, files: int) -> None:
    """Wait for what an edit says it will do, and make it."""
    waits_for(page, f"{name}_told", f"{files} file{'' if files == 1 else 's'} will change")
    button(page, f"{name}_apply").click()
    says(page, f"{files} file{'' if files == 1 else 's'} changed")
