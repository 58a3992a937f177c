"""A contact sheet: the pictures of the dataset, then the previews, one row a step, one column a prompt."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageOps

from train_gamma.errors import UserError
from train_gamma.lettering import Font, drawable, find_font
from train_gamma.training.run_folder import RunFolder

INK, PAPER = "#202124", "#f6f5f2"
MARGIN = 12


@dataclass(frozen=True, slots=True)
class Row:
    """A row of pictures and what stands before it."""

    label: str
    pictures: tuple[Path, ...]


def preview_rows(folder: RunFolder) -> list[Row]:
    """The previews of a run by step.

    Raises:
        UserError: if there are none.
    """
    by_step: dict[int, list[Path]] = {}
    for path in sorted(folder.previews.glob("*.png")):
        match = re.fullmatch(r"(\d+)-(\d+)", path.stem)
        if match:
            by_step.setdefault(int(match[1]), []).append(path)
    if not by_step:
        raise UserError(f"The run in '{folder.path}' has no previews. Train with preview.every_n_steps above 0.")
    return [Row(f"step {step}", tuple(paths)) for step, paths in sorted(by_step.items())]


def contact_sheet(rows: Sequence[Row], headings: Sequence[str], title: str, cell: int = 192) -> Image.Image:
    """Draw the sheet.

    Args:
        rows: from top to bottom; rows may have different lengths.
        headings: over the columns, wrapped and cut to three lines.
        title: above everything.
        cell: side of the square in which each picture is centred, in pixels.
    """
    columns = max(len(row.pictures) for row in rows)
    letters = " ".join([title, *headings, *(row.label for row in rows)])
    font, small = find_font(16, letters), find_font(12, letters)
    left, top = 110, 40 + (54 if headings else 0)
    width = left + columns * (cell + MARGIN) + MARGIN
    height = top + len(rows) * (cell + MARGIN) + MARGIN
    sheet = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, MARGIN), drawable(title, font), INK, font=font)
    for column, heading in enumerate(headings[:columns]):
        text = _wrapped(pen, heading, cell, small, 3)
        pen.multiline_text((left + column * (cell + MARGIN), 38), text, INK, font=small, spacing=2)
    for r, row in enumerate(rows):
        y = top + r * (cell + MARGIN)
        pen.multiline_text(
            (MARGIN, y + cell // 2 - 8), _wrapped(pen, row.label, left - 2 * MARGIN, font, 3), INK, font=font
        )
        for c, path in enumerate(row.pictures):
            with Image.open(path) as picture:
                tile = ImageOps.contain(picture.convert("RGB"), (cell, cell), Image.Resampling.LANCZOS)
            x = left + c * (cell + MARGIN)
            sheet.paste(tile, (x + (cell - tile.width) // 2, y + (cell - tile.height) // 2))
    return sheet


def _wrapped(pen: ImageDraw.ImageDraw, text: str, width: int, font: Font, lines: int) -> str:
    out: list[str] = [""]
    for word in drawable(text, font).split():
        longer = f"{out[-1]} {word}".strip()
        if pen.textlength(longer, font=font) <= width or not out[-1]:
            out[-1] = longer
        else:
            out.append(word)
    if len(out) > lines:
        out = [*out[: lines - 1], out[lines - 1] + "..."]
    return "\n".join(out)
