"""Running small trainings and reading what they leave."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
from torch import Tensor

from tests.worlds import small_config, write_pictures
from train_gamma.embedding.files import read_embedding
from train_gamma.training.entry import start_run
from train_gamma.training.events import Control, Event, Finished
from train_gamma.training.run import Run
from train_gamma.training.run_folder import RunFolder


class Heard:
    """A listener that keeps every event, and does something at a chosen kind of event and step."""

    def __init__(self, kind: type | None = None, step: int = 0, act: Callable[[], None] = lambda: None) -> None:
        self.events: list[Any] = []
        self._kind, self._step, self._act = kind, step, act

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if self._kind is not None and isinstance(event, self._kind) and event.step == self._step:
            self._act()

    def of(self, kind: type) -> list[Any]:
        """The events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]


class Raiser:
    """Raises an exception when called."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __call__(self, *_arguments: Any, **_keywords: Any) -> Any:
        raise self.error


def train_small(
    root: Path, backbone: Any, heard: Heard | None = None, control: Control | None = None, **changes: Any
) -> tuple[RunFolder, Finished]:
    """Train on the pictures in ``root / 'pictures'``, made if they are not there."""
    if not (root / "pictures").exists():
        write_pictures(root / "pictures")
    return start_run(small_config(root, **changes), backbone, heard or Heard(), control or Control())


def made_run(root: Path, backbone: Any, **changes: Any) -> Run:
    """A run as it stands before its first step, for tests that take single steps."""
    caught: list[Run] = []

    def catch(run: Run) -> Finished:
        caught.append(run)
        return Finished(0, "stopped", None)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("train_gamma.training.entry.train", catch)
        train_small(root, backbone, **changes)
    return caught[0]


def only_run(root: Path) -> RunFolder:
    """The one run in ``root / 'runs'``."""
    (path,) = (root / "runs").iterdir()
    return RunFolder(path)


def state_tensors(folder: RunFolder) -> dict[str, Tensor]:
    """Everything in the state file: vectors and the optimizer's memory."""
    return safetensors.torch.load_file(folder.state)


def state_numbers(folder: RunFolder) -> dict[str, Any]:
    """The numbers in the state file's header, read without the package."""
    data = folder.state.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return dict(json.loads(header["__metadata__"]["state"]))


def embedding_vectors(path: Path) -> Tensor:
    """The rows of an embedding file for clip_l."""
    return read_embedding(path).vectors["clip_l"]


def rows(folder: RunFolder) -> list[dict[str, str]]:
    """loss.csv without the seconds, which differ from run to run."""
    with folder.loss.open(encoding="utf-8", newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def logged(folder: RunFolder) -> list[dict[str, Any]]:
    """events.jsonl, as a strict reader of JSON sees it."""
    lines = folder.events.read_text("utf-8").splitlines()
    return [json.loads(line, parse_constant=_refuse) for line in lines]


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    """Whether two sets of tensors are the same, bit for bit."""
    return a.keys() == b.keys() and all(a[k].numpy().tobytes() == b[k].numpy().tobytes() for k in a)
