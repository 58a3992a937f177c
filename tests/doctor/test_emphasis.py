"""Brackets as the WebUI reads them: the examples its own reader is documented with, and the reader itself if given."""

import math
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from train_gamma.captions.tag_text import escaped, pieces
from train_gamma.doctor.captions import bad_brackets, escape_caption
from train_gamma.doctor.emphasis import is_read_as, weigh

# the docstring of parse_prompt_attention, AUTOMATIC1111/stable-diffusion-webui 1.9.4 (feee37d7)
DOCUMENTED: dict[str, list[tuple[str, float]]] = {
    "normal text": [("normal text", 1.0)],
    "an (important) word": [("an ", 1.0), ("important", 1.1), (" word", 1.0)],
    "(unbalanced": [("unbalanced", 1.1)],
    r"\(literal\]": [("(literal]", 1.0)],
    "(unnecessary)(parens)": [("unnecessaryparens", 1.1)],
    "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).": [
        ("a ", 1.0),
        ("house", 1.573),
        (" ", 1.1),
        ("on", 1.0),
        (" a ", 1.1),
        ("hill", 0.55),
        (", sun, ", 1.1),
        ("sky", 1.4641),
        (".", 1.1),
    ],
}
ODD_TAGS = (
    "^_^", ">:(", ":)", ":(", r"\m/", "(o)_(o)", 'don\'t_say_"lazy"', "hatsune_miku_(cosplay)", "a\\", "||_||",
    r"\o/", "fate_(series)_(style)", "(", "]", "x (a) [b]",
)  # fmt: skip


def joined(prompt: str) -> list[tuple[str, float]]:
    """Stretches of one weight, none empty."""
    found: list[tuple[str, float]] = []
    for part in weigh(prompt):
        if part.text and found and math.isclose(found[-1][1], part.weight):
            found[-1] = (found[-1][0] + part.text, part.weight)
        elif part.text:
            found.append((part.text, part.weight))
    return found


@pytest.mark.parametrize("prompt", DOCUMENTED)
def test_prompts_are_read_as_documented(prompt: str) -> None:
    found = joined(prompt)
    assert [text for text, _ in found] == [text for text, _ in DOCUMENTED[prompt]]
    assert [weight for _, weight in found] == pytest.approx([weight for _, weight in DOCUMENTED[prompt]])


def test_random_prompts_are_read_as_the_webui_does(request: pytest.FixtureRequest) -> None:
    webui = request.config.getoption("--webui")
    if webui is None:
        pytest.skip("needs --webui")
    host = host_reader(Path(webui))
    rng = random.Random(0)
    parts = ["a", "b ", "(", ")", "[", "]", ":", "1.2", ":1.1)", "\\", ",", " ", "_", ".", "-", "^_^"]
    for _ in range(5_000):
        prompt = "".join(rng.choice(parts) for _ in range(rng.randrange(14)))
        try:
            expected = [(text, weight) for text, weight in host(prompt) if text]
        except ValueError:  # a weight that is no number
            assert any(math.isnan(part.weight) for part in weigh(prompt)), prompt
            continue
        assert "".join(text for text, _ in joined(prompt)) == "".join(text for text, _ in expected)
        if all(weight == 1 for _, weight in expected):
            assert is_read_as(prompt, "".join(text for text, _ in expected)), prompt
        else:
            assert [weight for _, weight in joined(prompt)] == pytest.approx([w for _, w in merged(expected)]), prompt


def host_reader(webui: Path) -> Callable[[str], Any]:
    """The WebUI's own function, without what else is in its file."""
    source = (webui / "modules" / "prompt_parser.py").read_text("utf-8")
    source = source[source.index("re_attention") : source.index("if __name__")]
    names: dict[str, Any] = {"re": re}
    exec(source, names)
    reader: Callable[[str], Any] = names["parse_prompt_attention"]
    return reader


def merged(parts: list[tuple[str, float]]) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for text, weight in parts:
        if found and math.isclose(found[-1][1], weight):
            found[-1] = (found[-1][0] + text, weight)
        else:
            found.append((text, weight))
    return found


@pytest.mark.parametrize("tag", ODD_TAGS)
def test_an_odd_tag_is_a_fault_until_it_is_escaped(tag: str) -> None:
    caption = f"1girl, {tag}, smile"
    literal = joined(caption) == [(caption, 1.0)]
    assert (bad_brackets(pieces(caption)) == []) is literal
    fixed = escape_caption(caption)
    assert joined(fixed) == [(caption, 1.0)]
    assert bad_brackets(pieces(fixed)) == []
    assert escape_caption(fixed) == fixed
    if literal:
        assert fixed == caption


def test_weights_on_purpose_are_no_fault() -> None:
    caption = "(long hair:1.2), [night], ((smile)), (a, b:0.9), [name]"
    assert bad_brackets(pieces(caption)) == []
    assert escape_caption(caption) == caption


def test_what_is_escaped_already_stays() -> None:
    caption = rf"1girl, {escaped('miku (cosplay)')}, fate (series)"
    assert escape_caption(caption) == r"1girl, miku \(cosplay\), fate \(series\)"


def test_a_weight_that_is_no_number_is_a_fault() -> None:
    assert bad_brackets(pieces("smile (a:1.2.3) b")) == ["smile (a:1.2.3) b"]
