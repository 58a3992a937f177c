"""What hears a run and writes it down: events.jsonl, loss.csv, TensorBoard."""

import csv
import dataclasses
import importlib.util
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from train_gamma import atomic
from train_gamma.training.events import (
    Evaluated,
    Event,
    Finished,
    Listener,
    Preparing,
    Previewed,
    Progress,
    Started,
    Warned,
)
from train_gamma.training.run_folder import RunFolder


def recorders(folder: RunFolder, tensorboard: bool, outside: Listener) -> Listener:
    """One listener that writes the run down and then tells ``outside``."""
    listeners: list[Listener] = [EventLog(folder.events), LossTable(folder.loss)]
    missing = tensorboard and importlib.util.find_spec("tensorboard") is None
    if tensorboard and not missing:
        listeners.append(TensorBoard(folder.tensorboard))
    combined = Recorders(listeners, outside)
    if missing:
        combined(Warned(0, "TensorBoard is not installed, so nothing is written for it. Try: pip install tensorboard."))
    return combined


class Recorders:
    """Writes every event down, then passes it on. One whose file cannot be written is given up with a warning."""

    def __init__(self, recorders: Sequence[Listener], outside: Listener) -> None:
        self._recorders = list(recorders)
        self._outside = outside

    def __call__(self, event: Event) -> None:
        """Tell everyone, in order."""
        for recorder in list(self._recorders):
            try:
                recorder(event)
            except OSError as error:
                self._recorders.remove(recorder)
                self._outside(Warned(0, f"{type(recorder).__name__} stopped writing: {error}."))
        self._outside(event)


class EventLog:
    """Appends every event to a file as one JSON object a line."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, event: Event) -> None:
        """Write the event; a resumed run first drops what came after its saved state."""
        if isinstance(event, Preparing):
            return
        if isinstance(event, Started):
            _drop_lines(self._path, lambda line: _is_past(json.loads(line), event.step))
        line = json.dumps({"event": type(event).__name__, **_plain(event)}, ensure_ascii=False, allow_nan=False)
        _append(self._path, line + "\n")


class LossTable:
    """Writes loss.csv: a row a step, with the evaluation loss where there is one."""

    COLUMNS = ("step", "epoch", "loss", "learning_rate", "gradient_norm", "vector_norm", "images", "seconds")

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, event: Event) -> None:
        """Write a row for a step or an evaluation."""
        if isinstance(event, Started):
            _drop_lines(self._path, lambda line: line.startswith("step,") or _is_past_row(line, event.step))
            if not self._path.exists():
                _append(self._path, _csv_line([*self.COLUMNS, "evaluation_loss"]))
        elif isinstance(event, Progress):
            _append(self._path, _csv_line([*(getattr(event, c) for c in self.COLUMNS), ""]))
        elif isinstance(event, Evaluated):
            blanks = [""] * (len(self.COLUMNS) - 1)
            _append(self._path, _csv_line([event.step, *blanks, event.loss]))


class TensorBoard:
    """Writes loss, learning rate, norms and previews for TensorBoard."""

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - only when asked for

        self._folder = folder
        self._open: Any = SummaryWriter
        self._writer: Any = None

    def __call__(self, event: Event) -> None:
        """Write what has a number or a picture."""
        if isinstance(event, Started):  # hides what came after the state that a resumed run begins at
            self._writer = self._open(str(self._folder), purge_step=event.step + 1)
        elif isinstance(event, Progress):
            for name in ("loss", "learning_rate", "gradient_norm", "vector_norm"):
                self._writer.add_scalar(name, getattr(event, name), event.step)
        elif isinstance(event, Evaluated):
            self._writer.add_scalar("evaluation_loss", event.loss, event.step)
        elif isinstance(event, Previewed):
            self._add_pictures(event)
        elif isinstance(event, Finished):
            self._writer.close()

    def _add_pictures(self, event: Previewed) -> None:
        import numpy  # noqa: PLC0415 - only when asked for
        from PIL import Image  # noqa: PLC0415

        for index, path in enumerate(event.paths):
            with Image.open(path) as picture:
                pixels = numpy.asarray(picture.convert("RGB"))
            self._writer.add_image(f"preview {index}", pixels, event.step, dataformats="HWC")


def _plain(event: Event) -> dict[str, Any]:
    return {key: _plain_value(value) for key, value in dataclasses.asdict(event).items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None  # JSON has no NaN
    if isinstance(value, (list, tuple)):
        return [_plain_value(item) for item in value]
    return value


def _is_past(entry: dict[str, Any], step: int) -> bool:
    """Whether an event stays when a run goes on at ``step``: what is seen after a step is seen again."""
    again = ("Evaluated", "Previewed")
    return bool(entry["step"] < step or (entry["step"] == step and entry["event"] not in again))


def _is_past_row(line: str, step: int) -> bool:
    number, *_, evaluation_loss = line.split(",")
    return int(number) < step or (int(number) == step and not evaluation_loss)


def _csv_line(values: Sequence[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()


def _append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(text)


def _drop_lines(path: Path, keep: Any) -> None:
    """Keep the lines that ``keep`` accepts; a torn last line, left by a crash, goes."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text("utf-8", errors="replace").split("\n")[:-1]:
        try:
            if keep(line):
                kept.append(line)
        except (ValueError, KeyError, TypeError):
            continue
    atomic.write_text(path, "".join(line + "\n" for line in kept))
