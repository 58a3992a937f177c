"""The guide's chapter on the Dataset tab, walked by mouse and by keyboard. For the stand-alone page and the WebUI's."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.ui.dataset_page import ROOT, button, find, listed, loaded, part, row, says, tab
from train_gamma.demo.samples import write_dataset

CHARACTER = 9004
"""The seed of a character that the miniature checkpoint was never trained on."""
PICTURES = 150
TAGGER = "miniature"
MOST_TABS = 150
"""So often is the Tab key pressed to get somewhere; more would be no way to work."""

Shoot = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Walked:
    """What the walk came to; captions by name.

    Attributes:
        tagged: as the tagger wrote them.
        pruned: tags that were taken out.
        saved: after Save.
        restored: after the backup was put back.
    """

    tagged: dict[str, bytes]
    pruned: tuple[str, ...]
    saved: dict[str, bytes]
    restored: dict[str, bytes]


def draw_folder(folder: Path, count: int = PICTURES) -> Path:
    """Drawn pictures without captions."""
    write_dataset(CHARACTER, folder, count, captions="none")
    return folder


def captions(folder: Path) -> dict[str, bytes]:
    """The caption files and their bytes."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.txt"))}


# -- by mouse -------------------------------------------------------------------------------------------------------


def tag_folder(page: Any, folder: Path, count: int) -> None:
    """Tag a folder on the Tagger tab with the miniature tagger."""
    tab(page, "Tagger").click()
    page.locator("#train_gamma_tag_folder").locator("textarea, input").first.fill(str(folder))
    box = page.locator("#train_gamma_tag_model input").first
    for _ in range(5):  # an answer that was under way may undo a choice
        box.click()
        box.fill(TAGGER[:-1])
        page.locator("#train_gamma_tag_model li, ul.options li").filter(has_text=TAGGER).first.click()
        page.locator("#train_gamma_tab_tagger .tg-quiet").first.click()
        page.wait_for_timeout(800)
        if box.input_value() == TAGGER:
            break
    page.wait_for_selector(f"#train_gamma_tag_plan >> text={count} pictures")
    page.locator("#train_gamma_tag").click()
    while len(captions(folder)) < count:  # the page may still show the end of a run before
        page.wait_for_timeout(100)
    page.wait_for_selector(f'#train_gamma_tagging [data-tg="message"] >> text={count} captions written')
    page.wait_for_selector('#train_gamma_tagging [data-tg="state"] >> text="finished"')


def walk(page: Any, folder: Path, shoot: Shoot, count: int = PICTURES) -> Walked:
    """Tag, sort by count, prune, undo, prune again, look at the diff, save and restore a backup, with the mouse."""
    tag_folder(page, folder, count)
    tagged = captions(folder)
    tab(page, "Dataset").click()
    page.wait_for_function(
        f"folder => document.querySelector('{ROOT} [data-ds=folder]').value === folder", arg=str(folder)
    )
    page.locator(f"{ROOT} form button").click()
    loaded(page, count)
    shoot("1-loaded")
    find(page, "tag_sort").select_option("name")
    page.wait_for_function(f"() => document.querySelectorAll('{ROOT} [data-ds=tags] li')[0].dataset.tag === '1girl'")
    find(page, "tag_sort").select_option("count")
    page.wait_for_timeout(500)
    counts = list(listed(page).values())
    assert counts == sorted(counts, reverse=True)
    part(page, "prune").click()
    button(page, "suggest").click()
    pruned = _prune_by_mouse(page, shoot)
    button(page, "undo").click()
    says(page, "Taken back")
    for name in pruned:
        row(page, name).wait_for()
    assert _prune_by_mouse(page, lambda _: None) == pruned
    button(page, "diff").click()
    page.wait_for_selector(f"{ROOT} dialog .tg-ds-diff li")
    shoot("4-diff")
    page.locator(f"{ROOT} dialog button", has_text="Close").click()
    button(page, "save").click()
    says(page, "Saved:")
    shoot("5-saved")
    saved = captions(folder)
    part(page, "saved").click()
    find(page, "backups").locator("button").first.click()
    page.locator(f"{ROOT} dialog button", has_text="Put back").click()
    page.wait_for_selector(f"{ROOT} dialog", state="detached")
    row(page, pruned[0]).wait_for()
    shoot("6-restored")
    return Walked(tagged, pruned, saved, captions(folder))


def _prune_by_mouse(page: Any, shoot: Shoot) -> tuple[str, ...]:
    page.wait_for_selector(f'{ROOT} [data-ds="prune_told"] >> text=will change')
    ticked = page.locator(f'{ROOT} [data-ds="suggestions"] input:checked')
    names = tuple(dict.fromkeys(ticked.evaluate_all("boxes => boxes.map(box => box.dataset.tag)")))
    shoot("2-suggested")
    button(page, "prune").click()
    says(page, "Removed")
    for name in names:
        row(page, name).wait_for(state="detached")
    shoot("3-pruned")
    return names


# -- by keyboard ----------------------------------------------------------------------------------------------------


