"""From what the service returns or raises to what is sent."""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from fastapi import HTTPException

from train_gamma.errors import UserError
from train_gamma.jobs import BusyError
from train_gamma.service.places import ForbiddenError, UnknownError

P = ParamSpec("P")
R = TypeVar("R")

STATUS = {BusyError: 409, ForbiddenError: 403, UnknownError: 404}
BAD_REQUEST = 422


def answering(route: Callable[P, R]) -> Callable[P, R]:
    """A route whose ``UserError`` is answered with its text: 422, or 403, 404 and 409 where those say more."""

    @functools.wraps(route)
    def answered(*arguments: P.args, **keywords: P.kwargs) -> R:
        try:
            return route(*arguments, **keywords)
        except UserError as error:
            raise HTTPException(STATUS.get(type(error), BAD_REQUEST), str(error)) from error

    return answered


def plain(value: Any) -> Any:
    """The value as JSON has it: dataclasses become objects, paths texts, and what is not finite null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(content) for key, content in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
