"""loss.csv, events.jsonl and TensorBoard."""

import csv
import importlib.util
from pathlib import Path
from typing import Any

import pytest

from tests.training.plain import PlainBackbone
from tests.training.runs import Heard, Raiser, logged, train_small
from train_gamma.training.entry import resume_run
from train_gamma.training.events import (
    Control,
    Evaluated,
    Event,
    Preparing,
    Previewed,
    Progress,
    Saved,
    Started,
    Warned,
)
from train_gamma.training.listeners import EventLog, LossTable

COLUMNS = [
    "step",
    "epoch",
    "loss",
    "learning_rate",
    "gradient_norm",
    "vector_norm",
    "images",
    "seconds",
    "evaluation_loss",
]


def test_the_loss_table_has_a_row_for_each_step_and_evaluation(plain: PlainBackbone, tmp_path: Path) -> None:
    heard = Heard()
    folder, _ = train_small(tmp_path, plain, heard, training={"learning_rate": "0.1:50%, 0.01"})
    with folder.loss.open(encoding="utf-8", newline="") as file:
        header, *table = csv.reader(file)
    assert header == COLUMNS
    steps = [dict(zip(header, row, strict=True)) for row in table if row[2]]
    evaluations = [(int(row[0]), float(row[-1])) for row in table if row[-1]]
    assert len(steps) + len(evaluations) == len(table)
    for row, event in zip(steps, heard.of(Progress), strict=True):
        for name in COLUMNS[:-1]:
            assert float(row[name]) == getattr(event, name)
    assert [float(row["learning_rate"]) for row in steps] == [0.1] * 3 + [0.01] * 3
    assert [int(row["epoch"]) for row in steps] == [0, 0, 0, 1, 1, 2]  # 3 of 7 pictures a step
    assert evaluations == [(event.step, event.loss) for event in heard.of(Evaluated)]
    assert [step for step, _ in evaluations] == [0, 3, 6]


def test_every_event_but_the_preparations_is_a_line(plain: PlainBackbone, tmp_path: Path) -> None:
    heard = Heard()
    folder, _ = train_small(tmp_path, plain, heard, preview={"every_n_steps": 3})
    entries = logged(folder)
    expected = [event for event in heard.events if not isinstance(event, Preparing)]
    assert [entry["event"] for entry in entries] == [type(event).__name__ for event in expected]
    assert [entry["step"] for entry in entries] == [event.step for event in expected]
    assert entries[-1]["event"] == "Finished"
    assert entries[-1]["path"] == str(folder.path / "zzgamma.safetensors")
    previewed = next(entry for entry in entries if entry["event"] == "Previewed")
    assert previewed["paths"] == [str(folder.preview(0, 0))]


def test_preparations_count_the_pictures(plain: PlainBackbone, tmp_path: Path) -> None:
    heard = Heard()
    train_small(tmp_path, plain, heard)
    assert [(event.done, event.total) for event in heard.of(Preparing)] == [(k, 7) for k in range(1, 8)]


def test_a_run_resumed_after_a_stop_writes_the_files_of_one_run(plain: PlainBackbone, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"preview": {"every_n_steps": 2}}
    whole, _ = train_small(tmp_path / "whole", plain, **changes)
    control = Control()
    folder, _ = train_small(tmp_path / "parted", plain, Heard(Progress, 4, control.stop), control, **changes)
    resume_run(folder.path, plain, Heard(), Control())

    def steps(entries: list[dict[str, Any]], *kinds: str) -> list[tuple[str, int]]:
        return sorted((entry["event"], entry["step"]) for entry in entries if entry["event"] in kinds)

    kinds = ("Progress", "Evaluated", "Previewed")
    assert steps(logged(folder), *kinds) == steps(logged(whole), *kinds)
    assert steps(logged(folder), "Started", "Finished") == [
        ("Finished", 4),
        ("Finished", 6),
        ("Started", 0),
        ("Started", 4),
    ]


PROGRESS = Progress(5, 9, 0, 0.5, 0.1, 1.0, 2.0, 3, 4.5)


