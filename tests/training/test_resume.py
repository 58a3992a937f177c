"""A run in pieces is the run in one piece, bit for bit."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.conftest import EVERYTHING
from tests.training.plain import PlainBackbone
from tests.training.runs import (
    Heard,
    Raiser,
    embedding_vectors,
    logged,
    only_run,
    rows,
    same,
    state_numbers,
    state_tensors,
    train_small,
)
from tests.worlds import small_config
from train_gamma.dataset.dataset import load_dataset
from train_gamma.dataset.order import Order
from train_gamma.training.entry import resume_run
from train_gamma.training.events import Control, Evaluated, Progress, Saved
from train_gamma.training.run_folder import RunFolder

COUNTS = ("step", "skipped", "nonfinite", "scale", "good_steps")


def assert_same_run(folder: RunFolder, other: RunFolder) -> None:
    """Vectors, the optimizer's memory, losses and evaluation losses, previews and the embedding."""
    assert same(state_tensors(folder), state_tensors(other))
    numbers, others = state_numbers(folder), state_numbers(other)
    assert [numbers[key] for key in COUNTS] == [others[key] for key in COUNTS]
    assert rows(folder) == rows(other)
    assert {p.name: p.read_bytes() for p in folder.previews.iterdir()} == {
        p.name: p.read_bytes() for p in other.previews.iterdir()
    }
    name = "zzgamma.safetensors"
    assert embedding_vectors(folder.path / name).equal(embedding_vectors(other.path / name))


def test_the_run_that_is_compared_with_has_everything_random_in_it(whole_run: RunFolder, tmp_path: Path) -> None:
    config = small_config(whole_run.path.parents[1], **EVERYTHING)
    dataset = load_dataset(config.dataset, config.embedding.name)
    buckets = [item.fit.bucket for item in dataset.items]
    order = Order(buckets, 3, 3, config.training.seed)
    steps = [order.microbatches(step) for step in range(20)]
    assert len(set(buckets)) == 3
    assert any(len(step) > 1 for step in steps), "no step has two buckets"
    assert any(len({visit.epoch for batch in step for visit in batch}) > 1 for step in steps), "none crosses an epoch"
    tensors = state_tensors(whole_run)
    assert sorted(tensors) == [
        "optimizer.0.exp_avg",
        "optimizer.0.exp_avg_sq",
        "optimizer.0.step",
        "vectors.clip_l",
    ]
    assert tensors["optimizer.0.step"].item() == 20
    copies = [embedding_vectors(whole_run.copy("zzgamma", step, "safetensors")) for step in (2, 10, 18)]
    assert not copies[0].equal(copies[1])
    assert not copies[1].equal(copies[2])


def test_ten_steps_and_ten_more_are_twenty_steps(whole_run: RunFolder, tiny: Any, tmp_path: Path) -> None:
    half = {**EVERYTHING, "training": {**EVERYTHING["training"], "max_steps": 10}}
    folder, _ = train_small(tmp_path, tiny, **half)
    assert state_numbers(folder)["step"] == 10
    resume_run(folder.path, tiny, Heard(), Control(), {"training": {"max_steps": 20}})
    assert_same_run(folder, whole_run)


@pytest.fixture(params=["plain", pytest.param("tiny", marks=pytest.mark.slow)])
def lent(request: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, RunFolder]:
    """A model and its 20 uninterrupted steps; ``tiny`` shows what ``plain`` shows, on a real model."""
    if request.param == "tiny":
        return request.getfixturevalue("tiny"), request.getfixturevalue("whole_run")
    return PlainBackbone(), train_small(tmp_path_factory.mktemp("plain"), PlainBackbone(), **EVERYTHING)[0]


@pytest.mark.parametrize("step", [1, 7, 19])
def test_a_stopped_run_goes_on_as_if_it_had_not_been_stopped(step: int, lent: Any, tmp_path: Path) -> None:
    (model, whole), control = lent, Control()
    folder, finished = train_small(tmp_path, model, Heard(Progress, step, control.stop), control, **EVERYTHING)
    assert (finished.step, finished.reason) == (step, "stopped")
    resume_run(folder.path, model, Heard(), Control())
    assert_same_run(folder, whole)


