"""Names that would not work, or would surprise, are found and a usable one is offered."""

import pytest

from tests.embedding.vocabulary import Vocabulary
from train_gamma.embedding.names import check_name, suggest_name

tokenize = Vocabulary().tokenize


def found(name, existing=()):
    return [(finding.level, finding.message) for finding in check_name(name, tokenize, existing)]


@pytest.mark.parametrize("name", ["tg-mika", "mika-tg2", "xmika", "tg_mika.v2", "TG-Mika", "日本の猫子", "a1b2c3"])
def test_good_names_have_no_findings(name):
    assert found(name, ["other", "something-else"]) == []


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("styles/mika", "a slash"),
        ("..\\mika", "a slash"),
        ("../../etc/passwd", "a slash"),
        ("mika?", r"'\?'"),
        ("mi:ka", "':'"),
        ("<mika>", "'<', '>'"),
        ("mi\nka", "a line break"),
        ("mi\x00ka", r"'\\x00'"),
        ("CON", "reserved"),
        ("nul.mika", "reserved"),
        ("lpt1", "reserved"),
        (".mika", "a space or a dot"),
        ("mika.", "a space or a dot"),
        (" mika", "a space or a dot"),
        ("mika-tg.preview", "previews"),
        ("m" * 151, "151 bytes"),
        ("日" * 51, "153 bytes"),
        ("mika, tg", "','"),
        ("(mika)", r"'\(', '\)'"),
        ("[mika]", r"'\[', '\]'"),
        ("BREAK", "keyword"),
        ("AND", "keyword"),
        ("girl", "common word"),
        ("Girl", "common word"),
        ("1girl", "common word"),
    ],
)
def test_unusable_names_are_errors(name, told):
    import re

    findings = found(name)
    assert findings[0][0] == "error"
    assert any(level == "error" and re.search(told, message) for level, message in findings), findings


@pytest.mark.parametrize(
    ("name", "existing", "told"),
    [
        ("quokka", [], "a word of the vocabulary (token 9)"),
        ("sks", [], "a word of the vocabulary (token 3)"),
        ("mika tg", [], "several words"),
        ("__mika__", [], "wildcard"),
        ("tg-mika", ["tg-mika2"], "beginning of another embedding's name: 'tg-mika2'"),
        ("tg-mika2", ["TG-mika"], "begins with another embedding's name: 'TG-mika'"),
    ],
)
def test_bad_choices_are_warnings(name, existing, told):
    findings = found(name, existing)
    assert [level for level, _ in findings] == ["warning"]
    assert told in findings[0][1]


@pytest.mark.parametrize(
    ("existing", "told"), [(["tg-mika"], "There is an embedding 'tg-mika' already."), (["TG-MIKA"], "capitals")]
)
def test_a_name_that_is_taken_is_an_error(existing, told):
    findings = found("tg-mika", existing)
    assert [level for level, _ in findings] == ["error"]
    assert told in findings[0][1]


def test_a_name_without_tokens_is_an_error():
    assert "makes nothing" in check_name("♥x", lambda _: [])[0].message


def test_errors_come_before_warnings():
    levels = [level for level, _ in found("mika/tg star", ["mika"])]
    assert levels == sorted(levels)
    assert set(levels) == {"error", "warning"}


def test_the_end_of_long_lists_is_left_out():
    findings = found("tg-mika", [f"tg-mika-{step}" for step in range(100)])
    assert len(findings) == 1
    assert len(findings[0][1]) < 300


@pytest.mark.parametrize("name", ["", "girl", "../x", "CON", "a b, (c)", "tg-mika", "日本", "m" * 200, "sks", "\n"])
@pytest.mark.parametrize("existing", [[], ["tg-mika", "tg-girl", "tg2-mika", "tg", "tg-character"]])
def test_the_suggested_name_is_good(name, existing):
    existing = [other for other in existing if other != "tg"]
    suggestion = suggest_name(name, tokenize, existing)
    assert found(suggestion, existing) == []


def test_every_finding_offers_the_suggestion():
    findings = check_name("girl", tokenize, ["tg-girl"])
    assert all(finding.fix == "Call it 'tg2-girl', for example." for finding in findings)
    assert str(findings[0]).endswith(findings[0].fix)
