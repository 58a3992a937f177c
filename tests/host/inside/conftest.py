"""The host as it was, before and after a test."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.host.inside.snapshot import nothing_changes


@pytest.fixture(scope="session", autouse=True)
def _networks(webui: Any) -> None:
    """What extensions do before the page is built; the LoRA extension makes itself known then."""
    from modules import script_callbacks

    script_callbacks.before_ui_callback()


@pytest.fixture
def unchanged(webui: Any) -> Iterator[None]:
    """Fails if the test leaves anything of the host changed."""
    with nothing_changes():
        yield
