"""The web application of ``train-gamma ui``: the API, the page, and the page's script and style."""

from pathlib import Path
from typing import Any, cast

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from train_gamma import __version__
from train_gamma.api import AccessRules, add_routes
from train_gamma.errors import UserError
from train_gamma.service import Service

ROOT = Path(__file__).parents[3]
SCRIPT, STYLE = ROOT / "javascript" / "train_gamma.js", ROOT / "style.css"
ASSETS = "/train-gamma/assets"

Scope = dict[str, Any]


def make_app(service: Service, rules: AccessRules, page: bool = True) -> FastAPI:
    """The application.

    Args:
        service: does everything.
        rules: who may use it. If they are locked, the page and everything else ask for user and password too.
        page: whether there is a page; without it gradio is not needed.

    Raises:
        UserError: if the page is asked for and what it needs is missing.
    """
    app = FastAPI(title="Train Gamma", version=__version__, docs_url="/docs", redoc_url=None)
    add_routes(app, service, rules)
    if page:
        _add_page(app, service, rules)
    if rules.locked:
        app.add_middleware(cast(Any, SignIn), rules=rules)
    return app


def _add_page(app: FastAPI, service: Service, rules: AccessRules) -> None:
    try:
        import gradio

        from train_gamma.ui.page import build_page
    except ImportError as error:
        raise UserError(
            f"The page needs gradio ({error}). Run: pip install 'sd-webui-train-gamma[standalone]', or use --no-page "
            "for the API alone."
        ) from error
    missing = [str(path) for path in (SCRIPT, STYLE) if not path.is_file()]
    if missing:
        raise UserError(
            f"The page's files are missing: {', '.join(missing)}. Install from the project's folder with pip install "
            "-e, or use --no-page for the API alone."
        )
    app.mount(f"{ASSETS}/javascript", StaticFiles(directory=SCRIPT.parent), name="train_gamma_script")
    app.add_api_route(f"{ASSETS}/style.css", _style, include_in_schema=False)
    blocks = build_page(service, rules.token)
    gradio.mount_gradio_app(app, blocks, path="/")
    app.add_middleware(cast(Any, PageHead), head=head())


def head() -> str:
    """What the page's head needs: the style, and every script there is, in the order of their names."""
    scripts = sorted(path.name for path in SCRIPT.parent.glob("*.js"))
    return f'<link rel="stylesheet" href=".{ASSETS}/style.css">' + "".join(
        f'<script src=".{ASSETS}/javascript/{name}" defer></script>' for name in scripts
    )


def _style() -> Any:
    from fastapi.responses import FileResponse

    return FileResponse(STYLE, media_type="text/css")


class PageHead:
    """Puts the script and the style into the head of the page, which gradio 3 has no way to do."""

    def __init__(self, app: Any, head: str) -> None:
        self._app, self._head = app, head.encode()

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Pass everything on, and add to the page itself."""
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] != "/":
            await self._app(scope, receive, send)
            return
        start: dict[str, Any] = {}
        body = bytearray()

        async def collect(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
                return
            if message["type"] != "http.response.body":
                await send(message)
                return
            body.extend(message.get("body", b""))
            if not message.get("more_body"):
                content = bytes(body).replace(b"</head>", self._head + b"</head>", 1)
                headers = [(key, value) for key, value in start["headers"] if key.lower() != b"content-length"]
                start["headers"] = [*headers, (b"content-length", str(len(content)).encode())]
                await send(start)
                await send({"type": "http.response.body", "body": content})

        headers = [(key, value) for key, value in scope["headers"] if key.lower() != b"accept-encoding"]
        await self._app({**scope, "headers": headers}, receive, collect)  # the page is changed, so not compressed


class SignIn:
    """Asks for user and password before anything is answered, the page and its files too."""

    def __init__(self, app: Any, rules: AccessRules) -> None:
        self._app, self._rules = app, rules

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Answer 401, or pass the request on."""
        headers = dict(scope.get("headers", ()))
        token = headers.get(b"x-train-gamma-token", b"").decode("latin-1")
        allowed = self._rules.allow(token, headers.get(b"authorization", b"").decode("latin-1"))
        if scope["type"] == "lifespan" or allowed:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            asked = (b"www-authenticate", b'Basic realm="Train Gamma"')
            await send({"type": "http.response.start", "status": 401, "headers": [asked]})
            await send({"type": "http.response.body", "body": b"Sign in with user and password."})
        else:
            await send({"type": "websocket.close", "code": 1008})