def test_a_torn_line_is_dropped_and_the_file_goes_on(tmp_path: Path) -> None:
    """A crash can tear a line anywhere, in the middle of a letter too, and leave a row that still looks like one."""
    log, table = EventLog(tmp_path / "events.jsonl"), LossTable(tmp_path / "loss.csv")
    for write in (log, table):
        write(Started(0, 9, tmp_path))
        write(Evaluated(0, 0.7))
        write(PROGRESS)
    log(Warned(5, "Größe"))
    events = (tmp_path / "events.jsonl").read_bytes()
    (tmp_path / "events.jsonl").write_bytes(events[: events.index("ö".encode()) + 1])
    rows = (tmp_path / "loss.csv").read_text("utf-8")
    (tmp_path / "loss.csv").write_text(rows + "1,0,0.9", "utf-8")
    for write in (log, table):
        write(Started(5, 9, tmp_path))
        write(Evaluated(5, 0.6))
    lines = (tmp_path / "events.jsonl").read_text("utf-8").splitlines()
    assert [line.split('"')[3] for line in lines] == ["Started", "Evaluated", "Progress", "Started", "Evaluated"]
    assert (tmp_path / "loss.csv").read_text("utf-8") == rows + "5,,,,,,,,0.6\n"


def test_what_is_not_json_is_written_as_json(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    log(Evaluated(1, float("nan")))
    log(Evaluated(2, float("inf")))
    log(Previewed(3, (tmp_path / "ü.png",)))
    text = (tmp_path / "events.jsonl").read_text("utf-8")
    assert text.count('"loss": null') == 2
    assert "ü.png" in text


def test_a_listener_outside_that_raises_is_not_swallowed(plain: PlainBackbone, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="broken pipe"):
        train_small(tmp_path, plain, Heard(Saved, 2, Raiser(OSError(32, "broken pipe"))))


def test_a_missing_tensorboard_is_a_warning(
    plain: PlainBackbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "tensorboard" else find(name))
    heard = Heard()
    folder, finished = train_small(tmp_path, plain, heard, output={"tensorboard": True})
    assert any("TensorBoard is not installed" in event.message for event in heard.of(Warned))
    assert finished.reason == "finished"
    assert not folder.tensorboard.exists()


def test_tensorboard_is_not_written_unasked(plain: PlainBackbone, tmp_path: Path) -> None:
    folder, _ = train_small(tmp_path, plain)
    assert not folder.tensorboard.exists()


@pytest.mark.slow
def test_tensorboards_own_reader_finds_every_number(plain: PlainBackbone, tmp_path: Path) -> None:
    """Also after a resume from an older state: what came after that state is hidden."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    heard: list[Event] = []
    changes: dict[str, Any] = {"preview": {"every_n_steps": 3}, "output": {"tensorboard": True}}
    older, _ = train_small(tmp_path / "older", plain, training={"max_steps": 4})
    folder, _ = train_small(tmp_path / "run", plain, **changes)
    folder.state.write_bytes(older.state.read_bytes())
    resume_run(folder.path, plain, heard.append, Control(), {"training": {"learning_rate": "0.5"}})
    reader = accumulator.EventAccumulator(str(folder.tensorboard), size_guidance={"images": 0, "scalars": 0})
    reader.Reload()
    assert set(reader.Tags()["scalars"]) == {
        "loss",
        "learning_rate",
        "gradient_norm",
        "vector_norm",
        "evaluation_loss",
    }
    rates = [(event.step, round(event.value, 6)) for event in reader.Scalars("learning_rate")]
    assert rates == [(k, 0.005) for k in (1, 2, 3, 4)] + [(5, 0.5), (6, 0.5)]
    losses = {event.step: event.loss for event in heard if isinstance(event, Progress)}
    for event in reader.Scalars("loss")[-2:]:
        assert event.value == pytest.approx(losses[event.step], rel=1e-6)
    assert {event.step for event in reader.Images("preview 0")} == {0, 3, 6}
    picture = reader.Images("preview 0")[0]
    assert (picture.width, picture.height) == (64, 64)
