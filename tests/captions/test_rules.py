"""Sets of rules, kept as files."""

import json

import pytest

from train_gamma.captions.replacing import Rule, replace
from train_gamma.captions.rules import RuleSet, RuleSets
from train_gamma.captions.snapshot import snapshot_of_texts
from train_gamma.errors import UserError

MINE = RuleSet("my rules", (Rule("a, b", "é"), Rule(r"^x(.)$", r"\1", "regex"), Rule("hair", "", "substring")), "why")


@pytest.fixture
def sets(tmp_path):
    return RuleSets(lambda: tmp_path / "rules")


def test_a_set_is_kept(sets, tmp_path):
    assert sets.names() == ["NSFW"]
    sets.save(MINE)
    assert sets.names() == ["NSFW", "my rules"]
    assert RuleSets(lambda: tmp_path / "rules").load("my rules") == MINE
    sets.save(RuleSet("my rules", (Rule("c", "d"),)))
    assert sets.load("my rules").rules == (Rule("c", "d"),)
    sets.delete("my rules")
    assert sets.names() == ["NSFW"]


def test_the_guides_rule_keeps_what_is_milder(sets):
    captions = snapshot_of_texts(["1girl, nude, Nipples, topless, solo"])
    change = replace(captions, sets.load("NSFW").rules)
    assert change.new[0].text == "1girl, nsfw, topless, solo"


@pytest.mark.parametrize("name", ["", " a", "a.", "../a", "a/b", "x" * 61, "nsfw"])
def test_names_that_cannot_be(sets, name, tmp_path):
    with pytest.raises(UserError, match=r"cannot be the name|is built in"):
        sets.save(RuleSet(name, MINE.rules))
    assert not (tmp_path / "rules").exists()


def test_what_is_built_in_stays(sets):
    with pytest.raises(UserError, match="built in"):
        sets.delete("NSFW")


@pytest.mark.parametrize("rules", [(), (Rule("", "x"),), (Rule("(", "x", "regex"),)])
def test_rules_that_cannot_be_used_are_not_kept(sets, rules):
    with pytest.raises(UserError):
        sets.save(RuleSet("bad", rules))
    assert sets.names() == ["NSFW"]


def test_a_set_that_is_not_there(sets):
    for action in (sets.load, sets.delete):
        with pytest.raises(UserError, match="no rule set 'gone'"):
            action("gone")


@pytest.mark.parametrize(
    "content",
    ["{", "[]", "{}", '{"rules": 3}', '{"rules": ["a"]}', '{"rules": [{}]}', '{"rules": [{"search": 1}]}',
     '{"rules": [{"search": "a", "kind": "odd"}]}', '{"rules": [{"search": ""}]}', "\xff"],
)  # fmt: skip
def test_a_damaged_file_is_named(sets, tmp_path, content):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "mine.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(UserError, match=r"mine\.json"):
        sets.load("mine")


def test_a_file_that_a_person_wrote(sets, tmp_path):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "hand.json").write_text(json.dumps({"rules": [{"search": "a, b", "replacement": "c"}]}))
    assert sets.load("hand") == RuleSet("hand", (Rule("a, b", "c"),))
