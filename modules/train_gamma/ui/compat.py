"""One way to attach a handler under gradio 3.41 (AUTOMATIC1111, reForge) and 4.40 (Forge)."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Literal

import gradio as gr

Handler = Callable[..., Any]

REFRESH = "() => train_gamma.refresh()"
"""Asks for the live answers anew, after a handler has filled fields."""
LOOK = "() => train_gamma.look()"
"""Looks for a job at once instead of in a second."""
LOOK_UP = "() => train_gamma.lookUp()"
"""Asks for what there is to choose from, and for what follows from the tagger's form."""


def refresh(form: str) -> str:
    """JavaScript that asks for the live answers to a form anew, after a handler has filled fields of it."""
    return f"() => train_gamma.refresh('{form}')"


def opened(form: str) -> str:
    """JavaScript that says that a form of a page that was just opened holds what it held last."""
    return f"() => train_gamma.opened('{form}')"


def answered(form: str) -> str:
    """JavaScript that says that the live answers to a form are shown."""
    return f"() => train_gamma.answered('{form}')"


def settled(name: str) -> str:
    """JavaScript that lets a value through when it has stayed for a moment, so that half a word does nothing."""
    return f"(value) => train_gamma.settled('{name}', value)"


def on(
    event: Any,
    handler: Handler | None,
    inputs: Sequence[Any] = (),
    outputs: Sequence[Any] = (),
    *,
    js: str = "",
    live: bool | Literal["once"] = False,
) -> Any:
    """Attach ``handler`` to an event of a component, such as ``button.click``.

    Args:
        event: the component's event, or ``then`` of what this function returned.
        handler: gets the values of ``inputs``; None when only ``js`` is to run.
        inputs: components.
        outputs: components.
        js: JavaScript that runs in the page first; its argument is called ``_js`` in gradio 3 and ``js`` in 4.
        live: for answers while somebody types: no sign of work, and the latest request is never dropped, but with
            "once", where what is requested while an answer is under way is dropped.

    Returns:
        What the event returns, on which ``then`` can be called.
    """
    known = inspect.signature(event).parameters
    extra: dict[str, Any] = {"js" if "js" in known else "_js": js} if js else {}
    if live and "trigger_mode" in known:
        extra["trigger_mode"] = "once" if live == "once" else "always_last"
    return event(
        fn=handler,
        inputs=list(inputs),
        outputs=list(outputs),
        show_progress="hidden" if live or handler is None else "minimal",
        api_name=False,
        **extra,
    )


def picture_input(**common: Any) -> Any:
    """A field that takes a picture from a file, as an RGBA ``PIL.Image``."""
    new = "sources" in inspect.signature(gr.Image).parameters
    extra: dict[str, Any] = {"sources": ["upload", "clipboard"]} if new else {"source": "upload"}
    return gr.Image(type="pil", image_mode="RGBA", **extra, **common)
