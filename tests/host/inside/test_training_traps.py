"""What spoils the host's own training (webui-host, section 13), tried on ours with the loaded model."""

import csv
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from tests.host.inside.stage import lent
from tests.training.runs import Heard, Raiser, embedding_vectors, made_run, state_numbers, train_small
from train_gamma.dataset.dataset import load_dataset
from train_gamma.errors import UserError
from train_gamma.training.events import Finished, Progress, Saved, Warned

ZORB = {"name": "zorb", "num_vectors": 2}


def test_trap_13_7_the_name_survives_a_save_and_a_crash(webui: Any, tmp_path: Path) -> None:
    """The host renames its object for a copy and puts the name back only sometimes."""
    heard = Heard(Saved, 2, Raiser(RuntimeError("crash")))
    with pytest.raises(RuntimeError, match="crash"), lent() as backbone:
        train_small(tmp_path, backbone, heard, embedding=ZORB)
    from modules import sd_hijack

    names = sd_hijack.model_hijack.embedding_db.word_embeddings
    assert not any("zorb" in name for name in names)
    assert not any("zorb" in embedding.name for embedding in names.values())


def test_trap_13_8_a_copy_is_named_by_the_steps_that_were_done(webui: Any, tmp_path: Path) -> None:
    """The host's ``name-25`` is step 24. A run of two steps ends with the vectors that the copy ``-2`` holds."""
    with lent() as backbone:
        folder, _ = train_small(tmp_path / "six", backbone, embedding=ZORB)
        _, short = train_small(tmp_path / "two", backbone, embedding=ZORB, training={"max_steps": 2})
    assert short.path is not None
    assert torch.equal(embedding_vectors(folder.copy("zorb", 2, "safetensors")), embedding_vectors(short.path))


def test_trap_13_9_no_copies_and_no_previews_is_a_run_like_others(webui: Any, tmp_path: Path) -> None:
    """The host never makes the log's folder then, and fails as it writes its settings."""
    with lent() as backbone:
        changes = {"preview": {"every_n_steps": 0}, "output": {"save_every_n_steps": 0}}
        folder, finished = train_small(tmp_path, backbone, embedding=ZORB, **changes)
    assert finished.reason == "finished"
    assert folder.config.is_file()


