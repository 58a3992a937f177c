"""``ui``: the page and the API in the browser, without the WebUI."""

import argparse
import logging
import secrets
import sys
import threading
from pathlib import Path
from typing import Any

from train_gamma.errors import UserError

HOME = ("127.0.0.1", "localhost", "::1")
SAVE_SECONDS = 120.0


def add_commands(commands: Any) -> None:
    """Add the command to the parser."""
    ui = commands.add_parser("ui", help="serve the page and the API in the browser")
    ui.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this computer only)")
    ui.add_argument("--port", type=int, default=7870, help="port to listen on (default: 7870)")
    ui.add_argument(
        "--data", type=Path, default=Path("train-gamma"), metavar="DIR", help="folder for embeddings, runs and presets"
    )
    ui.add_argument("--no-page", action="store_true", help="the API alone, which needs no gradio")
    ui.add_argument("--auth", default="", metavar="USER:PASSWORD", help="ask for a user and a password")
    ui.add_argument(
        "--allow",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="folder that requests may name files in, besides --data; without any, all of them on this computer alone",
    )
    ui.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C; a run that goes on then is stopped and saved."""
    try:
        import fastapi  # noqa: F401 - only whether it is there
        import uvicorn
    except ImportError as error:
        raise UserError(
            f"The page needs fastapi and uvicorn ({error}). Run: pip install 'sd-webui-train-gamma[standalone]'"
        ) from error
    from train_gamma.api import AccessRules
    from train_gamma.hosts.standalone import StandaloneHost
    from train_gamma.hosts.standalone_app import make_app
    from train_gamma.service import Service

    logging.basicConfig(format="[Train Gamma] %(message)s", stream=sys.stderr)
    logging.getLogger("train_gamma").setLevel(logging.INFO)
    at_home = arguments.host in HOME
    rules = AccessRules(_credentials(arguments.auth), bool(arguments.auth), secrets.token_urlsafe(24))
    host = StandaloneHost(arguments.data, arguments.allow or (() if at_home else (arguments.data,)))
    service = Service(host)
    app = make_app(service, rules, page=not arguments.no_page)
    if not (at_home or arguments.auth):
        print("Everybody who reaches this address can use it. Ask for a password with --auth.", file=sys.stderr)
    threading.Thread(target=_load_first, args=(host,), name="train_gamma first model", daemon=True).start()
    print(f"Train Gamma: http://{arguments.host}:{arguments.port}/  (data in {host.folders.runs.parent})")
    try:
        uvicorn.run(app, host=arguments.host, port=arguments.port, log_level="warning")
    finally:
        _end_job(service)
    return 0


def _credentials(auth: str) -> dict[str, str]:
    if not auth:
        return {}
    user, colon, password = auth.partition(":")
    if not (user and colon and password):
        raise UserError("--auth needs a user and a password with a colon between them, such as --auth me:secret.")
    return {user: password}


def _load_first(host: Any) -> None:
    """Load the built-in model, so that the first look at tokens does not wait for it."""
    from train_gamma.training.config import ModelConfig

    try:
        host.look(ModelConfig())
    except UserError as error:
        print(f"train-gamma ui: {error}", file=sys.stderr)


def _end_job(service: Any) -> None:
    job = service.jobs.current
    if job is not None:
        print(f"Stopping '{job.title}' and saving it ...", file=sys.stderr)
        job.control.stop()
        job.wait(SAVE_SECONDS)