def reach(page: Any, selector: str, back: bool = False) -> None:
    """Press Tab until the focus is on an element; it must be to be seen there."""
    is_there = "selector => document.activeElement !== null && document.activeElement.matches(selector)"
    for _ in range(MOST_TABS):
        if page.evaluate(is_there, selector):
            outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", f"{selector} does not show that it has the focus"
            return
        page.keyboard.press("Shift+Tab" if back else "Tab")
    raise AssertionError(f"Tab does not get to {selector}")


def press(page: Any, name: str, back: bool = False) -> None:
    """Get to a button of the tab and press it."""
    reach(page, f'{ROOT} [data-ds-do="{name}"]', back)
    page.keyboard.press("Enter")


def focus_is_kept(page: Any) -> None:
    """The focus is somewhere in the tab, not on nothing."""
    where = "root => document.querySelector(root).contains(document.activeElement)"
    assert page.evaluate(where, ROOT), page.evaluate("() => document.activeElement.outerHTML.slice(0, 300)")


def walk_by_keyboard(page: Any, folder: Path, shoot: Shoot, count: int = PICTURES) -> Walked:
    """The same without touching the mouse, in a folder that is tagged already."""
    tagged = captions(folder)
    tab(page, "Dataset").focus()
    page.keyboard.press("Enter")
    reach(page, f'{ROOT} [data-ds="folder"]')
    page.keyboard.press("Control+A")
    page.keyboard.type(str(folder))
    page.keyboard.press("Enter")
    loaded(page, count)
    _sort_by_keyboard(page)
    _look_by_keyboard(page, count)
    reach(page, f'{ROOT} [data-ds-tab="picture"]')
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    press(page, "suggest")
    page.wait_for_selector(f'{ROOT} [data-ds="prune_told"] >> text=will change')
    pruned = _prune_by_keyboard(page)
    page.keyboard.press("Control+z")
    says(page, "Taken back")
    row(page, pruned[0]).wait_for()
    focus_is_kept(page)
    assert _prune_by_keyboard(page) == pruned
    press(page, "diff", back=True)
    page.wait_for_selector(f"{ROOT} dialog .tg-ds-diff li")
    page.keyboard.press("Escape")
    page.wait_for_selector(f"{ROOT} dialog", state="detached")
    focus_is_kept(page)
    press(page, "save")
    says(page, "Saved:")
    focus_is_kept(page)
    saved = captions(folder)
    shoot("7-keyboard-saved")
    _restore_by_keyboard(page, pruned[0])
    shoot("8-keyboard-restored")
    return Walked(tagged, pruned, saved, captions(folder))


def _restore_by_keyboard(page: Any, tag: str) -> None:
    reach(page, f'{ROOT} [data-ds-tab="prune"]')
    page.keyboard.press("End")
    find(page, "backups").locator("button").first.wait_for()
    reach(page, f'{ROOT} [data-ds="backups"] button')
    page.keyboard.press("Enter")
    page.wait_for_selector(f"{ROOT} dialog[open]")
    page.keyboard.press("Enter")
    row(page, tag).wait_for()
    focus_is_kept(page)


def _sort_by_keyboard(page: Any) -> None:
    reach(page, f'{ROOT} [data-ds="tag_sort"]')
    page.keyboard.press("ArrowDown")
    page.wait_for_function(f"() => document.querySelectorAll('{ROOT} [data-ds=tags] li')[0].dataset.tag === '1girl'")
    page.keyboard.press("ArrowUp")
    page.wait_for_timeout(500)
    counts = list(listed(page).values())
    assert counts == sorted(counts, reverse=True)


def _look_by_keyboard(page: Any, count: int) -> None:
    """Pictures that lack the third tag, and all of them again; one picture, and the next."""
    reach(page, f'{ROOT} [data-ds="tags"] li')
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    wanted = page.evaluate("() => document.activeElement.dataset.tag")
    page.keyboard.press("Enter")
    page.wait_for_selector(f'{ROOT} [data-ds="chips"] >> text=has {wanted}')
    page.keyboard.press("Enter")
    page.wait_for_selector(f'{ROOT} [data-ds="chips"] >> text=lacks {wanted}')
    page.keyboard.press("Enter")
    page.wait_for_selector(f'{ROOT} [data-ds="chips"] li', state="detached")
    assert page.evaluate("() => document.activeElement.dataset.tag") == wanted
    reach(page, f'{ROOT} [data-ds="grid"] li')
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    page.wait_for_selector(f'{ROOT} [data-ds="selected"] >> text=1 selected')
    page.keyboard.press("Enter")
    page.wait_for_selector(f'{ROOT} [data-ds="one_place"] >> text=2 of {count}')
    page.keyboard.press("Alt+ArrowRight")
    page.wait_for_selector(f'{ROOT} [data-ds="one_place"] >> text=3 of {count}')
    focus_is_kept(page)


def _prune_by_keyboard(page: Any) -> tuple[str, ...]:
    page.wait_for_selector(f'{ROOT} [data-ds="prune_told"] >> text=will change')
    ticked = page.locator(f'{ROOT} [data-ds="suggestions"] input:checked')
    names = tuple(dict.fromkeys(ticked.evaluate_all("boxes => boxes.map(box => box.dataset.tag)")))
    press(page, "prune")
    says(page, "Removed")
    for name in names:
        row(page, name).wait_for(state="detached")
    focus_is_kept(page)
    return names
