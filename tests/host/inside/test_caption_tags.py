r"""Captions as the host's own reader of prompts takes them: every tag comes out as it is meant, at weight 1."""

from pathlib import Path
from typing import Any

import pytest

from train_gamma.captions.files import read_existing, write_captions
from train_gamma.captions.tag_text import KAOMOJI, escaped, read_tags, unescaped, with_spaces, write_tags
from train_gamma.tagging.choosing import Chooser, Tag
from train_gamma.tagging.config import TagConfig
from train_gamma.tagging.interrogator import GENERAL, Label

ODD = [
    *sorted(KAOMOJI),
    *(":)", ":(", ":d", ":o", ":<", ":>=", ";)", ";d", "=)", ">:(", ">:)", ">_>", "d:", "._.", "0_0", "(9)", "[]"),
    *("\\m/", "\\o/", "\\||/", "\\n/", "\\\\", "\\(^o^)/", "(\\)", "a\\", "!?", "...", "+_+", "^^^", "||/", "|d"),
    *('don\'t_say_"lazy"', "k-on!", "fate/stay_night", "rating:safe", "1:1", "((nested))", "[[x]]", "(a:1.5)"),
    *(
        "hatsune_miku_(cosplay)",
        "photo_(medium)",
        "artoria_pendragon_(swimsuit_rider)_(fate)",
        "tag:0.5",
        "and",
        "break",
    ),
    *("lora", "<lora:x:1>", "é_(café)", "月", "6+girls", "@_@", "#1", "{x}", "a|b", "_"),
]
"""Kinds of names that the lists of WD taggers have, and some that only break readers."""


@pytest.fixture
def parse(webui: Any) -> Any:
    from modules import prompt_parser

    return prompt_parser.parse_prompt_attention


@pytest.mark.parametrize("tag", ODD)
def test_each_tag_is_read_as_it_is_and_at_weight_one(parse: Any, tag: str) -> None:
    assert parse(escaped(tag)) == [[tag, 1.0]]
    assert unescaped(escaped(tag)) == tag


def test_trap_a_face_that_is_not_escaped_changes_the_weight_of_the_rest(parse: Any) -> None:
    """What other taggers write by default."""
    assert [">:", 1.0] in parse(">:(, smile")
    assert [", smile", 1.1] in [[text, round(weight, 3)] for text, weight in parse(">:(, smile")]


def test_a_whole_caption_is_one_text_at_weight_one(parse: Any) -> None:
    tags = [with_spaces(tag) for tag in ODD]
    assert parse(write_tags(tags, escape=True)) == [[", ".join(tags), 1.0]]


def test_the_caption_that_a_tagger_writes_is_one_text_at_weight_one(parse: Any) -> None:
    labels = [Label(tag, GENERAL) for tag in ODD]
    chooser = Chooser(labels, {GENERAL: 0.35}, TagConfig(add_tags="zorb (creature), \\m/"))
    caption = chooser.caption([Tag(label.name, 0.9, GENERAL) for label in labels])
    ((text, weight),) = parse(caption)
    assert weight == 1.0
    for tag in ODD:
        assert with_spaces(tag) in text


def test_weights_are_written_so_that_the_host_reads_them(parse: Any) -> None:
    labels = [Label(tag, GENERAL) for tag in (">:(", "\\m/", "photo_(medium)", "smile")]
    chooser = Chooser(labels, {GENERAL: 0.35}, TagConfig(weights=True))
    caption = chooser.caption([Tag(label.name, 0.875, GENERAL) for label in labels])
    found = [(text, weight) for text, weight in parse(caption) if text != ", "]
    assert [text for text, _ in found] == [">:(", "\\m/", "photo (medium)", "smile"]
    assert [weight for _, weight in found] == pytest.approx([0.875] * 4, abs=0.01)


def test_a_caption_is_the_same_bytes_after_load_save_and_save(tmp_path: Path) -> None:
    caption = write_tags([with_spaces(tag) for tag in ODD], escape=True)
    file = tmp_path / "1.txt"
    file.write_text(caption, "utf-8")
    for _ in range(2):
        text = read_existing(file)
        assert text is not None
        write_captions({file: write_tags(read_tags(text), escape=True)}, tmp_path / "kept", tmp_path)
        assert file.read_text("utf-8") == caption
