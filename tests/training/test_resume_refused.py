"""When a run cannot be resumed, and what may be changed when it can."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.training.plain import PlainBackbone
from tests.training.runs import Heard, embedding_vectors, rows, same, state_numbers, state_tensors, train_small
from train_gamma.errors import UserError
from train_gamma.training.entry import resume_run
from train_gamma.training.events import Control, Previewed, Progress
from train_gamma.training.run_folder import RunFolder


@pytest.fixture
def stopped(tmp_path: Path, plain: PlainBackbone) -> RunFolder:
    """A run that was stopped after 3 of 6 steps."""
    control = Control()
    return train_small(tmp_path, plain, Heard(Progress, 3, control.stop), control)[0]


def contents(folder: RunFolder) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.path.rglob("*")) if path.is_file()}


def assert_refused(folder: RunFolder, told: str, backbone: PlainBackbone | None = None, **changes: Any) -> None:
    """The refusal says why, and leaves everything as it was."""
    before = contents(folder)
    backbone = backbone or PlainBackbone()
    with pytest.raises(UserError) as caught:
        resume_run(folder.path, backbone, Heard(), Control(), changes)
    assert told in str(caught.value)
    assert contents(folder) == before
    assert backbone.encodings == 0, "refused only after work on the model"


@pytest.mark.parametrize(
    ("identity", "told"),
    [
        ({"model_hash": "2" * 64}, f"begun with checkpoint {'1' * 64}, now it is {'2' * 64}"),
        ({"vae_hash": "2" * 64}, f"begun with VAE {'1' * 64}"),
        ({"clip_skip": 2}, "begun with clip skip 1, now it is 2. Use the same"),
    ],
)
def test_another_model_is_refused(identity: dict[str, Any], told: str, stopped: RunFolder) -> None:
    assert_refused(stopped, told, PlainBackbone(**identity))


def test_the_same_model_under_another_name_is_accepted(stopped: RunFolder) -> None:
    _, finished = resume_run(stopped.path, PlainBackbone(model_name="renamed"), Heard(), Control())
    assert finished.step == 6


def change_a_picture(pictures: Path) -> None:
    Image.new("RGB", (64, 64), (1, 2, 3)).save(pictures / "0.png")


def change_a_caption(pictures: Path) -> None:
    (pictures / "1.txt").write_text("something else")


def remove_a_picture(pictures: Path) -> None:
    (pictures / "2.png").unlink()


def add_a_picture(pictures: Path) -> None:
    Image.new("RGB", (64, 64), (1, 2, 3)).save(pictures / "99.png")


@pytest.mark.parametrize("change", [change_a_picture, change_a_caption, remove_a_picture, add_a_picture])
def test_other_pictures_are_refused(change: Callable[[Path], None], stopped: RunFolder, tmp_path: Path) -> None:
    change(tmp_path / "pictures")
    assert_refused(stopped, "are not those the run was begun with")


def test_missing_pictures_are_refused(stopped: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "pictures").rename(tmp_path / "moved")
    assert_refused(stopped, "does not exist")


def test_a_finished_run_is_over_and_says_how_to_train_on(plain: PlainBackbone, tmp_path: Path) -> None:
    folder, _ = train_small(tmp_path, plain)
    assert_refused(folder, "is over: all 6 steps are done. To train on, raise the number: --set training.max_steps=12")
    assert_refused(folder, "is over", training={"max_steps": 4})
    _, finished = resume_run(folder.path, plain, Heard(), Control(), {"training": {"max_steps": 12}})
    assert (finished.step, finished.reason) == (12, "finished")


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    for name in ("nowhere", "empty"):
        if name == "empty":
            (tmp_path / name).mkdir()
        assert_refused(RunFolder(tmp_path / name), "is not the folder of a run: it has no config.json")


def test_a_run_that_was_never_saved_is_refused(stopped: RunFolder) -> None:
    stopped.state.unlink()
    assert_refused(stopped, "has no saved state, so it cannot be resumed. Start the run again")


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def cut_before_header(data: bytes) -> bytes:
    return data[:5]


def empty(data: bytes) -> bytes:
    return b""


def zeros(data: bytes) -> bytes:
    return bytes(len(data))


def huge_header(data: bytes) -> bytes:
    return b"\xff" * 8 + data[8:]


def without_metadata(data: bytes) -> bytes:
    return data.replace(b"__metadata__", b"__metadaten_")


def without_step(data: bytes) -> bytes:
    return data.replace(b'\\"step\\"', b'\\"stop\\"')


def text(data: bytes) -> bytes:
    return b"<html>not found</html>"


@pytest.mark.parametrize(
    "damage", [cut, cut_before_header, empty, zeros, huge_header, without_metadata, without_step, text]
)
def test_a_damaged_state_is_refused(damage: Callable[[bytes], bytes], stopped: RunFolder) -> None:
    data = stopped.state.read_bytes()
    stopped.state.write_bytes(damage(data))
    assert stopped.state.read_bytes() != data
    assert_refused(stopped, f"'{stopped.state}' is damaged")


@pytest.mark.parametrize("content", ["", "{", "[]", "3", "{}", '{"identity": 3, "versions": {}}', "\xff"])
def test_a_damaged_configuration_is_refused(content: str, stopped: RunFolder) -> None:
    stopped.config.write_text(content, "latin-1")
    assert_refused(stopped, f"'{stopped.config}' is missing or damaged")


def test_a_configuration_of_another_version_is_refused(stopped: RunFolder) -> None:
    content = json.loads(stopped.config.read_text("utf-8"))
    stopped.config.write_text(json.dumps({**content, "version": 99}))
    assert_refused(stopped, "version 99 is not known")


@pytest.mark.parametrize("content", [None, "", "{"])
def test_a_damaged_manifest_is_refused(content: str | None, stopped: RunFolder) -> None:
    stopped.manifest.unlink() if content is None else stopped.manifest.write_text(content)
    assert_refused(stopped, f"'{stopped.manifest}' is missing or damaged")


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("training", "seed", 5),
        ("training", "batch_size", 2),
        ("training", "gradient_accumulation", 2),
        ("training", "full_batch", True),
        ("training", "weight_decay", 0.1),
        ("training", "beta1", 0.5),
        ("training", "min_timestep", 5),
        ("training", "timestep_sampling", "high_noise"),
        ("training", "evaluation_batches", 2),
        ("embedding", "name", "other"),
        ("embedding", "num_vectors", 3),
        ("dataset", "flip", True),
        ("dataset", "width", 128),
        ("dataset", "templates", ["a [name]"]),
        ("dataset", "latent_sampling", "once"),
        ("model", "clip_skip", 2),
        ("model", "precision", "fp16"),
    ],
)
def test_what_would_make_it_another_experiment_cannot_be_changed(
    section: str, key: str, value: Any, stopped: RunFolder
) -> None:
    assert_refused(stopped, f"{section}.{key} cannot be changed on resume", **{section: {key: value}})


@pytest.mark.parametrize(
    ("told", "changes"),
    [
        ("Unknown key 'stepz'", {"training": {"stepz": 3}}),
        ("Learning rate 'abc'", {"training": {"learning_rate": "abc"}}),
        ("ends at step 2, but the run has 6", {"training": {"learning_rate": "0.1:2"}}),
        ("--q is not known", {"preview": {"prompts": ["[name] --q 3"]}}),
        ("for the finished embedding does not exist", {"output": {"export_to": "/nowhere/at/all"}}),
    ],
)
def test_a_change_that_is_wrong_is_refused_before_it_is_written(
    told: str, changes: dict[str, Any], stopped: RunFolder
) -> None:
    assert_refused(stopped, told, **changes)


def test_an_embedding_of_somebody_else_is_not_replaced(stopped: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "embeddings").mkdir()
    (tmp_path / "embeddings" / "zzgamma.safetensors").write_text("precious")
    assert_refused(stopped, "already", output={"export_to": str(tmp_path / "embeddings")})
    assert (tmp_path / "embeddings" / "zzgamma.safetensors").read_text() == "precious"


def test_the_exported_embedding_of_the_same_run_is_replaced(plain: PlainBackbone, tmp_path: Path) -> None:
    export, control = tmp_path / "embeddings", Control()
    export.mkdir()
    heard = Heard(Progress, 3, control.stop)
    folder, _ = train_small(tmp_path, plain, heard, control, output={"export_to": str(export)})
    resume_run(folder.path, plain, Heard(), Control())
    assert embedding_vectors(export / "zzgamma.safetensors").equal(state_tensors(folder)["vectors.clip_l"])


def test_what_does_not_alter_a_step_can_be_changed(plain: PlainBackbone, stopped: RunFolder, tmp_path: Path) -> None:
    heard = Heard()
    changes = {
        "training": {"max_steps": 9, "evaluate_every_n_steps": 1},
        "preview": {"every_n_steps": 4, "prompts": ["[name] at night"]},
        "output": {"save_every_n_steps": 5, "format": "pt"},
        "model": {"checkpointing": "off"},
    }
    _, finished = resume_run(stopped.path, plain, heard, Control(), changes)
    assert finished.step == 9
    assert [event.step for event in heard.of(Previewed)] == [4, 8, 9]
    assert plain.requests[-1].prompt == "zzgamma at night"
    assert (stopped.path / "zzgamma.pt").is_file()
    assert stopped.copy("zzgamma", 5, "pt").is_file()
    recorded = json.loads(stopped.config.read_text("utf-8"))
    assert recorded["training"]["max_steps"] == 9
    whole, _ = train_small(tmp_path / "whole", plain, training={"max_steps": 9, "evaluate_every_n_steps": 1})
    assert same(state_tensors(stopped), state_tensors(whole))


def test_another_rate_acts_from_the_step_that_is_resumed(plain: PlainBackbone, stopped: RunFolder) -> None:
    resume_run(stopped.path, plain, Heard(), Control(), {"training": {"learning_rate": "0.1:3, 0.25"}})
    rates = [float(row["learning_rate"]) for row in rows(stopped) if row["learning_rate"]]
    assert rates == [0.005] * 3 + [0.25] * 3


def test_a_longer_run_can_have_a_longer_clip_schedule(plain: PlainBackbone, tmp_path: Path) -> None:
    folder, _ = train_small(tmp_path, plain, training={"clip_mode": "norm", "clip_value": "1:6"})
    assert_refused(folder, "Gradient clip value '1:6' ends at step 6, but the run has 8", training={"max_steps": 8})
    changes = {"training": {"max_steps": 8, "clip_value": "1:6, 2"}}
    assert resume_run(folder.path, plain, Heard(), Control(), changes)[1].step == 8


def test_the_time_before_is_counted(plain: PlainBackbone, stopped: RunFolder) -> None:
    before, heard = state_numbers(stopped)["seconds"], Heard()
    resume_run(stopped.path, plain, heard, Control())
    assert before > 0
    assert all(event.seconds > before for event in heard.of(Progress))
