"""The plot's axis for copies: which pictures are made, with which vectors, and what is left behind."""

import logging
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.entry.fake_host import FakeHost, HostEmbedding, Processing
from train_gamma.backbone import ModelIdentity
from train_gamma.embedding.embedding import Embedding
from train_gamma.embedding.files import write_embedding
from train_gamma.errors import UserError
from train_gamma.hosts.webui_host import WebuiHost
from train_gamma.hosts.webui_xyz import LABEL, add_axis
from train_gamma.service import Service
from train_gamma.training.config import EmbeddingConfig, RunConfig
from train_gamma.training.run_folder import RunFolder, write_config


class AxisOption:
    """The plot's own class (scripts/xyz_grid.py of the host)."""

    def __init__(  # noqa: PLR0913, PLR0917 - as it is there
        self,
        label: str,
        type: Callable[[str], Any],  # noqa: A002
        apply: Any,
        format_value: Any = None,
        confirm: Any = None,
        cost: float = 0.0,
        choices: Any = None,
        prepare: Any = None,
    ) -> None:
        self.label, self.type, self.apply, self.format_value = label, type, apply, format_value
        self.confirm, self.cost, self.choices, self.prepare = confirm, cost, choices, prepare


@dataclass
class Request:
    """What the host makes a picture from. Prompts are encoded in ``setup_conds``."""

    host: FakeHost
    prompt: str = "fox, night"
    negative_prompt: str = ""
    seen: list[Any] = field(default_factory=list)
    closed: bool = False

    def setup_conds(self) -> None:
        if Processing.cached_c[0] != self.prompt:
            found = self.host.database.word_embeddings.get("fox")
            Processing.cached_c[:] = [self.prompt, None if found is None else found.vec]
        self.seen.append(Processing.cached_c[1])

    def close(self) -> None:
        self.closed = True


def plot(host: FakeHost, option: AxisOption, values: list[str], p: Request, between: Callable[[], None]) -> list[Any]:
    """A plot of one axis: each cell on a copy of the request, as scripts/xyz_grid.py does; what each was made with."""
    try:
        cells = [option.type(value) for value in values]
        option.confirm(p, cells)
        for cell in cells:
            pc = copy(p)
            option.apply(pc, cell, cells)
            between()  # the host may read its embeddings anew here, for another checkpoint
            pc.setup_conds()
        return p.seen
    finally:
        p.close()


def nothing() -> None:
    """Nothing happens between the choice of a cell and its picture."""


@pytest.fixture
def axis(host: FakeHost) -> AxisOption:
    module = SimpleNamespace(AxisOption=AxisOption, axis_options=[AxisOption("Nothing", str, None)])
    host.scripts.append(SimpleNamespace(path="/webui/scripts/loopback.py", module=SimpleNamespace()))
    host.scripts.append(SimpleNamespace(path="/webui/scripts/xyz_grid.py", module=module))
    service = Service(WebuiHost())
    add_axis(lambda: service)
    add_axis(lambda: service)
    added = [option for option in module.axis_options if option.label == LABEL]
    assert len(added) == 1
    return added[0]


def make_run(host: FakeHost, name: str = "fox-1", steps: tuple[int, ...] = (10, 20), last: float | None = 30.0) -> None:
    """A run folder whose copy of step n is full of n."""
    folder = RunFolder(WebuiHost().folders.runs / name)
    folder.copies.mkdir(parents=True)
    config = RunConfig(embedding=EmbeddingConfig(name="fox", num_vectors=2))
    write_config(folder, config, ModelIdentity("sd1", "m", "ab" * 32, "", "ab" * 32, 1))
    folder.events.write_text('{"event": "Started", "step": 0, "total_steps": 30}\n', "utf-8")
    for step in steps:
        vectors = {"clip_l": torch.full((2, 8), float(step))}
        write_embedding(Embedding("fox", vectors, step), folder.copy("fox", step, "safetensors"))
    if last is not None:
        write_embedding(Embedding("fox", {"clip_l": torch.full((2, 8), last)}, 30), folder.path / "fox.safetensors")


def values_of(seen: list[Any]) -> list[float]:
    return [float(vectors.mean()) for vectors in seen]


def test_a_run_stands_for_all_of_its_copies_in_order(host: FakeHost, axis: AxisOption) -> None:
    make_run(host, steps=(20, 100, 10))
    assert values_of(plot(host, axis, ["fox-1"], Request(host), nothing)) == [10, 20, 100, 30]


def test_steps_are_named_behind_the_run_and_commas_part_them(host: FakeHost, axis: AxisOption) -> None:
    make_run(host)
    assert values_of(plot(host, axis, ["fox-1:20", "10", "last"], Request(host), nothing)) == [20, 10, 30]


def test_a_run_may_be_given_as_its_folder(host: FakeHost, axis: AxisOption) -> None:
    make_run(host)
    folder = str(WebuiHost().folders.runs / "fox-1")
    assert values_of(plot(host, axis, [f"{folder}:10"], Request(host), nothing)) == [10]


def test_a_copy_that_is_named_twice_is_made_once(host: FakeHost, axis: AxisOption) -> None:
    make_run(host)
    assert values_of(plot(host, axis, ["fox-1:10", "fox-1"], Request(host), nothing)) == [10, 20, 30]


