"""From what the service returns or raises to what is sent."""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from fastapi import HTTPException

from train_gamma.captions.store import ConflictError, StaleError
from train_gamma.errors import UserError
from train_gamma.jobs import BusyError
from train_gamma.service.dataset_kohya import ExistsError
from train_gamma.service.open_dataset import UnsavedError
from train_gamma.service.places import ForbiddenError, UnknownError

P = ParamSpec("P")
R = TypeVar("R")

STATUS = {ForbiddenError: 403, UnknownError: 404}
BAD_REQUEST, CONFLICT = 422, 409
REASONS = {
    BusyError: "busy",
    StaleError: "stale",
    ConflictError: "conflict",
    UnsavedError: "unsaved",
    ExistsError: "exists",
}
"""Why something cannot be done now, for programs."""
REASON_HEADER = "X-Train-Gamma-Reason"


def answering(route: Callable[P, R]) -> Callable[P, R]:
    """A route whose ``UserError`` is answered with its text: 422, or 403, 404 and 409 where those say more.

    The header ``X-Train-Gamma-Reason`` of a 409 tells which of ``REASONS`` it is.
    """

    @functools.wraps(route)
    def answered(*arguments: P.args, **keywords: P.kwargs) -> R:
        try:
            return route(*arguments, **keywords)
        except UserError as error:
            reason = REASONS.get(type(error))
            status = STATUS.get(type(error), BAD_REQUEST) if reason is None else CONFLICT
            headers = None if reason is None else {REASON_HEADER: reason}
            raise HTTPException(status, str(error), headers) from error

    return answered


def plain(value: Any) -> Any:
    """The value as JSON has it: dataclasses become objects, paths texts, and what is not finite null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {_text(str(key)): plain(content) for key, content in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (Path, str)):
        return _text(str(value))
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _text(text: str) -> str:
    """What UTF-8 can hold of a text: a file name may have bytes that are no characters."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