@pytest.mark.parametrize("alpha", [255, 128])
def test_trap_13_10_and_13_20_alpha_of_one_value_is_no_mask(alpha: int, webui: Any, tmp_path: Path) -> None:
    """The host makes weights of it, 0/0 for one value and scrambled for a picture that is not square."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.new("RGBA", (128, 64), (200, 30, 30, alpha)).save(pictures / "a.png")
    (pictures / "a.txt").write_text("sky", "utf-8")
    heard = Heard()
    with lent() as backbone:
        train_small(tmp_path, backbone, heard, embedding=ZORB, training={"batch_size": 1})
    assert numpy.isfinite([event.loss for event in heard.of(Progress)]).all()


def test_trap_13_11_every_step_is_in_the_table(webui: Any, tmp_path: Path) -> None:
    """The host writes a line every 500 steps, so a short run has none."""
    with lent() as backbone:
        folder, _ = train_small(tmp_path, backbone, embedding=ZORB)
    with folder.loss.open(encoding="utf-8", newline="") as file:
        steps = [int(row["step"]) for row in csv.DictReader(file) if row["loss"]]
    assert steps == [1, 2, 3, 4, 5, 6]


def test_trap_13_12_clipping_is_of_the_gradient_and_not_of_its_scale(webui: Any, tmp_path: Path) -> None:
    """The host clips before it unscales: with a scale of 2**16 every gradient would be cut down."""
    with lent() as backbone, backbone.lend("off"):
        from train_gamma.training.loop import take_step

        runs = []
        for enabled in (False, True):
            run = made_run(
                tmp_path / str(enabled), backbone, embedding=ZORB, training={"clip_mode": "norm", "clip_value": "1e-3"}
            )
            run.loss_scale.enabled = enabled
            assert take_step(run)
            runs.append(run.rows[0].grad.clone())
    torch.testing.assert_close(runs[0], runs[1], rtol=1e-4, atol=1e-9)


def test_trap_13_15_a_failure_is_told_as_one(webui: Any, tmp_path: Path) -> None:
    """The host says "training finished" after an exception."""
    heard = Heard(Progress, 3, Raiser(ZeroDivisionError("inside")))
    with pytest.raises(ZeroDivisionError), lent() as backbone:
        train_small(tmp_path, backbone, heard, embedding=ZORB)
    (end,) = heard.of(Finished)
    assert end.reason == "failed"


def test_trap_13_18_pictures_keep_their_shape_and_nobody_is_drawn_twice(webui: Any, tmp_path: Path) -> None:
    """The host stretches everything to one size, and fills batches with replacement."""
    sizes = {"width": 80, "height": 80, "bucket_max": 96}
    with lent() as backbone, backbone.lend("off"):
        run = made_run(tmp_path, backbone, embedding=ZORB, dataset=sizes)
        for item in load_dataset(run.config.dataset, "zorb").items:
            with Image.open(item.path) as picture:
                assert (item.fit.bucket.width, item.fit.bucket.height) == picture.size
        seen = [visit.index for step in range(7) for batch in run.order.microbatches(step) for visit in batch]
    assert len(seen) == 21
    for epoch in range(3):
        assert sorted(seen[7 * epoch : 7 * epoch + 7]) == list(range(7))


def test_trap_13_20_a_loss_that_is_not_finite_ends_the_run_with_the_last_good_vectors(
    webui: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host goes on and writes NaN over the good file."""
    unet = webui.sd_model.model.diffusion_model
    calls = 0

    def broken(_module: Any, _given: Any, output: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += torch.is_grad_enabled()
        return output * float("nan") if calls > 9 else output  # three steps, of three sizes of pictures each at most

    hook = unet.register_forward_hook(broken)
    heard = Heard()
    try:
        with lent() as backbone:
            training = {"max_steps": 50, "evaluate_every_n_steps": 0, "max_nonfinite_steps": 3}
            _, finished = train_small(tmp_path, backbone, heard, embedding=ZORB, training=training)
    finally:
        hook.remove()
    assert finished.reason == "not finite"
    assert finished.step >= 3
    assert finished.path is not None
    assert embedding_vectors(finished.path).isfinite().all()


def test_trap_13_22_a_file_is_never_half_written(webui: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host writes in place: a full disk leaves neither the old file nor a new one."""
    with lent() as backbone:
        export = tmp_path / "embeddings"
        export.mkdir()
        output = {"export_to": str(export)}
        train_small(tmp_path / "a", backbone, embedding=ZORB, output=output)
        good = (export / "zorb.safetensors").read_bytes()
        import os

        def full(*_: Any, **__: Any) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises((UserError, OSError)):
            train_small(
                tmp_path / "b", backbone, embedding=ZORB, output={**output, "overwrite": True}, training={"seed": 5}
            )
        monkeypatch.undo()
    assert (export / "zorb.safetensors").read_bytes() == good
    assert load_file(export / "zorb.safetensors")


def test_trap_13_23_a_preview_that_fails_is_a_warning(
    webui: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the host a NaN in a preview ends the run without the final save."""
    from modules import devices, processing

    monkeypatch.setattr(
        processing,
        "process_images_inner",
        Raiser(devices.NansException("A tensor with all NaNs was produced in Unet.")),
    )
    heard = Heard()
    with lent() as backbone:
        folder, finished = train_small(tmp_path, backbone, heard, embedding=ZORB, preview={"every_n_steps": 3})
    assert finished.reason == "finished"
    assert state_numbers(folder)["step"] == 6
    assert any("preview" in event.message.lower() for event in heard.of(Warned))


def test_trap_13_24_the_loss_scale_is_ours_on_every_device(webui: Any, tmp_path: Path) -> None:
    """The host's GradScaler is CUDA's: on other devices fp16 gradients underflow. Ours gives the same gradient."""
    with lent() as backbone, backbone.lend("off"):
        from train_gamma.training.loop import accumulate

        run = made_run(tmp_path, backbone, embedding=ZORB)
        accumulate(run)
        plain = run.rows[0].grad.clone()
        run.loss_scale.enabled = True
        accumulate(run)
        scaled = run.rows[0].grad.clone()
        assert scaled.abs().max() > 100 * plain.abs().max()
        run.loss_scale.unscale(run.rows)
    torch.testing.assert_close(run.rows[0].grad, plain, rtol=1e-4, atol=1e-9)
