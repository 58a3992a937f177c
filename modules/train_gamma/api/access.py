"""Who may use the API."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from secrets import compare_digest
from urllib.parse import urlsplit

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
        return not self.locked or self.is_token(token) or self._is_user(authorization)

    def is_token(self, token: str) -> bool:
        """Whether this is the page's token."""
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
    """Let a request pass, or answer 401, or 403 where a browser sends it for a page of another site.

    Such a page may send requests although it does not get to see the answers, and the browser adds the user and
    password that it knows. So what changes anything must come from the own page, or from no page at all.

    The token is in the header ``X-Train-Gamma-Token``; pictures and reports, which a page asks for without headers of
    its own, have it as ``?token=``.
    """
    rules: AccessRules = request.app.state.train_gamma_access
    token = request.headers.get(TOKEN_HEADER, "")
    if not token and request.method == "GET" and _is_opened_by_itself(request.url.path):
        token = request.query_params.get("token", "")
    if not rules.allow(token, request.headers.get("Authorization", "")):
        raise HTTPException(
            401, "Sign in with the user and password of the API.", {"WWW-Authenticate": 'Basic realm="Train Gamma"'}
        )
    if request.method != "GET" and _is_from_elsewhere(request.headers) and not rules.is_token(token):
        raise HTTPException(
            403,
            "The header Origin names another site than Host, so the request is not taken. Send it from the page "
            f"itself, without Origin, or with the page's {TOKEN_HEADER}.",
        )


def _is_opened_by_itself(path: str) -> bool:
    """Whether the page asks for it by its address alone: a picture, or a report in a window of its own."""
    return any(part in path for part in ("/previews/", "/thumbnails/")) or path.endswith(
        ("/tag/thumbnail", "/report.html", "/report.md")
    )


def _is_from_elsewhere(headers: Mapping[str, str]) -> bool:
    """Whether a browser says that the page which asks is of another host or port (WHATWG Fetch, "Origin")."""
    origin = headers.get("Origin")
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() != headers.get("Host", "").lower()
    except ValueError:
        return True
