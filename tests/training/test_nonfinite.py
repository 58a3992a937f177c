"""Losses and gradients that are not finite."""

import math
from collections.abc import Callable, Container
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.training.plain import PlainBackbone
from tests.training.runs import (
    Heard,
    embedding_vectors,
    logged,
    made_run,
    only_run,
    rows,
    state_numbers,
    state_tensors,
    train_small,
)
from train_gamma.training.events import Evaluated, Finished, Progress, Warned
from train_gamma.training.loop import take_step


def breaking(draws: Container[int], how: Callable[[Tensor], Tensor] = lambda y: y * torch.nan) -> PlainBackbone:
    """A model whose output is broken in the training calls with these numbers; there is one call a step."""
    backbone = PlainBackbone()
    predict, calls = backbone.predict, iter(range(10_000))

    def sometimes(x_t: Tensor, t: Tensor, conditioning: Any) -> Tensor:
        output = predict(x_t, t, conditioning)
        return how(output) if torch.is_grad_enabled() and next(calls) in draws else output

    backbone.predict = sometimes
    return backbone


class InfiniteGradient(torch.autograd.Function):
    """Leaves a value as it is, and makes its gradient infinite."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient * torch.inf


BROKEN = {
    "loss": lambda y: y * torch.nan,
    "infinite loss": lambda y: y * torch.inf,
    "gradient": InfiniteGradient.apply,
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_step_moves_nothing(kind: str, tmp_path: Path) -> None:
    run, heard = made_run(tmp_path, breaking({1, 2}, BROKEN[kind])), Heard()
    run.listener = heard
    (row,) = run.rows
    assert take_step(run)
    before, memory = row.detach().clone(), {k: v.clone() for k, v in run.optimizer.state[row].items()}
    for in_a_row in (1, 2):
        assert not take_step(run)
        assert row.detach().equal(before)
        assert all(run.optimizer.state[row][k].equal(v) for k, v in memory.items())
        assert (run.step, run.skipped, run.nonfinite) == (1, in_a_row, in_a_row)
    assert take_step(run)
    assert not row.detach().equal(before)
    assert (run.step, run.skipped, run.nonfinite) == (2, 2, 0)
    assert [
        f"The {kind.rsplit(maxsplit=1)[-1]} after step 1 was not finite" in e.message for e in heard.of(Warned)
    ] == [True, True]
    assert [e.step for e in heard.of(Progress)] == [1, 2]


def inputs_of(backbone: PlainBackbone, root: Path) -> list[tuple[Tensor, Tensor]]:
    """x_t and t of the first four steps that are drawn."""
    predict, inputs = backbone.predict, []

    def watched(x_t: Tensor, t: Tensor, conditioning: Any) -> Tensor:
        inputs.append((x_t.clone(), t.clone()))
        return predict(x_t, t, conditioning)

    backbone.predict = watched
    run = made_run(root, backbone)
    for _ in range(4):
        take_step(run)
    return inputs


def test_a_broken_step_is_over_and_the_next_ones_draw_what_they_always_would(tmp_path: Path) -> None:
    """Otherwise what broke one step, a picture say, would break all that follow."""
    whole, broken = inputs_of(PlainBackbone(), tmp_path / "whole"), inputs_of(breaking({0, 2}), tmp_path / "broken")
    assert len(whole) == len(broken) == 4
    assert all(a.equal(b) and t.equal(u) for (a, t), (b, u) in zip(whole, broken, strict=True))
    assert not whole[0][0].equal(whole[1][0])


def test_training_goes_on_after_a_few_broken_steps(tmp_path: Path) -> None:
    heard = Heard()
    folder, finished = train_small(tmp_path, breaking({0, 3, 4}), heard, training={"max_nonfinite_steps": 3})
    assert (finished.step, finished.reason) == (6, "finished")
    assert [float(row["loss"]) for row in rows(folder) if row["loss"]] == [e.loss for e in heard.of(Progress)]
    assert all(math.isfinite(event.loss) for event in heard.of(Progress))
    assert len([e for e in heard.of(Warned) if "not finite" in e.message]) == 3
    assert state_numbers(folder)["skipped"] == 3


@pytest.mark.parametrize("most", [1, 3])
def test_too_many_in_a_row_end_the_run_with_the_last_good_vectors(most: int, tmp_path: Path) -> None:
    heard = Heard()
    folder, finished = train_small(
        tmp_path, breaking(range(4, 10_000)), heard, training={"max_nonfinite_steps": most, "max_steps": 50}
    )
    path = folder.path / "zzgamma.safetensors"
    assert finished == Finished(4, "not finite", path) == heard.events[-1]
    copy = embedding_vectors(folder.copy("zzgamma", 4, "safetensors"))  # saved before anything broke
    assert embedding_vectors(path).equal(copy)
    assert state_tensors(folder)["vectors.clip_l"].equal(copy)
    assert len([e for e in heard.of(Warned) if "not finite" in e.message]) == most
    assert logged(folder)[-1]["reason"] == "not finite"


def test_a_run_that_is_broken_from_the_start_ends_with_the_vectors_it_began_with(tmp_path: Path) -> None:
    folder, finished = train_small(tmp_path, breaking(range(10_000)))
    run = made_run(tmp_path / "unbroken", PlainBackbone())
    assert (finished.step, finished.reason) == (0, "not finite")
    assert embedding_vectors(folder.path / "zzgamma.safetensors").equal(run.rows[0].detach())


def test_broken_vectors_are_not_put_among_the_finished_ones(tmp_path: Path) -> None:
    """A run that went wrong does not replace the embedding in the WebUI's folder."""
    export = tmp_path / "embeddings"
    export.mkdir()
    train_small(tmp_path, breaking(range(2, 10_000)), output={"export_to": str(export)})
    assert list(export.iterdir()) == []


def test_an_evaluation_that_is_not_finite_is_told_and_logged(tmp_path: Path) -> None:
    backbone, heard = PlainBackbone(), Heard()
    predict = backbone.predict

    def broken_in_evaluation(x_t: Tensor, t: Tensor, conditioning: Any) -> Tensor:
        return predict(x_t, t, conditioning) * (1 if torch.is_grad_enabled() else torch.nan)

    backbone.predict = broken_in_evaluation
    _, finished = train_small(tmp_path, backbone, heard)
    assert finished.reason == "finished"
    assert all(math.isnan(event.loss) for event in heard.of(Evaluated))
    told = [entry for entry in logged(only_run(tmp_path)) if entry["event"] == "Evaluated"]
    assert [entry["loss"] for entry in told] == [None] * 3
