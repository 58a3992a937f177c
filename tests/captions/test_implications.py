"""Which tags imply others."""

from pathlib import Path

import pytest

from train_gamma.captions.implications import Implications, read_implications
from train_gamma.errors import UserError


def test_by_words_only_whole_words_and_only_tags() -> None:
    known = {"gloves", "black gloves", "ear", "long hair"}
    implied = Implications({}, known.__contains__)
    assert implied.of("fingerless black_gloves") == {"black gloves", "gloves"}
    assert implied.of("heart") == frozenset()
    assert implied.of("very_long_hair") == {"long hair"}
    assert implied.of("gloves") == frozenset()


def test_a_table_is_followed_to_its_end_and_through_circles() -> None:
    table = {"kitsune": frozenset({"fox girl"}), "fox girl": frozenset({"animal ears", "kitsune"})}
    assert Implications(table, lambda _text: False).of("Kitsune") == {"fox girl", "animal ears"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "id,antecedent_name,consequent_name\n1,black_gloves,gloves\n2,cat_girl,cat_ears\n"),
        ("a.csv", "black_gloves,gloves\ncat_girl,cat_ears\n"),
        ("a.json", '{"black_gloves": ["gloves"], "cat_girl": "cat_ears"}'),
    ],
)
def test_tables_are_read(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, "utf-8")
    assert read_implications(tmp_path / name) == {
        "black gloves": frozenset({"gloves"}),
        "cat girl": frozenset({"cat ears"}),
    }


@pytest.mark.parametrize(("name", "content"), [("a.csv", "gloves\n"), ("a.json", "[1]"), ("a.json", '{"a": [1]}')])
def test_what_is_no_table_is_refused(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, "utf-8")
    with pytest.raises(UserError, match="no table of implications"):
        read_implications(tmp_path / name)
