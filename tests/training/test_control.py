"""Commands to a run, and copies."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.plain import PlainBackbone
from tests.training.runs import (
    Heard,
    Raiser,
    embedding_vectors,
    logged,
    only_run,
    state_numbers,
    state_tensors,
    train_small,
)
from train_gamma.embedding.files import read_embedding
from train_gamma.errors import UserError
from train_gamma.training.events import Control, Finished, Previewed, Progress, Saved, Started, Warned


@pytest.mark.parametrize("step", [1, 3, 6])
def test_a_stop_ends_the_run_after_the_step(step: int, plain: PlainBackbone, tmp_path: Path) -> None:
    control = Control()
    heard = Heard(Progress, step, control.stop)
    folder, finished = train_small(tmp_path, plain, heard, control)
    path = folder.path / "zzgamma.safetensors"
    assert finished == Finished(step, "finished" if step == 6 else "stopped", path)
    assert len(heard.of(Progress)) == step
    assert read_embedding(path).step == step
    assert state_numbers(folder)["step"] == step


def test_a_stop_before_the_first_step_leaves_the_vectors_of_the_start(plain: PlainBackbone, tmp_path: Path) -> None:
    control = Control()
    folder, finished = train_small(tmp_path, plain, Heard(Started, 0, control.stop), control)
    assert (finished.step, finished.reason) == (0, "stopped")
    ids = [token.id for token in plain.tokenize("girl")]
    assert embedding_vectors(folder.path / "zzgamma.safetensors")[0].equal(plain.tables["clip_l"][ids[0]])


@pytest.mark.parametrize("step", [1, 3, 6])
def test_a_copy_can_be_had_after_any_step(step: int, plain: PlainBackbone, tmp_path: Path) -> None:
    control = Control()
    heard = Heard(Progress, step, control.save_now)
    folder, _ = train_small(tmp_path, plain, heard, control, output={"save_every_n_steps": 0})
    (path,) = folder.copies.iterdir()
    assert path.name == f"zzgamma-{step}.safetensors"
    assert read_embedding(path).step == step
    assert [event.step for event in heard.of(Saved)] == [step, 6]


@pytest.mark.parametrize("step", [1, 3, 6])
def test_previews_can_be_had_after_any_step(step: int, plain: PlainBackbone, tmp_path: Path) -> None:
    control = Control()
    heard = Heard(Progress, step, control.preview_now)
    folder, _ = train_small(tmp_path, plain, heard, control, preview={"prompts": ["[name]", "[name] b"]})
    names = [f"{step:06d}-00.png", f"{step:06d}-01.png"]
    assert sorted(path.name for path in folder.previews.iterdir()) == names
    assert heard.of(Previewed) == [Previewed(step, tuple(folder.previews / name for name in names))]


def test_a_command_is_obeyed_once(plain: PlainBackbone, tmp_path: Path) -> None:
    control = Control()

    def ask() -> None:
        for _ in range(3):
            control.save_now()
            control.preview_now()

    heard = Heard(Progress, 2, ask)
    train_small(tmp_path, plain, heard, control, output={"save_every_n_steps": 0})
    assert [event.step for event in heard.of(Saved)] == [2, 6]
    assert [event.step for event in heard.of(Previewed)] == [2]


def test_copies_hold_the_vectors_of_the_step_in_their_name(plain: PlainBackbone, tmp_path: Path) -> None:
    """Each copy against a run of its own that ends at that step."""
    folder, _ = train_small(tmp_path / "whole", plain, output={"save_every_n_steps": 2})
    copies = sorted(folder.copies.iterdir())
    assert [path.name for path in copies] == ["zzgamma-2.safetensors", "zzgamma-4.safetensors"]
    for step, path in zip((2, 4), copies, strict=True):
        short, _ = train_small(tmp_path / str(step), plain, training={"max_steps": step})
        assert read_embedding(path).step == step
        assert embedding_vectors(path).equal(embedding_vectors(short.path / "zzgamma.safetensors"))


@pytest.mark.parametrize("ending", ["safetensors", "pt", "png"])
def test_copies_and_the_embedding_have_the_format_asked_for(ending: str, plain: PlainBackbone, tmp_path: Path) -> None:
    folder, finished = train_small(tmp_path, plain, output={"format": ending}, training={"max_steps": 3})
    vectors = state_tensors(folder)["vectors.clip_l"]
    assert finished.path == folder.path / f"zzgamma.{ending}"
    assert torch.allclose(embedding_vectors(folder.path / f"zzgamma.{ending}"), vectors, atol=1e-6)
    assert folder.copy("zzgamma", 2, ending).is_file()


def test_the_embedding_says_what_it_was_trained_on_and_no_folder_of_this_computer(
    plain: PlainBackbone, tmp_path: Path
) -> None:
    folder, _ = train_small(tmp_path, plain)
    info = read_embedding(folder.path / "zzgamma.safetensors").info
    assert (info.model_name, info.model_hash, info.vae_name, info.clip_skip) == ("plain", "1" * 64, "", 1)
    assert '"learning_rate": "0.005"' in info.config
    assert '"folder": "pictures"' in info.config
    for path in (folder.path / "zzgamma.safetensors", folder.copy("zzgamma", 2, "safetensors")):
        assert str(tmp_path).encode() not in path.read_bytes()


@pytest.mark.parametrize("reason", ["finished", "stopped"])
def test_the_finished_embedding_is_copied_to_the_folder_asked_for(
    reason: str, plain: PlainBackbone, tmp_path: Path
) -> None:
    export, control = tmp_path / "embeddings", Control()
    export.mkdir()
    heard = Heard(Progress, 4 if reason == "stopped" else 100, control.stop)
    folder, _ = train_small(tmp_path, plain, heard, control, output={"export_to": str(export)})
    (copied,) = export.iterdir()
    assert copied.name == "zzgamma.safetensors"
    assert copied.read_bytes() == (folder.path / "zzgamma.safetensors").read_bytes()


def test_an_exception_leaves_a_copy_and_no_finished_embedding(plain: PlainBackbone, tmp_path: Path) -> None:
    export = tmp_path / "embeddings"
    export.mkdir()
    heard = Heard(Progress, 3, Raiser(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        train_small(tmp_path, plain, heard, output={"export_to": str(export)})
    folder = only_run(tmp_path)
    assert heard.events[-1] == Finished(3, "failed", folder.copy("zzgamma", 3, "safetensors"))
    assert read_embedding(folder.copy("zzgamma", 3, "safetensors")).step == 3
    assert not (folder.path / "zzgamma.safetensors").exists()
    assert list(export.iterdir()) == []


@pytest.mark.parametrize("error", [UserError("no such sampler"), RuntimeError(), OSError(28, "No space left")])
def test_a_failing_preview_is_a_warning(error: Exception, plain: PlainBackbone, tmp_path: Path) -> None:
    heard = Heard()
    plain.render = Raiser(error)
    folder, finished = train_small(tmp_path, plain, heard, preview={"every_n_steps": 3})
    told = [(event.step, event.message) for event in heard.of(Warned) if "preview" in event.message]
    assert [step for step, _ in told] == [0, 3, 6]
    assert all(str(error) in message for _, message in told)
    assert (finished.step, finished.reason) == (6, "finished")
    assert not heard.of(Previewed)
    assert not list(folder.previews.glob("*"))


def test_previews_show_the_vectors_of_their_step(plain: PlainBackbone, tmp_path: Path) -> None:
    """The plain model paints its vectors, so the picture tells with which ones it was made."""
    from PIL import Image

    folder, _ = train_small(
        tmp_path,
        plain,
        preview={"every_n_steps": 2},
        output={"save_every_n_steps": 2},
        training={"learning_rate": "0.5", "max_steps": 6},
    )
    colours = []
    for step in (2, 4):
        vectors = embedding_vectors(folder.copy("zzgamma", step, "safetensors"))
        expected = tuple(int(v) for v in (vectors.sum(dim=0)[:3].sigmoid() * 255))
        with Image.open(folder.preview(step, 0)) as picture:
            colours.append(picture.getpixel((0, 0)))
        assert colours[-1] == expected
    assert colours[0] != colours[1]


class FullDisk:
    """Writing that fails when ``full`` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import os

        self.full, self._fsync = False, os.fsync
        monkeypatch.setattr(os, "fsync", self)

    def __call__(self, handle: int) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        self._fsync(handle)

    def fill(self) -> None:
        self.full = True

    def free(self) -> None:
        self.full = False