@pytest.mark.parametrize("step", [1, 9, 19])
def test_a_run_that_failed_goes_on_as_if_it_had_not(step: int, lent: Any, tmp_path: Path) -> None:
    model, whole = lent
    with pytest.MonkeyPatch.context() as patch:
        fail = Raiser(RuntimeError("out of memory"))
        listener = Heard(Progress, step, lambda: patch.setattr(model, "predict", fail))
        with pytest.raises(RuntimeError, match="out of memory"):
            train_small(tmp_path, model, listener, **EVERYTHING)
    folder = only_run(tmp_path)
    assert state_numbers(folder)["step"] == step
    resume_run(folder.path, model, Heard(), Control())
    assert_same_run(folder, whole)


@pytest.mark.parametrize("kind", [Progress, Evaluated, Saved])
@pytest.mark.parametrize("step", [4, 5])
def test_a_listener_that_raises_costs_nothing(kind: type, step: int, plain: PlainBackbone, tmp_path: Path) -> None:
    """Every place between two steps where a run can break, on a model that can be run often."""
    changes = {"training": {"max_steps": 8, "evaluate_every_n_steps": 1}, "output": {"save_every_n_steps": 1}}
    whole, _ = train_small(tmp_path / "whole", plain, **changes)
    with pytest.raises(ZeroDivisionError):
        train_small(tmp_path / "broken", plain, Heard(kind, step, Raiser(ZeroDivisionError())), **changes)
    folder = only_run(tmp_path / "broken")
    assert state_numbers(folder)["step"] == step
    resume_run(folder.path, plain, Heard(), Control())
    assert same(state_tensors(folder), state_tensors(whole))
    assert rows(folder) == rows(whole)


def test_a_run_that_failed_in_its_first_step_starts_over(plain: PlainBackbone, tmp_path: Path) -> None:
    whole, _ = train_small(tmp_path / "whole", plain, preview={"every_n_steps": 2})
    heard = Heard(Evaluated, 0, Raiser(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        train_small(tmp_path / "broken", plain, heard, preview={"every_n_steps": 2})
    folder = only_run(tmp_path / "broken")
    resume_run(folder.path, plain, Heard(), Control())
    assert_same_run(folder, whole)


def test_resumed_files_have_no_row_twice(plain: PlainBackbone, tmp_path: Path) -> None:
    """The state is older than the files, as after a power cut, and their last lines are torn."""
    folder, _ = train_small(tmp_path, plain, output={"save_every_n_steps": 4})
    whole_rows, whole_steps = rows(folder), [e["step"] for e in logged(folder) if e["event"] == "Progress"]
    older, _ = train_small(tmp_path / "older", plain, training={"max_steps": 4})
    folder.state.write_bytes(older.state.read_bytes())
    for path in (folder.loss, folder.events):
        text = path.read_text("utf-8")
        path.write_text(text[: len(text) - 9], "utf-8")
    resume_run(folder.path, plain, Heard(), Control())
    assert rows(folder) == whole_rows
    assert [e["step"] for e in logged(folder) if e["event"] == "Progress"] == whole_steps
    assert logged(folder)[-1]["event"] == "Finished"


def test_a_run_that_skipped_steps_goes_on_with_the_same_draws(plain: PlainBackbone, tmp_path: Path) -> None:
    def skipping(backbone: PlainBackbone, bad: set[int]) -> PlainBackbone:
        predict = backbone.predict
        calls = iter(range(1000))

        def sometimes_nan(x_t: torch.Tensor, t: torch.Tensor, conditioning: Any) -> torch.Tensor:
            if torch.is_grad_enabled() and next(calls) in bad:
                return predict(x_t, t, conditioning) * torch.nan
            return predict(x_t, t, conditioning)

        backbone.predict = sometimes_nan
        return backbone

    whole, _ = train_small(tmp_path / "whole", skipping(PlainBackbone(), {1, 4}), training={"max_steps": 8})
    assert state_numbers(whole)["skipped"] == 2
    parted, _ = train_small(tmp_path / "parted", skipping(PlainBackbone(), {1}), training={"max_steps": 3})
    resume_run(parted.path, skipping(PlainBackbone(), {0}), Heard(), Control(), {"training": {"max_steps": 8}})
    assert same(state_tensors(parted), state_tensors(whole))
    assert rows(parted)[-2:] == rows(whole)[-2:]
