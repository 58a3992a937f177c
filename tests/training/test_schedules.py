"""A1111's learning rate syntax, against an independent reading of its rules."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from train_gamma.errors import UserError
from train_gamma.training.schedules import parse_schedule, schedule_problems


def a1111_rate(text: str, step: int) -> float:
    """The rate A1111 uses after ``step`` finished steps (modules/textual_inversion/learn_schedule.py, feee37d7).

    Each part holds while fewer steps than its number are done; a part without a number, or with -1, holds to the end;
    empty parts are nothing.
    """
    for part in text.split(","):
        if not part.strip():
            continue
        rate, *end = part.split(":")
        if not end or int(end[0]) == -1 or step < int(end[0]):
            return float(rate)
    raise AssertionError("A1111 would have stopped here")


@pytest.mark.parametrize(
    ("text", "total"),
    [
        ("0.005", 30),
        ("5e-3", 30),
        (" 0.005 ", 30),
        ("0.05:10, 0.02:20, 0.01", 30),
        ("0.05:10,0.02:20,0.01:-1", 30),
        ("0.05:10, 0.02:20, 0.01:30", 30),
        ("0.05:10, 0.02:20, 0.01:5000", 30),
        ("0.05 : 10 , 0.02: 20 ,0.01 : -1", 30),
        ("0.05:10,, 0.02:20, ,0.01,", 30),
        ("0.05:1, 0.02:2, 1e-3", 3),
        ("0.05:-1", 30),
        ("0.05:100", 30),
    ],
)
def test_the_rate_of_every_step_is_a1111s(text: str, total: int) -> None:
    schedule = parse_schedule("Learning rate", text, total)
    assert [schedule.at(step) for step in range(total)] == [a1111_rate(text, step) for step in range(total)]


@settings(deadline=None, max_examples=40)
@given(
    ends=st.sets(st.integers(1, 60), max_size=5),
    rates=st.lists(st.floats(1e-8, 10.0), min_size=6, max_size=6),
    last=st.sampled_from(["", ":-1", ":60"]),
)
def test_any_rising_schedule_is_read_as_a1111_reads_it(ends: set[int], rates: list[float], last: str) -> None:
    parts = [f"{rate!r}:{end}" for rate, end in zip(rates, sorted(ends - {60}), strict=False)]
    text = ", ".join([*parts, f"{rates[-1]!r}{last}"])
    schedule = parse_schedule("Learning rate", text, 60)
    assert [schedule.at(step) for step in range(60)] == [a1111_rate(text, step) for step in range(60)]


@pytest.mark.parametrize(
    ("text", "total", "same_as"),
    [
        ("0.005:50%, 0.001", 10, "0.005:5, 0.001"),
        ("0.005:50%, 0.001", 300, "0.005:150, 0.001"),
        ("0.1:10%, 0.05:60%, 0.01:100%", 200, "0.1:20, 0.05:120, 0.01:200"),
        ("0.1:2.5%, 0.01", 200, "0.1:5, 0.01"),
        ("0.1:10, 0.05:50%, 0.01", 100, "0.1:10, 0.05:50, 0.01"),
        ("0.1:0.1%, 0.01", 100, "0.1:1, 0.01"),
    ],
)
def test_shares_of_the_run_become_steps(text: str, total: int, same_as: str) -> None:
    schedule = parse_schedule("Learning rate", text, total)
    assert [schedule.at(step) for step in range(total)] == [a1111_rate(same_as, step) for step in range(total)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("abc", "'abc' is not a number"),
        ("", "is empty"),
        (" , ,", "is empty"),
        ("0", "0 must be greater than 0"),
        ("-0.1", "-0.1 must be greater than 0"),
        ("nan", "nan must be greater than 0"),
        ("inf", "inf must be greater than 0"),
        ("0.1:10, 0.05:20", "ends at step 20, but the run has 100"),
        ("0.1:20, 0.05:10, 0.01", "'0.05:10' ends at step 10, not after the part before it (step 20)"),
        ("0.1:20, 0.05:20, 0.01", "'0.05:20' ends at step 20, not after"),
        ("0.1, 0.05:20", "'0.05:20' ends at step 20, not after"),
        ("0.1:-1, 0.05", "'0.05' ends at step"),
        ("0.1:0%, 0.05", "0% is not a share of the run"),
        ("0.1:150%", "150% is not a share of the run"),
        ("0.1:-5%", "-5% is not a share of the run"),
        ("0.1:nan%", "nan% is not a share of the run"),
        ("0.1:50%", "ends at step 50, but the run has 100"),
        ("0.1:0, 0.05", "step 0 must be greater than 0"),
        ("0.1:-7, 0.05", "step -7 must be greater than 0"),
        ("0.1:1.5, 0.05", "'1.5' is not a step"),
        ("0.1:, 0.05", "'' is not a step"),
        ("0.1:10:20, 0.05", "'10:20' is not a step"),
        ("0.1:ten, 0.05", "'ten' is not a step"),
        (":10, 0.05", "'' is not a number"),
        ("0.1;0.05", "'0.1;0.05' is not a number"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, told: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_schedule("Learning rate", text, 100)
    assert str(caught.value).startswith("Learning rate")
    assert told in str(caught.value)
    assert schedule_problems("Learning rate", text, 100) == [str(caught.value)]


@pytest.mark.parametrize("text", ["0.1:10, 0.05:20", "0.005:50%, 0.001:2000, 0.0005", "0.1:10000, 0.05:10%, 0.01"])
def test_what_depends_on_the_length_is_not_judged_before_it_is_known(text: str) -> None:
    assert schedule_problems("Learning rate", text, 0) == []


@pytest.mark.parametrize("text", ["abc", "0.1:20, 0.05:10", "0.1:200%"])
def test_what_is_wrong_for_any_length_is_found_before_it_is_known(text: str) -> None:
    assert len(schedule_problems("Learning rate", text, 0)) == 1


def test_the_advice_of_a_schedule_that_ends_too_soon_works() -> None:
    (problem,) = schedule_problems("Learning rate", "0.1:10, 0.05:20", 100)
    advice = problem.split("such as '")[1].split("'")[0]
    assert schedule_problems("Learning rate", advice, 100) == []
