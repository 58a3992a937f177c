"""The stand-alone app on a port, and a page of it in a browser."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from train_gamma.service import Service

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


class Served:
    """The app on a port of its own, which can be stopped and started again."""

    def __init__(self, service: Service) -> None:
        self.service = service
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self.token = "a token"

    def start(self) -> None:
        import uvicorn

        from train_gamma.api import AccessRules
        from train_gamma.hosts.standalone_app import make_app

        app = make_app(self.service, AccessRules({}, False, self.token))
        config = uvicorn.Config(app, port=self.port, log_level="error", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.05)

    def stop(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(20)


@contextmanager
def page_of(browser: Any, served: Served) -> Iterator[Any]:
    """A page whose form is filled; errors of its script fail the test."""
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.set_default_timeout(20_000)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(served.url)
    page.wait_for_selector("#train_gamma_create_name_check p", state="attached", timeout=60_000)
    yield page
    page.close()
    assert problems == []


def fill(page: Any, name: str, value: str) -> None:
    page.locator(f"#train_gamma_{name}").locator("textarea, input[type=number], input").first.fill(value)


def choose(page: Any, name: str, value: str) -> None:
    """Type into a dropdown, key by key, and leave it, which closes its list."""
    box = page.locator(f"#train_gamma_{name} input").first
    box.click()
    box.press_sequentially(value)
    page.keyboard.press("Enter")
    page.locator("#train_gamma_dataset_folder input").focus()
