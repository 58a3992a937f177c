"""The WebUI as a ``Host``: the loan is shown in the host's state and ends whatever happens."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.entry.fake_host import FakeHost
from train_gamma.errors import UserError
from train_gamma.host import LoadedModel
from train_gamma.hosts.webui_host import WebuiHost
from train_gamma.training.config import ModelConfig
from train_gamma.training.events import Control, Started


class Lender:
    """A lender that holds the host's queue, as the real one does, and notes what happened in which order."""

    def __init__(self, host: FakeHost) -> None:
        self.host, self.log = host, []  # type: ignore[var-annotated]
        self.refuses = ""
        self.identity = "the model"

    @contextmanager
    def borrowed(self, model: ModelConfig, control: Control) -> Iterator[Any]:
        if self.refuses:
            raise UserError(self.refuses)
        with self.host.lock:
            self.log.append("lent")
            try:
                yield self
            finally:
                self.log.append(f"returned while the state's job is '{self.host.state.job}'")

    def give_way(self) -> None:
        self.host.lock.release()
        self.host.state.begin("task(txt2img)")
        self.host.state.interrupt()
        self.host.state.end()
        self.host.lock.acquire()

    def look(self, model: ModelConfig) -> str:
        return f"looking at {model.path}"

    def describe_loaded(self) -> LoadedModel:
        return LoadedModel("miniature [0123456789]")


@pytest.fixture
def lender(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> Lender:
    made = Lender(host)
    module = ModuleType("train_gamma.hosts.webui_backbone")
    vars(module).update(borrowed=made.borrowed, look=made.look, describe_loaded=made.describe_loaded)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return made


def test_the_loan_is_seen_in_the_state_and_given_back_before_the_queue(host: FakeHost, lender: Lender) -> None:
    webui, control = WebuiHost(), Control()
    reporter = webui.reporter("a fox", control)
    with webui.borrow(ModelConfig(), control) as backbone:
        reporter(Started(0, 10, Path()))
        assert host.state.job_count == 10
        assert host.state.textinfo is not None
        assert "a fox" in host.state.textinfo
        assert backbone.identity == "the model"
        task = host.tasks.current_task
    assert lender.log == ["lent", "returned while the state's job is ''"]
    assert host.tasks.seen(str(task)) == "completed"
    assert webui.mirror is None


def test_the_turn_of_others_between_steps_does_not_end_the_job(host: FakeHost, lender: Lender) -> None:
    webui, control = WebuiHost(), Control()
    reporter = webui.reporter("a fox", control)
    with webui.borrow(ModelConfig(), control) as backbone:
        backbone.give_way()
        reporter(Started(1, 10, Path()))
        assert not control.stop_requested
        assert host.state.job_count == 10


def test_an_exception_in_the_job_leaves_the_host_as_it_was(host: FakeHost, lender: Lender) -> None:
    webui = WebuiHost()
    with pytest.raises(ZeroDivisionError), webui.borrow(ModelConfig(), Control()):
        raise ZeroDivisionError
    assert host.state.job == ""
    assert not host.lock.locked()
    assert host.tasks.current_task is None
    assert not host.tasks.pending_tasks
    assert webui.mirror is None


def test_a_loan_that_is_refused_waits_no_longer(host: FakeHost, lender: Lender) -> None:
    lender.refuses = "fp8 weights"
    with pytest.raises(UserError, match="fp8"), WebuiHost().borrow(ModelConfig(), Control()):
        pass
    assert not host.tasks.pending_tasks


def test_looking_and_what_is_loaded_come_from_the_lender(host: FakeHost, lender: Lender) -> None:
    webui = WebuiHost()
    assert webui.look(ModelConfig(path="a")) == "looking at a"
    assert webui.loaded().title == "miniature [0123456789]"
    assert webui.lends_loaded_model
    assert webui.name == "AUTOMATIC1111 1.9.4"
    assert webui.folders.embeddings == host.embeddings
