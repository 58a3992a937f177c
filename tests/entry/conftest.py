"""A WebUI that is not there."""

from pathlib import Path

import pytest

from tests.entry.fake_host import FakeHost, Processing, ProcessingTxt2Img, install


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
