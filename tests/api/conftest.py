"""An app with the API over a small host, and a client."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.service.small_host import SmallHost
from train_gamma.api import AccessRules, add_routes
from train_gamma.service import Service

V1 = "/train-gamma/v1"


class Client:
    """Sends requests to ``/train-gamma/v1`` and returns status and content."""

    def __init__(self, host: SmallHost, rules: AccessRules | None = None) -> None:
        self.app = FastAPI()
        self.service = Service(host)
        add_routes(self.app, self.service, rules or AccessRules())
        self.http = TestClient(self.app)

    def get(self, path: str, **keywords: Any) -> Any:
        return self.http.get(V1 + path, **keywords)

    def post(self, path: str, content: Any = None, **keywords: Any) -> Any:
        return self.http.post(V1 + path, json=content, **keywords)

    def ok(self, answer: Any) -> Any:
        """The content of an answer that must be a good one."""
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def host(tmp_path: Path) -> SmallHost:
    return SmallHost(tmp_path)


@pytest.fixture
def client(host: SmallHost) -> Client:
    return Client(host)


@pytest.fixture
def make_client() -> Callable[..., Client]:
    return Client
