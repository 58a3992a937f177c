"""Handlers that answer a mistake with a sentence, and a bug with a sentence and a traceback in the log."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from train_gamma.errors import UserError
from train_gamma.ui import messages

_LOG = logging.getLogger("train_gamma")
INTERNAL = "Internal error, which is not your fault. The log of the program says more; please report it."


def guarded(handler: Callable[..., Any], num_outputs: int) -> Callable[..., Any]:
    """Wrap a handler so that it never ends in a traceback.

    Args:
        handler: returns a list: the message (the first output, a ``gr.HTML``), and updates of the other outputs. It may
            leave out updates at the end; those outputs stay as they are.
        num_outputs: how many outputs it has.
    """

    def run(*values: Any) -> Any:
        try:
            results: Sequence[Any] = handler(*values)
        except UserError as error:
            results = [messages.problem(str(error))]
        except Exception as error:
            _LOG.exception("A handler of the page failed")
            results = [messages.problem(f"{INTERNAL} ({type(error).__name__}: {error})")]
        padded = [*results, *[gr.update()] * (num_outputs - len(results))]
        return padded if num_outputs > 1 else padded[0]

    return run


def quietly(handler: Callable[..., Any], num_outputs: int) -> Callable[..., Any]:
    """Wrap a handler that nobody pressed a button for: when it fails, the page stays as it is and the log says why."""

    def run(*values: Any) -> Any:
        try:
            return handler(*values)
        except UserError as error:
            _LOG.warning("%s", error)
        except Exception:
            _LOG.exception("A live answer of the page failed")
        return [gr.update()] * num_outputs

    return run


def told(question: Callable[[], str]) -> str:
    """The answer to a question as HTML; a quiet line instead of it when there is none yet."""
    try:
        return question()
    except UserError as error:
        return messages.quiet(str(error))
    except Exception:
        _LOG.exception("A live answer of the page failed")
        return messages.quiet(INTERNAL)
