"""A service over a small host."""

from pathlib import Path

import pytest

from tests.service.small_host import SmallHost
from train_gamma.service import Service


@pytest.fixture
def host(tmp_path: Path) -> SmallHost:
    return SmallHost(tmp_path)


@pytest.fixture
def service(host: SmallHost) -> Service:
    return Service(host)
