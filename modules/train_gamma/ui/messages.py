"""What handlers say, as HTML: every value is escaped, every sentence is a text node of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

WORDS = {"error": "Error", "warning": "Warning", "note": "Note"}
KIB = 1024


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A sentence in the shape of a finding."""

    level: str
    message: str
    fix: str = ""


def problem(text: str) -> str:
    """A message that something was not done, and why."""
    return _box("error", text, role="alert", word="Error")


def done(text: str) -> str:
    """A message that something was done."""
    return _box("done", text)


def note(text: str) -> str:
    """A message that is good to know."""
    return _box("note", text)


def quiet(text: str) -> str:
    """A line in the background."""
    return f'<p class="tg-quiet">{_lines(text)}</p>'


def heading(text: str) -> str:
    """A heading inside a group."""
    return f'<h4 class="tg-heading">{escape(text)}</h4>'


def findings(found: Sequence[Any]) -> str:
    """The findings of a check, each with its level as a word and its fix; "" when there are none."""
    items = [
        f'<li class="tg-{escape(finding.level)}"><strong>{WORDS[finding.level]}</strong> '
        f"<span>{escape(finding.message)}</span> <span>{escape(finding.fix)}</span></li>"
        for finding in found
    ]
    return f'<ul class="tg-findings">{"".join(items)}</ul>' if items else ""


def report(found: Sequence[Any]) -> str:
    """The report before the start: whether it can begin, then all findings."""
    errors = sum(finding.level == "error" for finding in found)
    warnings = sum(finding.level == "warning" for finding in found)
    if errors:
        head = _box("error", f"Not ready: {_counted(errors, 'problem')} to solve first.", role="alert")
    elif warnings:
        head = _box("warning", f"Ready, with {_counted(warnings, 'warning')}.")
    else:
        head = _box("done", "Ready to train.")
    return head + findings(found)


def chips(start: Any) -> str:
    """The tokens of a start: those that become vectors, and those there is no room for struck through."""
    words = "".join(
        f'<li class="tg-chip">{escape(text)}</li>'
        if kept
        else f'<li class="tg-chip tg-dropped"><del>{escape(text)}</del></li>'
        for text, kept in start.tokens
    )
    listed = f'<ul class="tg-chips" aria-label="Tokens of the initialization text">{words}</ul>' if words else ""
    told = f'<p class="tg-quiet">{escape(start.summary)}</p>' if start.summary else ""
    return listed + told + (problem(start.problem) if start.problem else "")


def derived(numbers: Any) -> str:
    """The numbers that follow from the settings and the pictures."""
    facts = [
        ("Pictures", f"{numbers.num_pictures:,}"),
        ("Pictures per step", f"{numbers.pictures_per_step:,}"),
        ("Steps", f"{numbers.total_steps:,}"),
        ("Epochs", f"{numbers.epochs:,.1f}"),
        ("Time", "known after the first run" if numbers.seconds is None else duration(numbers.seconds)),
        ("File size", size(numbers.file_bytes)),
    ]
    rows = "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in facts)
    return f'<dl class="tg-facts">{rows}</dl>'


def model(loaded: Any) -> str:
    """The model that is trained on now, what keeps it from that, and what is reset for a run."""
    if not loaded.title:
        return quiet("No model is loaded yet.") + _listed("error", loaded.problems)
    told = [
        ("Checkpoint", loaded.title),
        ("VAE", loaded.vae or "the checkpoint's own"),
        ("Clip skip", loaded.clip_skip),
    ]
    rows = "".join(f"<div><dt>{name}</dt><dd>{escape(str(value))}</dd></div>" for name, value in told)
    return f'<dl class="tg-facts">{rows}</dl>' + _listed("error", loaded.problems) + _listed("note", loaded.notes)


def duration(seconds: float) -> str:
    """Seconds as people say them: "45 s", "3 min 20 s", "2 h 5 min"."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def size(num_bytes: int) -> str:
    """Bytes with a unit."""
    if num_bytes < KIB:
        return f"{num_bytes} B"
    return f"{num_bytes / KIB:.1f} KiB" if num_bytes < KIB**2 else f"{num_bytes / KIB**2:.1f} MiB"


def _listed(level: str, sentences: Sequence[str]) -> str:
    return findings([_Sentence(level, sentence) for sentence in sentences])


def _box(kind: str, text: str, role: str = "status", word: str = "") -> str:
    head = f"<strong>{word}</strong>" if word else ""
    return f'<div class="tg-message tg-{kind}" role="{role}">{head}{_paragraphs(text)}</div>'


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{escape(line.removeprefix('- '))}</p>" for line in text.split("\n") if line.strip())


def _lines(text: str) -> str:
    return "<br>".join(escape(line.removeprefix("- ")) for line in text.split("\n"))


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
