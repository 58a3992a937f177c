"""One way to ask about pictures, be it a tagger or a captioner: prepare each, ask about several at once."""

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import numpy as np
from PIL import Image

from train_gamma.dataset.pictures import parse_colour
from train_gamma.errors import UserError
from train_gamma.tagging.interrogator import Captioner, Interrogator
from train_gamma.tagging.rows import packed, row_of, unpacked

MOST_FAILURES = 3
"""A model that fails at so many pictures at its beginning would fail at all of them."""

ALONE: AbstractContextManager[Any] = nullcontext()
"""For a model that nobody else uses."""

log = logging.getLogger("train_gamma")


class Asker(Protocol):
    """A model that can be asked. ``prepare`` is called from several threads, ``ask`` from one."""

    @property
    def view(self) -> str:
        """What its answers depend on beside the picture file."""

    @property
    def at_once(self) -> int:
        """The most pictures to ask about at once."""

    def prepare(self, picture: Image.Image) -> Any:
        """One picture, RGB, 8 bits, upright, as the model takes it."""

    def stack(self, items: Sequence[Any]) -> Any:
        """Several prepared pictures of one shape, as ``ask`` takes them; slices of it are such again."""

    def ask(self, stacked: Any) -> Sequence[bytes | None]:
        """The answer to each, None where there is none."""

    def understands(self, answer: bytes) -> bool:
        """Whether something kept is an answer of this model."""


class TaggerAsker:
    """Asks a tagger. The answers are rows, see ``tagging.rows``."""

    def __init__(
        self,
        tagger: Interrogator,
        background: str,
        batch_size: int,
        turn: AbstractContextManager[Any] = ALONE,
    ) -> None:
        """``turn`` is entered around each call of the model, which others may use too."""
        self._tagger, self._turn = tagger, turn
        self.view = view_of(tagger.identity, background)
        self.at_once = min(batch_size, tagger.most_at_once or batch_size)
        self.prepare = tagger.prepare

    def stack(self, items: Sequence[Any]) -> Any:
        """See ``Asker``."""
        return np.stack(items)

    def ask(self, stacked: Any) -> list[bytes | None]:
        """See ``Asker``: None for probabilities that are not numbers."""
        with self._turn:
            probabilities = self._tagger.predict(stacked)
        rows = np.clip(probabilities, 0, 1)  # which leaves NaN as it is
        return [packed(row_of(row)) if np.isfinite(row).all() else None for row in rows]

    def understands(self, answer: bytes) -> bool:
        """See ``Asker``."""
        return unpacked(answer, len(self._tagger.labels)) is not None


class CaptionerAsker:
    """Asks a captioner. The answers are sentences, as UTF-8."""

    at_once = 1

    def __init__(self, captioner: Captioner, background: str, turn: AbstractContextManager[Any] = ALONE) -> None:
        """``turn`` is entered around each call of the model, which others may use too."""
        self._captioner, self._turn = captioner, turn
        self.view = view_of(captioner.identity, background)

    def prepare(self, picture: Image.Image) -> Image.Image:
        """See ``Asker``."""
        return picture

    def stack(self, items: Sequence[Any]) -> Any:
        """See ``Asker``."""
        return items

    def ask(self, stacked: Any) -> list[bytes | None]:
        """See ``Asker``."""
        with self._turn:
            sentences = [self._captioner.caption(picture) for picture in stacked]
        return [" ".join(sentence.split()).encode("utf-8") for sentence in sentences]

    def understands(self, answer: bytes) -> bool:
        """See ``Asker``."""
        return sentence_of(answer) is not None


def view_of(identity: str, background: str) -> str:
    """What answers depend on beside the picture file: the model, and what shows through transparency.

    Raises:
        UserError: if ``background`` is not a colour.
    """
    return f"{identity} on #{bytes(parse_colour(background)).hex()}"


def sentence_of(answer: bytes) -> str | None:
    """The sentence in an answer, None if it is none."""
    try:
        return answer.decode("utf-8")
    except UnicodeDecodeError:
        return None


class Patience:
    """Asks a model that may fail: at too many pictures at once, for which it is asked about fewer, or at some of them.

    Args:
        asker: the model.
    """

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self._most, self._failures, self._answered = asker.at_once, 0, False

    def ask(self, stacked: Any) -> list[bytes | str]:
        """The answer to each picture, or why there is none.

        Raises:
            Exception: what the model raised, if it fails at one picture after the other and at none before.
        """
        answers: list[bytes | str] = []
        while len(answers) < len(stacked):
            part = stacked[len(answers) : len(answers) + self._most]
            try:
                found = self._asker.ask(part)
            except Exception as error:
                if len(part) == 1:
                    answers.append(self._failed(error))
                    self._most = self._asker.at_once  # it was this picture, not their number
                    continue
                self._most = (len(part) + 1) // 2
                log.warning("The model failed at %d pictures at once (%s); trying %d.", len(part), error, self._most)
                continue
            self._answered = True
            answers += [NO_NUMBERS if answer is None else answer for answer in found]
        return answers

    def _failed(self, error: Exception) -> str:
        self._failures += 1
        if not self._answered and self._failures >= MOST_FAILURES:
            raise error
        if isinstance(error, UserError):
            return str(error)
        log.error("The model failed at a picture", exc_info=error)
        return f"The model failed at it: {type(error).__name__}: {error}"


NO_NUMBERS = "The model's probabilities for it are not numbers. Try another device, or another model."
