"""What is one-sided about a set, by its tags."""

from pathlib import Path

import pytest

from tests.doctor.folders import clean_folder, examined
from train_gamma.doctor.balance import flip_problems

PLAIN = "1girl, red hair, blue eyes, green dress, night"


@pytest.mark.parametrize(
    ("tags", "several"),
    [
        ("1girl, solo", False),
        ("2girls", True),
        ("6+girls", True),
        ("multiple boys", True),
        ("1girl, 1boy", True),
        ("multiple_girls", True),
        ("1girl, 1boy, solo", False),
        ("2girls drawing", False),
        ("crowd", True),
    ],
)
def test_several_people_are_seen_in_the_tags(tags: str, several: bool, tmp_path: Path) -> None:
    folder = clean_folder(tmp_path / "set")
    (folder / "00.txt").write_text(f"{tags}, red hair, blue eyes, green dress, night sky".replace("_", " "))
    assert bool(examined(folder).of("several_people")) is several


@pytest.mark.parametrize(
    ("captions", "init_text", "told"),
    [
        ([PLAIN] * 4, "1girl", []),
        ([PLAIN] * 3 + [f"{PLAIN}, side_ponytail"], "", ["side ponytail"]),
        ([PLAIN] * 4, "1girl, heterochromia", ["heterochromia"]),
        ([f"{PLAIN}, mole under eye"], "", ["mole under eye"]),
        ([f"{PLAIN}, close-up"] * 3 + [PLAIN] * 2, "", ["3 of 5 pictures are of faces"]),
        ([f"{PLAIN}, portrait"] * 2 + [PLAIN] * 2, "", []),
        ([], "", []),
    ],
)
def test_flips_are_advised_against_for_a_reason(captions: list[str], init_text: str, told: list[str]) -> None:
    problems = flip_problems(captions, init_text)
    assert len(problems) == len(told)
    assert all(part in problem for part, problem in zip(told, problems, strict=True))


def test_the_words_it_starts_from_speak_against_flips_too(tmp_path: Path) -> None:
    folder = clean_folder(tmp_path / "set")
    assert examined(folder, init_text="1girl, eyepatch").of("flip") == []
    (finding,) = examined(folder, init_text="1girl, eyepatch", flip=True).of("flip")
    assert "eyepatch" in finding.message


def test_what_is_shown_is_counted(tmp_path: Path) -> None:
    folder = clean_folder(tmp_path / "set")
    coverage = examined(folder).coverage
    texts = [path.read_text("utf-8") for path in folder.glob("*.txt")]
    assert coverage.captioned == 12
    assert coverage.framing["face"] == sum("close-up" in text for text in texts)
    assert coverage.framing["upper body"] == sum("upper body" in text for text in texts)
    assert coverage.angle["looking at viewer"] == sum("looking at viewer" in text for text in texts)
    assert (coverage.people, coverage.no_face) == (0, 0)
