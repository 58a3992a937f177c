"""A browser for the tests that need one."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.ui.browsing import ARGUMENTS, CHROMIUM


@pytest.fixture
def browser() -> Iterator[Any]:
    """Chromium, which is closed after the test."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield opened
        opened.close()
