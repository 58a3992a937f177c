"""What was done to the captions, so that it can be taken back and done again."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from train_gamma.captions.words import Words

STEPS = 100
"""How many steps are kept."""


@dataclass(frozen=True, slots=True)
class Step:
    """One change: the captions before and after, by picture, under the name of what was done."""

    label: str
    old: Mapping[int, Words]
    new: Mapping[int, Words]


class History:
    """The steps that can be undone and redone. Its owner changes it from one thread at a time; labels any may read."""

    def __init__(self, steps: int = STEPS) -> None:
        self._done: deque[Step] = deque(maxlen=steps)
        self._undone: list[Step] = []

    @property
    def undo_label(self) -> str | None:
        """What would be undone next, None when there is nothing."""
        return _last_label(self._done)

    @property
    def redo_label(self) -> str | None:
        """What would be redone next, None when there is nothing."""
        return _last_label(self._undone)

    def push(self, step: Step) -> None:
        """Remember a step that was done. What was undone is forgotten, and the oldest when there are too many."""
        self._done.append(step)
        self._undone.clear()

    def undo(self) -> Step | None:
        """The step to take back, which can be redone from now on."""
        if not self._done:
            return None
        step = self._done.pop()
        self._undone.append(step)
        return step

    def redo(self) -> Step | None:
        """The step to do again, which can be undone from now on."""
        if not self._undone:
            return None
        step = self._undone.pop()
        self._done.append(step)
        return step


def _last_label(steps: Sequence[Step]) -> str | None:
    try:
        return steps[-1].label
    except IndexError:  # another thread may have taken it in this moment
        return None
