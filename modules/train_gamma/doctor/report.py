"""The examination as a page and as markdown, to be read without the program."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Protocol

from train_gamma import atomic
from train_gamma.doctor.examine import Examination
from train_gamma.doctor.findings import LEVELS, Level
from train_gamma.doctor.material import Subject

HTML_NAME, MARKDOWN_NAME = "report.html", "report.md"

_TITLES = {"error": "Errors", "warning": "Warnings", "note": "Notes"}
_COLUMNS = ("Picture", "Size", "Bucket", "Cut off", "Stored as", "Caption", "Tags", "Findings")
_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
h2 { margin-top: 2rem; }
li { margin: 0.4rem 0; overflow-wrap: anywhere; }
.error { border-left: 4px solid #d33; } .warning { border-left: 4px solid #d90; } .note { border-left: 4px solid #69c; }
.findings { list-style: none; padding: 0; } .findings li { padding: 0.2rem 0.8rem; }
.fix { opacity: 0.8; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; } th, td { border: 1px solid #8886; padding: 0.2rem 0.6rem; text-align: left; }
"""
_SPECIAL_IN_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#~])")


class Told(Protocol):
    """A finding of any check."""

    @property
    def level(self) -> Level:
        """How grave it is."""

    @property
    def message(self) -> str:
        """What is wrong."""

    @property
    def fix(self) -> str:
        """What to do."""


def write_report(examination: Examination, folder: Path, others: Sequence[Told] = ()) -> None:
    """Write ``report.html`` and ``report.md`` into a folder.

    Args:
        examination: what was found.
        folder: where to.
        others: findings about what is not in the dataset: the name, the settings of a run.
    """
    atomic.write_text(folder / HTML_NAME, html_report(examination, others))
    atomic.write_text(folder / MARKDOWN_NAME, markdown_report(examination, others))


def html_report(examination: Examination, others: Sequence[Told] = ()) -> str:
    """The report as a page that needs nothing else."""
    title = escape(_title(examination))
    parts = [f"<h1>{title}</h1>", f"<p>{escape(_summary(examination))}</p>"]
    told = _sorted((*examination.findings, *others))
    items = "".join(
        f'<li class="{finding.level}"><strong>{_TITLES[finding.level][:-1]}:</strong> {escape(finding.message)} '
        f'<span class="fix">{escape(finding.fix)}</span></li>'
        for finding in told
    )
    parts.append(f'<h2>Findings</h2><ul class="findings">{items}</ul>' if told else "<p>Nothing was found.</p>")
    for heading, columns, rows in _tables(examination):
        head = "".join(f"<th>{escape(column)}</th>" for column in columns)
        body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
        table = f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        parts.append(f"<h2>{escape(heading)}</h2>{table}")
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    body = "\n".join(parts)
    return _printable(
        f'<!DOCTYPE html>\n<html lang="en"><head>{head}<style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n'
    )


def markdown_report(examination: Examination, others: Sequence[Told] = ()) -> str:
    """The report as markdown."""
    lines = [f"# {_in_markdown(_title(examination))}", "", _in_markdown(_summary(examination))]
    told = _sorted((*examination.findings, *others))
    for level in LEVELS:
        of_level = [finding for finding in told if finding.level == level]
        if of_level:
            lines += ["", f"## {_TITLES[level]}", ""]
            lines += [f"- {_in_markdown(f'{finding.message} {finding.fix}'.strip())}" for finding in of_level]
    if not told:
        lines += ["", "Nothing was found."]
    for heading, columns, rows in _tables(examination):
        lines += ["", f"## {heading}", "", _row(columns), _row(["---"] * len(columns), raw=True), *map(_row, rows)]
    return _printable("\n".join(lines) + "\n")


def _printable(text: str) -> str:
    """What UTF-8 can hold of a text: a file name may have bytes that are no characters."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _title(examination: Examination) -> str:
    return f"Dataset '{examination.material.folder.name}'"


def _summary(examination: Examination) -> str:
    material = examination.material
    counts = Counter(finding.level for finding in examination.findings)
    found = ", ".join(f"{counts[level]} {_TITLES[level].lower()}" for level in LEVELS)
    captions = f"{len(material.with_words)} with a caption"
    trained = f"trained at {material.config.width} x {material.config.height}"
    early = " The examination was stopped early." if examination.stopped else ""
    return f"{len(material.subjects)} pictures, {captions}, {trained}; about them: {found}.{early}"


_Table = tuple[str, Sequence[str], list[Sequence[str]]]


def _tables(examination: Examination) -> Iterable[_Table]:
    """The tables that have rows: heading, columns, rows."""
    material, coverage = examination.material, examination.coverage
    names = {subject.path: subject.name for subject in material.subjects}
    pairs = [(names[pair.one], names[pair.other], pair.kind, str(pair.bits)) for pair in examination.pairs]
    shown = {**coverage.framing, **coverage.angle, "several people": coverage.people, "no face": coverage.no_face}
    shares = [(name, str(count), f"{count / coverage.captioned:.0%}") for name, count in shown.items() if count]
    buckets = Counter(subject.fit.bucket for subject in material.subjects if subject.fit is not None)
    filled = [(f"{bucket.width} x {bucket.height}", str(buckets[bucket])) for bucket in sorted(buckets)]
    kinds = examination.kinds_by_picture()
    pictures = [_picture(subject, list(dict.fromkeys(kinds.get(subject.path, [])))) for subject in material.subjects]
    tables: list[_Table] = [
        ("Pictures that are there twice", ("One", "Other", "How", "Bits that differ"), list(pairs)),
        ("What the tags say is shown", ("What", "Pictures", "Share"), list(shares)),
        ("Buckets", ("Bucket", "Pictures"), list(filled)),
        ("Pictures", _COLUMNS, list(pictures)),
    ]
    return (table for table in tables if table[2])


def _picture(subject: Subject, kinds: Sequence[str]) -> Sequence[str]:
    facts, fit = subject.facts, subject.fit
    size = stored = bucket = lost = ""
    if facts is not None:
        size, stored = f"{facts.size[0]} x {facts.size[1]}", f"{facts.format} {facts.mode}"
    if fit is not None:
        bucket, lost = f"{fit.bucket.width} x {fit.bucket.height}", f"{fit.lost:.1%}"
    source = subject.caption.path.name if subject.caption.path else subject.caption.source
    return subject.name, size, bucket, lost, stored, source, str(len(subject.tags)), ", ".join(kinds)


def _sorted(findings: Iterable[Told]) -> list[Told]:
    return sorted(findings, key=lambda finding: LEVELS.index(finding.level))


def _row(cells: Sequence[str], raw: bool = False) -> str:
    return f"| {' | '.join(cell if raw else _in_markdown(cell) for cell in cells)} |"


def _in_markdown(text: str) -> str:
    return _SPECIAL_IN_MARKDOWN.sub(r"\\\1", " ".join(text.split()))
