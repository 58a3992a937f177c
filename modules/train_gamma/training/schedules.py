"""Learning rates by step, in A1111's syntax and with fractions of the run.

``0.05:10, 0.02:20, 0.01`` is 0.05 for the first 10 steps, 0.02 up to step 20 and 0.01 from then on; ``0.01:-1`` lasts
to the end of the run. ``0.005:50%, 0.001`` changes in the middle, however long the run is.
"""

import bisect
import math
from dataclasses import dataclass

from train_gamma.errors import UserError


@dataclass(frozen=True, slots=True)
class Schedule:
    """A piecewise constant value: ``values[i]`` holds until ``ends[i]`` steps are done."""

    values: tuple[float, ...]
    ends: tuple[int, ...]

    def at(self, step: int) -> float:
        """The value for the step that follows ``step`` finished ones (0 for the first)."""
        return self.values[min(bisect.bisect_right(self.ends, step), len(self.values) - 1)]


def parse_schedule(label: str, text: str, total_steps: int) -> Schedule:
    """Read a schedule for a run of ``total_steps`` steps.

    Args:
        label: the name of the setting, for messages.
        text: a number, or ``value:until`` pairs separated by commas; ``until`` counts steps, or is a share of the run
            in percent, or -1 for the end.
        total_steps: steps in all.

    Raises:
        UserError: if the text cannot be read, the ends do not rise, or the last one comes before the run is over.
    """
    pairs = [part.strip() for part in str(text).split(",") if part.strip()]
    if not pairs:
        raise UserError(f"{label} is empty. Give a number such as 0.005, or a schedule such as 0.005:500, 0.001.")
    values: list[float] = []
    ends: list[int] = []
    for pair in pairs:
        value, _, until = pair.partition(":")
        values.append(_number(label, text, value))
        ends.append(_end(label, text, until.strip() if ":" in pair else "-1", total_steps))
        known = total_steps or "%" not in text  # shares and steps cannot be compared before
        if known and len(ends) > 1 and ends[-1] <= ends[-2]:
            raise UserError(
                f"{label} '{text}': '{pair}' ends at step {ends[-1]}, not after the part before it (step {ends[-2]}). "
                "Put the parts in the order of their steps; only the last may be without one."
            )
    if ends[-1] < total_steps:
        raise UserError(
            f"{label} '{text}' ends at step {ends[-1]}, but the run has {total_steps}. "
            f"Add a last value without a step, such as '{text}, {values[-1]:g}', or lower Max steps to {ends[-1]}."
        )
    return Schedule(tuple(values), tuple(ends))


def schedule_problems(label: str, text: str, total_steps: int) -> list[str]:
    """What is wrong with a schedule, as a list of sentences; empty when nothing is.

    With ``total_steps`` 0 (the length is not known yet) only what is wrong for any length is reported.
    """
    try:
        parse_schedule(label, text, total_steps)
    except UserError as error:
        return [str(error)]
    return []


def _number(label: str, text: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        raise UserError(
            f"{label} '{text}': '{value.strip()}' is not a number. Write it like 0.005, 5e-3 or 0.005:500, 0.001."
        ) from None
    if not (math.isfinite(number) and number > 0):
        raise UserError(f"{label} '{text}': {value.strip()} must be greater than 0. Try 0.005.")
    return number


def _end(label: str, text: str, until: str, total_steps: int) -> int:
    try:
        if until.endswith("%"):
            share = float(until[:-1])
            if not 0 < share <= 100:
                raise UserError(
                    f"{label} '{text}': {until} is not a share of the run. Use more than 0% and at most 100%."
                )
            return max(1, round(total_steps * share / 100)) if total_steps else round(share * 1000)
        end = int(until)
    except ValueError:
        raise UserError(
            f"{label} '{text}': '{until}' is not a step. After the colon comes a whole number, a percentage or -1."
        ) from None
    if end == -1:
        return max(total_steps, 2**31)
    if end <= 0:
        raise UserError(f"{label} '{text}': step {end} must be greater than 0, or -1 for the end of the run.")
    return end
