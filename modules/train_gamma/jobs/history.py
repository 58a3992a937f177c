"""What happened in a run so far, read back from its folder as the events it was told by."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from train_gamma.training.events import Evaluated, Previewed, Progress, Saved
from train_gamma.training.run_folder import RunFolder

Past = Progress | Evaluated | Saved | Previewed


def past_events(folder: RunFolder, total_steps: int) -> Iterator[Past]:
    """The steps, evaluations, copies and previews of a run. What cannot be read, a torn last line say, is left out."""
    yield from _losses(folder.loss, total_steps)
    for step, path in run_copies(folder):
        yield Saved(step, path)
    for step, paths in run_previews(folder).items():
        yield Previewed(step, tuple(paths))


def run_copies(folder: RunFolder) -> list[tuple[int, Path]]:
    """The copies of a run by step."""
    found = []
    for path in folder.copies.glob("*-*.*") if folder.copies.is_dir() else ():
        match = re.fullmatch(r".+-(\d+)", path.stem)
        if match and not path.name.startswith("."):
            found.append((int(match[1]), path))
    return sorted(found)


def run_previews(folder: RunFolder) -> dict[int, list[Path]]:
    """The preview pictures of a run by step, each step's in the order of the prompts."""
    found: dict[int, list[Path]] = {}
    for path in sorted(folder.previews.glob("*.png")) if folder.previews.is_dir() else ():
        match = re.fullmatch(r"(\d+)-(\d+)", path.stem)
        if match:
            found.setdefault(int(match[1]), []).append(path)
    return dict(sorted(found.items()))


def _losses(path: Path, total_steps: int) -> Iterator[Progress | Evaluated]:
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        for row in csv.DictReader(file):
            try:
                yield _event(row, total_steps)
            except (ValueError, TypeError, KeyError):
                continue


def _event(row: dict[str, str], total_steps: int) -> Progress | Evaluated:
    if row["evaluation_loss"]:
        return Evaluated(int(row["step"]), float(row["evaluation_loss"]))
    return Progress(
        step=int(row["step"]),
        total_steps=total_steps,
        epoch=int(row["epoch"]),
        loss=float(row["loss"]),
        learning_rate=float(row["learning_rate"]),
        gradient_norm=float(row["gradient_norm"]),
        vector_norm=float(row["vector_norm"]),
        images=int(row["images"]),
        seconds=float(row["seconds"]),
    )
