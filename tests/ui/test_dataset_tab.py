"""The bones of the Dataset tab, and the scripts that fill them: nothing is looked for that is not there."""

import re
import shutil
import subprocess
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytest.importorskip("gradio", reason="the page needs gradio: pip install gradio==4.40.0")

from train_gamma.captions.cleaning import ACTIONS
from train_gamma.ui.dataset_tab import skeleton

FOLDER = Path(__file__).parents[2] / "javascript"
SCRIPTS = sorted(FOLDER.glob("train_gamma_dataset*.js"))
VOID = ("input", "img")
LONGEST = 350
"""Lines of one script."""


class Bones(HTMLParser):
    """Elements with their attributes and the tags around them; the texts of buttons."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str], tuple[str, ...]]] = []
        self.texts: Counter[str] = Counter()
        self._around: list[str] = []
        self.feed(html)
        assert self._around == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}, tuple(self._around)))
        if tag not in VOID:
            self._around.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._around.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._around and self._around[-1] == "button":
            self.texts[data.strip()] += 1

    def values(self, attribute: str) -> list[str]:
        return [attributes[attribute] for _, attributes, _ in self.found if attribute in attributes]


@pytest.fixture(scope="module")
def bones() -> Bones:
    return Bones(skeleton("a token"))


def read(pattern: str) -> set[str]:
    return {name for script in SCRIPTS for name in re.findall(pattern, script.read_text("utf-8"))}


def test_the_token_is_escaped() -> None:
    assert Bones(skeleton('"><script>')).values("data-token") == ['"><script>']


def test_every_name_and_id_is_there_once(bones: Bones) -> None:
    for attribute in ("id", "data-ds", "data-ds-do"):
        counts = Counter(bones.values(attribute))
        assert len(counts) > 5
        assert [name for name, count in counts.items() if count > 1] == []


def test_what_refers_to_an_id_refers_to_one_that_is_there(bones: Bones) -> None:
    ids = set(bones.values("id"))
    assert set(bones.values("aria-controls")) | set(bones.values("aria-labelledby")) <= ids


def test_every_field_stands_in_its_label_and_every_button_has_a_text(bones: Bones) -> None:
    fields = [
        (tag, attributes, around) for tag, attributes, around in bones.found if tag in ("input", "select", "textarea")
    ]
    assert len(fields) > 40
    assert [attributes for _, attributes, around in fields if "label" not in around] == []
    buttons = [attributes for tag, attributes, _ in bones.found if tag == "button"]
    assert len(buttons) == sum(bones.texts.values())
    assert "" not in bones.texts


def test_every_picture_and_region_has_a_name(bones: Bones) -> None:
    assert [attributes for tag, attributes, _ in bones.found if tag == "img" and "alt" not in attributes] == []
    named = ("listbox", "group", "tablist", "progressbar", "region")
    assert [a for _, a, _ in bones.found if a.get("role") in named and not a.get("aria-label")] == []


def test_every_cleaning_can_be_ticked(bones: Bones) -> None:
    assert bones.values("data-ds-clean") == [action.name for action in ACTIONS]


def test_the_scripts_look_for_nothing_that_is_not_there(bones: Bones) -> None:
    names = set(bones.values("data-ds")) | set(bones.values("data-ds-do"))
    used = read(r'ds\.(?:el|write|show|enable|button|value|whole|isTicked)\("(\w+)"')
    assert len(used) > 80
    assert used - names == set()


def test_every_button_does_something(bones: Bones) -> None:
    edits = read(r'(?m)^        (\w+): \{in: "edit_\w+"')
    done = read(r"ds\.doing\.(\w+) = ") | {f"{name}_{what}" for name in edits for what in ("apply", "show")}
    assert set(bones.values("data-ds-do")) - done == set()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_is_about_one_thing_and_builds_no_markup_from_text(script: Path) -> None:
    text = script.read_text("utf-8")
    assert text.startswith("// ")
    assert text.count("\n") <= LONGEST
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|console\.", text)
    assert re.findall(r"""["'`](?:https?:)?//?train-gamma""", text) == []


def test_the_scripts_have_one_global_in_whatever_order_they_come() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node: apt-get install nodejs")
    for order in (SCRIPTS, SCRIPTS[::-1]):
        told = (
            "const before = new Set(Object.getOwnPropertyNames(globalThis));"
            "globalThis.document = {querySelector: () => null};"
            f"for (const path of {[str(path) for path in order]!r})"
            " require('vm').runInThisContext(require('fs').readFileSync(path, 'utf8'));"
            "const found = Object.getOwnPropertyNames(globalThis).filter(n => !before.has(n) && n !== 'document');"
            "console.log(found.join());"
            "process.exit();"
        )
        done = subprocess.run([node, "-e", told], capture_output=True, text=True, check=False, timeout=60)
        assert (done.stdout.strip(), done.stderr) == ("train_gamma_dataset", "")
