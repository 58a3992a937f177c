"""Who may use the API."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from secrets import compare_digest

from fastapi import HTTPException, Request

TOKEN_HEADER = "X-Train-Gamma-Token"


@dataclass(frozen=True)
class AccessRules:
    """Who may use the API.

    Attributes:
        credentials: passwords by user, for programs that sign in with HTTP Basic.
        locked: whether anything at all is asked for. Off: everything is open, as the host's own API is.
        token: random for each start; the page has it and sends it along. "" for none.
    """

    credentials: Mapping[str, str] = field(default_factory=dict)
    locked: bool = False
    token: str = ""

    def allow(self, token: str, authorization: str) -> bool:
        """Whether a request with this token and this Authorization header may pass."""
        return not self.locked or self._is_token(token) or self._is_user(authorization)

    def _is_token(self, token: str) -> bool:
        return bool(self.token) and compare_digest(token.encode(), self.token.encode())

    def _is_user(self, authorization: str) -> bool:
        scheme, _, encoded = authorization.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        except (binascii.Error, ValueError):
            return False
        matches = [
            compare_digest(name, user.encode()) & compare_digest(password, known.encode())
            for user, known in self.credentials.items()
        ]
        return bool(colon) and any(matches)


async def check_access(request: Request) -> None:
    """Let a request pass or answer 401.

    The token is in the header ``X-Train-Gamma-Token``; pictures, which a page asks for without headers of its own,
    have it as ``?token=``.
    """
    rules: AccessRules = request.app.state.train_gamma_access
    token = request.headers.get(TOKEN_HEADER, "")
    if not token and request.method == "GET" and "/previews/" in request.url.path:
        token = request.query_params.get("token", "")
    if not rules.allow(token, request.headers.get("Authorization", "")):
        raise HTTPException(
            401, "Sign in with the user and password of the API.", {"WWW-Authenticate": 'Basic realm="Train Gamma"'}
        )
