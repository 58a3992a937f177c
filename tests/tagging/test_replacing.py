"""Rules of Replace tags."""

import pytest

from train_gamma.tagging.replacing import read_rules


def tags_of(rules):
    return {old: [piece.text for piece in new] for old, new in rules.items()}


def test_rules_are_found_by_any_way_to_write_a_tag():
    rules, problems = read_rules(["Long_Hair, miku \\(x\\) -> hair", "", "  ", "^_^→smile, (happy:1.1)"])
    assert tags_of(rules) == {"long hair": ["hair"], "miku (x)": ["hair"], "^_^": ["smile", "(happy:1.1)"]}
    assert problems == []


@pytest.mark.parametrize(
    ("rule", "wrong"),
    [
        ("nude", "has no arrow"),
        ("nude = nsfw", "has no arrow"),
        ("-> nsfw", "names no tag to be replaced"),
        (" , -> nsfw", "names no tag to be replaced"),
        ("->", "names no tag to be replaced"),
        ("nude ->", "names nothing to put there. To leave tags out, use Exclude tags"),
        ("nude -> ,", "names nothing to put there"),
        ("a -> b -> c", "has more than one arrow"),
    ],
)
def test_every_bad_rule_is_told_and_the_others_are_read(rule, wrong):
    rules, problems = read_rules([rule, "hat -> cap"])
    assert tags_of(rules) == {"hat": ["cap"]}
    assert len(problems) == 1
    assert f"'{rule}' {wrong}" in problems[0]


def test_rules_that_contradict_each_other_are_told():
    _, problems = read_rules(["hat -> cap", "Hat, bag -> beret"])
    assert problems == ["Replace tags has two rules for 'Hat', the second is 'Hat, bag -> beret'. Keep one of them."]
    assert read_rules(["hat -> cap", "Hat, bag -> cap"])[1] == []
