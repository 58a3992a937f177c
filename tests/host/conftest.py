"""A real WebUI for the tests in this folder, given by ``--webui PATH``. They run with that WebUI's own Python."""

import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.host.launching import ENVIRONMENT, FLAGS, Server, install_extension, make_data_folder, start_server

OF_THE_HOST = "starlette.websockets.WebSocketDisconnect"
"""What gradio 3 logs when a page is left or reloaded while it asks for something."""


@pytest.fixture(scope="session")
def webui_path(request: pytest.FixtureRequest) -> Path:
    """The folder of the WebUI; tests that need it are skipped when there is none."""
    given = request.config.getoption("--webui")
    if given is None:
        pytest.skip("needs a WebUI: run with its Python, and --webui PATH")
    path = Path(given).resolve()
    if not (path / "webui.py").is_file():
        pytest.fail(f"--webui {path}: that is not the folder of a WebUI")
    if importlib.util.find_spec("gradio") is None:
        pytest.fail(f"run these tests with the WebUI's own Python, not {sys.executable}")
    return path


@pytest.fixture(scope="session")
def server(webui_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A started WebUI with the extension, for the whole session. Its log must have no traceback at the end."""
    data = tmp_path_factory.mktemp("server")
    make_data_folder(data)
    install_extension(data)
    started = start_server(webui_path, data)
    yield started
    started.stop()
    unknown = [text for text in tracebacks(started.log_text()) if OF_THE_HOST not in text]
    assert not unknown, unknown[0][:3000]


def tracebacks(log: str) -> list[str]:
    """Each traceback of a log, up to the line that names the exception."""
    return re.findall(r"^Traceback \(most recent call last\):\n(?:[ \t].*\n)*.*$", log, re.MULTILINE)


@pytest.fixture(scope="session")
def webui(webui_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The WebUI's ``modules.shared``, loaded in this very process, with the miniature checkpoint ready."""
    data = tmp_path_factory.mktemp("inside")
    sys.argv = [sys.argv[0], *FLAGS, *make_data_folder(data)]
    os.environ.update(ENVIRONMENT)
    os.chdir(webui_path)
    sys.path.insert(0, str(webui_path))
    from modules import initialize

    initialize.imports()
    initialize.initialize()
    from modules import shared

    assert shared.sd_model is not None
    return shared


@pytest.fixture
def shoot(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Any, str], None]:
    """Takes a screenshot, into the folder given by ``--shots``."""
    folder = Path(request.config.getoption("--shots") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)

    def take(page: Any, name: str) -> None:
        page.evaluate("window.scrollTo(0, 0)")
        page.screenshot(path=str(folder / f"{name}.png"))

    return take
