"""A browser for the tests that need one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.service.small_host import SmallHost
from tests.ui.browsing import ARGUMENTS, CHROMIUM, Served
from train_gamma.demo.samples import write_dataset
from train_gamma.service import Service


@pytest.fixture
def browser() -> Iterator[Any]:
    """Chromium, which is closed after the test."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def dataset_server(tmp_path: Path) -> Iterator[Served]:
    """The stand-alone app over a small host."""
    host = SmallHost(tmp_path)
    made = Served(Service(host))
    made.start()
    yield made
    host.backbone.go.set()
    made.stop()


@pytest.fixture
def few_pictures(tmp_path: Path) -> Path:
    """Eight drawn pictures, whose captions have two tags in common, one of their own, and one of two."""
    folder = tmp_path / "[a] set"
    write_dataset(0, folder, 8, captions="none")
    for number in range(1, 9):
        words = ["1girl", "red hair", f"place {number}", "hat" if number % 2 else "cap"]
        (folder / f"{number:03}.txt").write_text(", ".join(words), "utf-8")
    return folder