def test_a_disk_that_is_full_on_the_way_is_a_warning(
    plain: PlainBackbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, events = FullDisk(monkeypatch), []
    at = {3: disk.fill, 5: disk.free}

    def listener(event: Any) -> None:
        events.append(event)
        if isinstance(event, Progress) and event.step in at:
            at[event.step]()

    folder, finished = train_small(tmp_path, plain, listener, output={"save_every_n_steps": 1})
    told = [e for e in events if isinstance(e, Warned) and "could not be written" in e.message]
    assert [event.step for event in told] == [3, 4]
    assert all("No space left on device" in event.message and str(folder.path) in event.message for event in told)
    assert finished.reason == "finished"
    assert sorted(path.name for path in folder.copies.iterdir()) == [f"zzgamma-{k}.safetensors" for k in (1, 2, 5)]
    assert not list(folder.path.rglob("*.tmp"))


def test_a_disk_that_is_full_at_the_end_is_an_error_and_what_was_written_stays(
    plain: PlainBackbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, kept = FullDisk(monkeypatch), []

    def fill() -> None:
        kept.append({path: path.read_bytes() for path in only_run(tmp_path).path.rglob("*.safetensors")})
        disk.fill()

    with pytest.raises(UserError, match="step 6 could not be written.*No space left.*Free space"):
        train_small(tmp_path, plain, Heard(Progress, 5, fill))
    folder = only_run(tmp_path)
    assert {path: path.read_bytes() for path in folder.path.rglob("*.safetensors")} == kept[0]
    assert state_numbers(folder)["step"] == 4
    assert embedding_vectors(folder.copy("zzgamma", 4, "safetensors")).equal(state_tensors(folder)["vectors.clip_l"])


def test_a_full_disk_does_not_hide_what_ended_the_run(
    plain: PlainBackbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, heard = FullDisk(monkeypatch), Heard()

    def fill_and_fail() -> None:
        disk.fill()
        raise ZeroDivisionError

    heard = Heard(Progress, 3, fill_and_fail)
    with pytest.raises(ZeroDivisionError):
        train_small(tmp_path, plain, heard)
    assert any("No space left" in event.message for event in heard.of(Warned))
    assert heard.events[-1] == Finished(3, "failed", None)


def test_an_export_that_cannot_be_written_is_told_with_its_own_folder(plain: PlainBackbone, tmp_path: Path) -> None:
    export = tmp_path / "embeddings"
    export.mkdir()

    def replace_by_a_file() -> None:
        export.rmdir()
        export.write_text("not a folder")

    with pytest.raises(UserError, match="could not be written to '.*embeddings'"):
        train_small(tmp_path, plain, Heard(Progress, 5, replace_by_a_file), output={"export_to": str(export)})
    folder = only_run(tmp_path)
    assert read_embedding(folder.path / "zzgamma.safetensors").step == 6


@pytest.mark.parametrize(("name", "writer"), [("events.jsonl", "EventLog"), ("loss.csv", "LossTable")])
def test_a_record_that_cannot_be_written_is_a_warning(
    name: str, writer: str, plain: PlainBackbone, tmp_path: Path
) -> None:
    events: list[Any] = []

    def listener(event: Any) -> None:
        if not events:  # the folder of the run is there and nothing is in the record yet
            (only_run(tmp_path).path / name).mkdir()
        events.append(event)

    folder, finished = train_small(tmp_path, plain, listener)
    told = [e.message for e in events if isinstance(e, Warned) and "stopped writing" in e.message]
    assert len(told) == 1
    assert writer in told[0]
    assert finished.reason == "finished"
    other = folder.loss if name == "events.jsonl" else folder.events
    assert other.stat().st_size > 0
    if name == "loss.csv":
        assert logged(folder)[-1]["event"] == "Finished"
