"""The script and the style sheet live in a page with many others: they keep to themselves."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT, STYLE = ROOT / "javascript" / "train_gamma.js", ROOT / "style.css"


def selectors() -> list[str]:
    css = re.sub(r"/\*.*?\*/", "", STYLE.read_text("utf-8"), flags=re.DOTALL)
    css = re.sub(r"@media[^{]*\{((?:[^{}]*\{[^{}]*\})*)\s*\}", r"\1", css)
    found = re.findall(r"([^{}]+)\{[^{}]*\}", css)
    outside_is = [re.sub(r":is\([^)]*\)", ":is()", one) for one in found]
    return [part.strip() for one in outside_is for part in one.split(",")]


def test_every_rule_is_inside_the_tab() -> None:
    assert len(selectors()) > 40
    assert [one for one in selectors() if "#tab_train_gamma" not in one] == []


def test_colours_are_those_of_the_page() -> None:
    css = re.sub(r"/\*.*?\*/", "", STYLE.read_text("utf-8"), flags=re.DOTALL)
    values = [value for name, value in re.findall(r"([\w-]+)\s*:\s*([^;{}]+);", css) if "color" in name]
    values += re.findall(r"(?:background|fill|stroke|border)\s*:\s*([^;{}]+);", css)
    assert values
    assert [v for v in values if re.search(r"#[0-9a-f]{3}|rgb|hsl|\b(red|black|white|gray|green|blue)\b", v)] == []


def test_the_script_is_valid_and_has_one_global() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node: apt-get install nodejs")
    told = (
        "const before = new Set(Object.getOwnPropertyNames(globalThis));"
        "globalThis.document = {querySelector: () => null};"
        f"require('vm').runInThisContext(require('fs').readFileSync({str(SCRIPT)!r}, 'utf8'));"
        "console.log(Object.getOwnPropertyNames(globalThis).filter(n => !before.has(n) && n !== 'document').join());"
        "process.exit();"
    )
    done = subprocess.run([node, "-e", told], capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("train_gamma", "")


def test_the_script_builds_no_markup_from_text_and_asks_relative_to_the_page() -> None:
    script = SCRIPT.read_text("utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", script)
    assert re.findall(r"""["'`](?:https?:)?//?train-gamma""", script) == []
    assert '"./train-gamma/v1/"' in script
