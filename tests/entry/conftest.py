"""A WebUI that is not there."""

import logging
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.entry.fake_host import FakeHost, Processing, ProcessingTxt2Img, install
from train_gamma.hosts import webui


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    """A WebUI made of modules in ``sys.modules``."""
    made = FakeHost(tmp_path / "webui")
    install(made, monkeypatch)
    for owner in (Processing, ProcessingTxt2Img):
        for name, value in list(vars(owner).items()):
            if name.startswith("cached_"):
                monkeypatch.setattr(owner, name, list(value))
    return made


@pytest.fixture(autouse=True)
def _own_installation(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installation of this test's own, with the package's modules, log and Ctrl-C as they were."""
    webui.installation.cache_clear()
    logger, handlers = logging.getLogger("train_gamma"), list(logging.getLogger("train_gamma").handlers)
    level, propagate = logger.level, logger.propagate
    modules, path = dict(sys.modules), list(sys.path)
    ctrl_c = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, ctrl_c)
    logger.handlers, logger.level, logger.propagate = handlers, level, propagate
    sys.modules.update(modules)
    sys.path[:] = path
    webui.installation.cache_clear()
