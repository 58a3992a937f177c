"""The lists that say what the outputs of a tagger mean: one label for each column, in their order."""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from train_gamma.dataset.text_files import read_text
from train_gamma.errors import UserError
from train_gamma.tagging.interrogator import GENERAL, Label

DANBOORU: Mapping[str, str] = {
    "0": "general",
    "1": "artist",
    "3": "copyright",
    "4": "character",
    "5": "meta",
    "9": "rating",
    "10": "year",
}
"""Names of the numbers in the column "category"."""

E621: Mapping[str, str] = {
    "0": "general",
    "1": "artist",
    "3": "copyright",
    "4": "character",
    "5": "species",
    "6": "invalid",
    "7": "meta",
    "8": "lore",
    "9": "rating",
}
"""The same for models that were trained on e621."""

SCHEMES = {"danbooru": DANBOORU, "e621": E621}


def read_labels(path: Path, form: str, categories: Mapping[str, str]) -> list[Label]:
    """Read the list of a tagger.

    Args:
        path: the file.
        form: a key of ``FORMS``.
        categories: names for what the file calls a category; one that is not in it keeps its own.

    Raises:
        UserError: if the file cannot be read, or is not of this form.
    """
    labels = FORMS[form](path, read_text(path), categories)
    if not labels:
        raise UserError(f"'{path}' names no tags. Download it again, or put the model's own list there.")
    return labels


def _csv(path: Path, text: str, categories: Mapping[str, str]) -> list[Label]:
    """A table with the columns name and, if it has them, category and count, as the WD taggers have it."""
    rows = [row for row in csv.reader(StringIO(text, newline="")) if any(cell.strip() for cell in row)]
    columns = {name.strip().lower(): index for index, name in enumerate(rows[0])} if rows else {}
    if "name" not in columns:
        raise UserError(
            f"'{path}' has no column 'name' in its first line. A list of tags begins with a line such as "
            "tag_id,name,category,count. Download it again."
        )
    return [_row(path, number, row, columns, categories) for number, row in enumerate(rows[1:], start=2)]


def _row(
    path: Path, number: int, row: Sequence[str], columns: Mapping[str, int], categories: Mapping[str, str]
) -> Label:
    def cell(column: str) -> str:
        index = columns.get(column, len(row))
        return row[index].strip() if index < len(row) else ""

    name = cell("name")
    if not name:
        raise UserError(f"'{path}', entry {number}, has no name. Download the file again.")
    return Label(name, _category(cell("category"), categories), _count(cell("count")))


def _category(text: str, categories: Mapping[str, str]) -> str:
    if not text:
        return GENERAL
    number = text[:-2] if text.endswith(".0") else text  # tables that went through a spreadsheet
    return categories.get(number, number.lower())


def _count(text: str) -> int:
    try:
        return max(0, int(float(text)))
    except (ValueError, OverflowError):
        return 0


def _lines(_path: Path, text: str, _categories: Mapping[str, str]) -> list[Label]:
    """A tag on every line, as JoyTag has it."""
    return [Label(line.strip(), GENERAL) for line in text.splitlines() if line.strip()]


def _mapping(path: Path, text: str, categories: Mapping[str, str]) -> list[Label]:
    """JSON: {"0": {"tag": ..., "category": ...}}, as cl_tagger has it."""
    content = _json(path, text)
    if not isinstance(content, dict) or not all(
        isinstance(value, dict) and "tag" in value for value in content.values()
    ):
        raise UserError(f'\'{path}\' is not of the form {{"0": {{"tag": ..., "category": ...}}}}. Download it again.')
    return [
        Label(str(content[key]["tag"]), _category(str(content[key].get("category", "")), categories))
        for key in _in_order(path, content)
    ]


def _metadata(path: Path, text: str, categories: Mapping[str, str]) -> list[Label]:
    """JSON with idx_to_tag and tag_to_category, as Camie has it, at the top or in dataset_info.tag_mapping."""
    content = _json(path, text)
    for key in ("dataset_info", "tag_mapping"):
        content = content.get(key, content) if isinstance(content, dict) else content
    tags = content.get("idx_to_tag") if isinstance(content, dict) else None
    kinds = content.get("tag_to_category", {}) if isinstance(content, dict) else {}
    if not isinstance(tags, dict) or not isinstance(kinds, dict):
        raise UserError(f"'{path}' has no 'idx_to_tag' and 'tag_to_category'. Download it again.")
    return [
        Label(str(tags[key]), _category(str(kinds.get(tags[key], "")), categories)) for key in _in_order(path, tags)
    ]


def _in_order(path: Path, content: Mapping[str, Any]) -> list[str]:
    keys = sorted(content, key=lambda key: int(key) if key.isdecimal() else -1)
    if keys != [str(index) for index in range(len(keys))]:
        raise UserError(f"'{path}' does not number its tags 0, 1, 2 and so on without gaps. Download it again.")
    return keys


def _json(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UserError(f"'{path}' is not JSON ({error}). Download it again.") from error


FORMS: Mapping[str, Callable[[Path, str, Mapping[str, str]], list[Label]]] = {
    "csv": _csv,
    "lines": _lines,
    "mapping": _mapping,
    "metadata": _metadata,
}
"""The forms of such lists."""
