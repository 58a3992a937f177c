"""Pieces of HTML of which the Dataset tab is made. The script finds them by ``data-ds``, buttons by ``data-ds-do``."""

from collections.abc import Mapping
from html import escape


def button(text: str, do: str, primary: bool = False, **attributes: str | bool) -> str:
    """A button; ``do`` names what the script does when it is pressed."""
    look = ' class="tg-primary"' if primary else ""
    return f'<button type="button" data-ds-do="{escape(do)}"{look}{_written(attributes)}>{escape(text)}</button>'


def entry(name: str, label: str, kind: str = "text", **attributes: str | bool) -> str:
    """A field of one line with its label."""
    return (
        f'<label class="tg-ds-field">{escape(label)}'
        f'<input type="{kind}" data-ds="{name}" autocomplete="off" spellcheck="false"{_written(attributes)}></label>'
    )


def area(name: str, label: str, rows: int = 3) -> str:
    """A field of several lines with its label."""
    return (
        f'<label class="tg-ds-field">{escape(label)}'
        f'<textarea data-ds="{name}" rows="{rows}" spellcheck="false"></textarea></label>'
    )


def tick(name: str, label: str, checked: bool = False, **attributes: str | bool) -> str:
    """A box to tick with its label."""
    mark = " checked" if checked else ""
    return (
        f'<label class="tg-ds-tick"><input type="checkbox" data-ds="{name}"{mark}{_written(attributes)}>'
        f"<span>{escape(label)}</span></label>"
    )


def choice(name: str, label: str, options: Mapping[str, str]) -> str:
    """A list to choose from; ``options`` are the texts by their values."""
    items = "".join(f'<option value="{escape(value)}">{escape(text)}</option>' for value, text in options.items())
    return f'<label class="tg-ds-field">{escape(label)}<select data-ds="{name}">{items}</select></label>'


def row(*pieces: str) -> str:
    """Pieces side by side."""
    return f'<div class="tg-ds-row">{"".join(pieces)}</div>'


def hint(text: str) -> str:
    """A sentence in the background."""
    return f'<p class="tg-quiet">{escape(text)}</p>'


def told(name: str) -> str:
    """Where the script says something; it is read out when it changes."""
    return f'<p class="tg-ds-told" data-ds="{name}" role="status" aria-live="polite"></p>'


def folded(title: str, *pieces: str, name: str = "", is_open: bool = False) -> str:
    """Pieces that are shown when their title is pressed."""
    known = f' data-ds="{name}"' if name else ""
    shown = " open" if is_open else ""
    return (
        f'<details class="tg-ds-folded"{known}{shown}><summary>{escape(title)}</summary>'
        f"<div>{''.join(pieces)}</div></details>"
    )


def _written(attributes: Mapping[str, str | bool]) -> str:
    found = ((name.rstrip("_").replace("_", "-"), value) for name, value in attributes.items() if value is not False)
    return "".join(f" {name}" if value is True else f' {name}="{escape(str(value))}"' for name, value in found)
