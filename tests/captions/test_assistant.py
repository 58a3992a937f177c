"""Suggestions for pruning, against the truth of drawn characters."""

import math
import random

import pytest

from train_gamma.captions.assistant import Advice, advise
from train_gamma.captions.background import Background
from train_gamma.captions.implications import Implications
from train_gamma.captions.snapshot import Snapshot, snapshot_of_texts
from train_gamma.demo.samples import balanced_scenes
from train_gamma.demo.world import IDENTITY, random_character, tags
from train_gamma.tagging.interrogator import Label

NUM_PICTURES = 24


def drawn_captions(seed: int) -> list[str]:
    """The full captions of a set of drawn pictures."""
    character = random_character(seed)
    return [", ".join(tags(character, scene)) for scene in balanced_scenes(NUM_PICTURES, random.Random(seed))]


def advice(captions: list[str], background: Background | None = None) -> Advice:
    return advise(snapshot_of_texts(captions), background or Background({}))


def test_the_traits_of_thirty_characters_are_found() -> None:
    """Precision and recall are both 1.0: the drawn truth is in the captions, and no scene lasts for a whole set."""
    found = wanted = both = 0
    for seed in range(300, 330):
        truth = set(tags(random_character(seed), {}, IDENTITY))
        ticked = set(advice(drawn_captions(seed)).ticked)
        found, wanted, both = found + len(ticked), wanted + len(truth), both + len(ticked & truth)
    assert both / found >= 0.9
    assert both / wanted >= 0.9


def test_a_context_that_all_pictures_share_is_not_suggested() -> None:
    """Statistics alone would take it: a set drawn before one background has it in every caption."""
    found = advice([f"1girl, black hair, outdoors, smile, extra{index}" for index in range(20)])
    assert [one.tag for one in found.suggestions] == ["black hair"]
    assert found.subject == "1girl"


@pytest.mark.parametrize(("having", "band"), [(17, "ticked"), (16, "sometimes"), (12, "sometimes"), (11, None)])
def test_the_bands(having: int, band: str | None) -> None:
    """0.85 and 0.60 of 20 pictures are 17 and 12."""
    captions = ["1girl, red_scarf"] * having + ["1girl"] * (20 - having)
    found = advice(captions).suggestions
    assert [one.band for one in found] == ([band] if band else [])
    if found:
        assert found[0].without == tuple(range(having, 20))
        assert found[0].share == having / 20


def test_pictures_without_captions_do_not_count() -> None:
    found = advice(["1girl, red_hair"] * 9 + ["1girl"] + [""] * 10).suggestions
    assert [(one.tag, one.share, one.band) for one in found] == [("red_hair", 0.9, "ticked")]
    assert advice([]) == Advice()
    assert advice(["", ""]) == Advice()


def test_relatives_go_together() -> None:
    captions = ["gloves, black_gloves, long_hair, very_long_hair"] * 3 + ["gloves, black_gloves, long_hair"] * 17
    found = advice(captions)
    assert set(found.ticked) == {"gloves", "black_gloves", "long_hair", "very_long_hair"}
    gloves = next(one for one in found.suggestions if one.tag == "gloves")
    assert [(one.tag, one.count) for one in gloves.relatives] == [("black_gloves", 20)]


def test_a_garment_that_changes_its_colour_keeps_the_colours() -> None:
    """Gloves are always worn, so they go; which ones they are changes, so that stays a matter of the prompt."""
    found = advice(["gloves, black_gloves"] * 10 + ["gloves, white_gloves"] * 10)
    assert found.ticked == ["gloves"]
    assert sorted(one.tag for one in found.suggestions[0].relatives) == ["black_gloves", "white_gloves"]


def test_implications_of_a_table_count_too() -> None:
    captions: Snapshot = snapshot_of_texts(["fang, tooth"] * 20)
    implied = Implications({"fang": frozenset({"tooth"})}, lambda _text: False)
    assert advise(captions, implied=implied).ticked == ["fang", "tooth"]


def test_two_colours_of_one_thing_are_mentioned() -> None:
    found = advice(["blue_eyes"] * 12 + ["purple_eyes"] * 8).contradictions
    assert len(found) == 1
    assert "blue_eyes 60%" in found[0]
    assert "purple_eyes 40%" in found[0]
    assert advice(["blue_eyes"] * 19 + ["purple_eyes"]).contradictions == ()


def test_lift_and_score_are_those_of_the_counts() -> None:
    """share / (count / sum of the ratings' counts), and share * log2 of that, from the numbers themselves."""
    labels = [Label("general", "rating", 600), Label("explicit", "rating", 400), Label("heterochromia", "general", 11)]
    background = Background.of([*labels, Label("strange_thing", "general", 10), Label("odd", "general", 0)])
    found = advice(["heterochromia, strange_thing, odd"] * 9 + ["smile"], background).suggestions
    assert [one.tag for one in found] == ["heterochromia", "strange_thing"]
    assert found[0].lift == pytest.approx(0.9 / 0.011)
    assert background.score("heterochromia", 0.9) == pytest.approx(0.9 * math.log2(0.9 / 0.011))
    assert found[1].band == "look"
    assert background.lift("odd", 0.9) is None
