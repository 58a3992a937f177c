"""The contact sheet, pixel by pixel where it matters."""

from pathlib import Path

import numpy
import pytest
from PIL import Image

from train_gamma.errors import UserError
from train_gamma.training.contact_sheet import MARGIN, Row, contact_sheet, preview_rows
from train_gamma.training.run_folder import RunFolder

CELL = 48


def paint(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (64, 64)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def boxes(sheet: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int] | None:
    """The smallest box around the pixels of a colour."""
    ys, xs = numpy.nonzero((numpy.asarray(sheet) == colour).all(axis=2))
    return (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1) if len(xs) else None


def count_colours(sheet: Image.Image, box: tuple[int, int, int, int]) -> int:
    """How many colours there are inside of ``box``."""
    return len(sheet.crop(box).getcolors(maxcolors=2**24) or [])


def colour_of(row: int, column: int) -> tuple[int, int, int]:
    return (40 + 50 * row, 40 + 30 * column, 200)


def test_every_picture_is_in_its_row_and_column(tmp_path: Path) -> None:
    rows = [
        Row(f"row {r}", tuple(paint(tmp_path / f"{r}-{c}.png", colour_of(r, c)) for c in range(columns)))
        for r, columns in enumerate((3, 2, 1))
    ]
    sheet = contact_sheet(rows, ["one", "two", "three"], "title", CELL)
    found = {(r, c): boxes(sheet, colour_of(r, c)) for r, row in enumerate(rows) for c in range(len(row.pictures))}
    assert all(box is not None for box in found.values())
    left, top = found[0, 0][:2]
    for (r, c), box in found.items():
        x, y = left + c * (CELL + MARGIN), top + r * (CELL + MARGIN)
        assert box == (x, y, x + CELL, y + CELL)
    assert sheet.width - found[0, 2][2] in (MARGIN, 2 * MARGIN)
    assert sheet.height - found[2, 0][3] in (MARGIN, 2 * MARGIN)


@pytest.mark.parametrize(("size", "tile"), [((64, 32), (48, 24)), ((32, 64), (24, 48)), ((200, 100), (48, 24))])
def test_a_picture_keeps_its_shape_and_stands_in_the_middle(
    size: tuple[int, int], tile: tuple[int, int], tmp_path: Path
) -> None:
    square, other = paint(tmp_path / "a.png", (1, 2, 3)), paint(tmp_path / "b.png", (200, 0, 0), size)
    sheet = contact_sheet([Row("", (square, other))], [], "", CELL)
    cell, box = boxes(sheet, (1, 2, 3)), boxes(sheet, (200, 0, 0))
    assert cell is not None
    assert box is not None
    assert (box[2] - box[0], box[3] - box[1]) == tile
    middle = ((box[0] + box[2]) / 2 - CELL - MARGIN, (box[1] + box[3]) / 2)
    assert middle == ((cell[0] + cell[2]) / 2, (cell[1] + cell[3]) / 2)


def test_titles_labels_and_headings_are_written_outside_the_pictures(tmp_path: Path) -> None:
    row = Row("step 100", (paint(tmp_path / "a.png", (1, 2, 3)),))
    long = "a heading of a great many words that has to be wrapped and then cut to three lines, and more, and more"
    plain, written = contact_sheet([Row("", row.pictures)], [""], "", CELL), contact_sheet([row], [long], "title", CELL)
    assert written.size == plain.size
    assert boxes(written, (1, 2, 3)) == boxes(plain, (1, 2, 3))
    for box in [(0, 0, plain.width, 36), (0, 94, 100, plain.height), (110, 36, plain.width, 94)]:
        assert count_colours(plain, box) == 1
        assert count_colours(written, box) > 1


def test_rows_are_the_steps_in_order_and_columns_the_prompts(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for step in (0, 50, 1_000_000, 1_000_050):
        for index in (0, 1):
            paint(folder.preview(step, index), (step % 256, index, 0))
    paint(folder.previews / "notes.png", (0, 0, 0))
    rows = preview_rows(folder)
    assert [row.label for row in rows] == ["step 0", "step 50", "step 1000000", "step 1000050"]
    assert [path.name for path in rows[1].pictures] == ["000050-00.png", "000050-01.png"]


def test_a_run_without_previews_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no previews.*preview\.every_n_steps"):
        preview_rows(RunFolder(tmp_path))