def test_a_run_that_was_broken_off_has_its_copies(host: FakeHost, axis: AxisOption) -> None:
    make_run(host, last=None)
    assert values_of(plot(host, axis, ["fox-1"], Request(host), nothing)) == [10, 20]


def test_every_cell_has_its_copy_though_the_host_reads_its_embeddings_anew(host: FakeHost, axis: AxisOption) -> None:
    make_run(host)
    (host.embeddings / "fox.safetensors").write_bytes(b"of the folder")
    p, between = Request(host), lambda: host.database.load_textual_inversion_embeddings(force_reload=True)
    assert values_of(plot(host, axis, ["fox-1"], p, between)) == [10, 20, 30]
    assert host.database.word_embeddings["fox"].vec == b"of the folder"


def test_the_embedding_is_what_it_was_after_the_plot(host: FakeHost, axis: AxisOption) -> None:
    make_run(host)
    (host.embeddings / "fox.safetensors").write_bytes(b"of the folder")
    host.database.load_textual_inversion_embeddings(force_reload=True)
    before = host.database.word_embeddings["fox"]
    p = Request(host)
    plot(host, axis, ["fox-1"], p, nothing)
    assert host.database.word_embeddings["fox"] is before
    assert p.closed
    p.setup_conds()  # and the same prompt gives it again
    assert p.seen[-1] == b"of the folder"


def test_the_first_cell_is_not_what_the_prompt_gave_before(host: FakeHost, axis: AxisOption) -> None:
    make_run(host)
    (host.embeddings / "fox.safetensors").write_bytes(b"of the folder")
    host.database.load_textual_inversion_embeddings(force_reload=True)
    p = Request(host)
    p.setup_conds()
    p.seen.clear()
    assert values_of(plot(host, axis, ["fox-1:10"], p, nothing)) == [10]


def test_what_the_host_has_read_anew_at_the_end_of_the_plot_stays(host: FakeHost, axis: AxisOption) -> None:
    make_run(host)
    host.database.word_embeddings["fox"] = HostEmbedding(b"before the plot", "fox")
    p, cells = Request(host), ["fox-1:10"]
    axis.confirm(p, cells)
    pc = copy(p)
    axis.apply(pc, cells[0], cells)
    pc.setup_conds()
    (host.embeddings / "fox.safetensors").write_bytes(b"of the folder")
    host.database.load_textual_inversion_embeddings(force_reload=True)
    p.close()
    assert host.database.word_embeddings["fox"].vec == b"of the folder"
    assert p.closed


def test_a_name_that_was_nobodys_is_nobodys_after_the_plot(host: FakeHost, axis: AxisOption) -> None:
    make_run(host)
    plot(host, axis, ["fox-1"], Request(host), nothing)
    assert "fox" not in host.database.word_embeddings


def test_a_plot_that_breaks_puts_the_embedding_back(host: FakeHost, axis: AxisOption) -> None:
    make_run(host)
    before = HostEmbedding(torch.zeros(2, 8), "fox")
    host.database.word_embeddings["fox"] = before
    p = Request(host)

    def breaks() -> None:
        if len(p.seen) == 1:
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError):
        plot(host, axis, ["fox-1"], p, breaks)
    assert host.database.word_embeddings["fox"] is before


def test_the_hosts_object_has_what_the_host_reads_of_it(host: FakeHost, axis: AxisOption) -> None:
    make_run(host)
    made: list[Any] = []
    p = Request(host)
    p.setup_conds = lambda: made.append(host.database.word_embeddings["fox"])  # type: ignore[method-assign]
    plot(host, axis, ["fox-1:20"], p, nothing)
    (embedding,) = made
    assert (embedding.vectors, embedding.shape, embedding.step) == (2, 8, 20)
    assert len(embedding.shorthash) == 12
    assert embedding.sd_checkpoint is None or len(embedding.sd_checkpoint) == 10


def test_copies_for_another_kind_of_model_are_refused(host: FakeHost, axis: AxisOption) -> None:
    make_run(host)
    host.database.expected_shape = 768
    with pytest.raises(UserError, match="768"):
        plot(host, axis, ["fox-1"], Request(host), nothing)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["nobody"], "no run 'nobody'"),
        (["fox-1:15"], "no copy '15'. It has: 10, 20, last"),
        (["10"], "run:10"),
        (["empty"], "no copies"),
    ],
)
def test_what_is_not_there_is_said_before_anything_is_made(
    host: FakeHost, axis: AxisOption, values: list[str], said: str
) -> None:
    make_run(host)
    make_run(host, "empty", steps=(), last=None)
    with pytest.raises(UserError, match=said):
        plot(host, axis, values, Request(host), nothing)


def test_a_prompt_without_the_word_is_warned_of(
    host: FakeHost, axis: AxisOption, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("train_gamma"), "propagate", True)
    make_run(host)
    plot(host, axis, ["fox-1"], Request(host, prompt="a cat"), nothing)
    assert "'fox'" in caplog.text


def test_the_dropdown_offers_runs_and_copies(host: FakeHost, axis: AxisOption) -> None:
    make_run(host)
    make_run(host, "empty", steps=(), last=None)
    assert axis.choices() == ["fox-1", "fox-1:10", "fox-1:20", "fox-1:last"]
    assert Path(WebuiHost().folders.runs / "empty").is_dir()


def test_a_webui_without_the_plot_is_fine(host: FakeHost) -> None:
    host.scripts.clear()
    add_axis(lambda: Service(WebuiHost()))
