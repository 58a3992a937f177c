"""The two routes of the WD 1.4 tagger extension that other programs call, for when that extension is not there.

As in toriato/stable-diffusion-webui-wd14-tagger, tagger/api.py (99bf7d8): the answer has the ratings and the tags above
the threshold in one object, by their names in the model's list.

If another extension serves one of these paths when ours are added, ours are not. FastAPI gives a request to the route
that was added first, and extensions are started one after the other; so ours also look, at each request, whether
somebody has come after them, and then leave the request to those.
"""

from collections.abc import Callable
from typing import Any

from fastapi import Depends, FastAPI, Request
from starlette.routing import Match

from train_gamma.api.access import check_access
from train_gamma.api.answers import answering
from train_gamma.api.asking import service_of
from train_gamma.api.bodies import ForeignRequest
from train_gamma.api.sent_pictures import read_sent_picture
from train_gamma.errors import UserError
from train_gamma.service.places import UnknownError
from train_gamma.tagging.config import TagConfig
from train_gamma.tagging.interrogator import RATING


def interrogate(request: Request, body: ForeignRequest) -> dict[str, Any]:
    """The ratings and tags of one picture, as the WD 1.4 tagger extension answers; none below 0.05."""
    if not body.image:
        raise UnknownError("Image not found")
    config = TagConfig(model=_known(request, body.model))
    found = service_of(request).tagging.interrogate(read_sent_picture(body.image, config.background), config)
    tags = {tag.name: tag.probability for tag in found.tags if tag.category != RATING}
    return {"caption": {**found.ratings, **{name: p for name, p in tags.items() if p >= body.threshold}}}


def interrogators(request: Request) -> dict[str, list[str]]:
    """The names of the taggers that can be used."""
    entries = service_of(request).tagging.entries()
    return {"models": [entry.name for entry in entries if entry.kind == "tagger" and not entry.problem]}


ROUTES: tuple[tuple[str, str, Callable[..., Any]], ...] = (
    ("POST", "/tagger/v1/interrogate", interrogate),
    ("GET", "/tagger/v1/interrogators", interrogators),
)
_PATHS = {path for _, path, _ in ROUTES}


def add_foreign_routes(app: FastAPI) -> None:
    """Add the two routes, unless somebody serves one of them."""
    if any(getattr(route, "path", "") in _PATHS for route in app.routes):
        return
    own: list[Any] = []
    for method, path, route in ROUTES:
        app.add_api_route(
            path,
            answering(route),
            methods=[method],
            dependencies=[Depends(check_access)],
            tags=["Train Gamma"],
            name=f"train_gamma_foreign_{route.__name__}",
        )
        own.append(app.routes[-1])
    for route in own:
        route.matches = _giving_way(route.matches, app, own)


def _giving_way(matches: Callable[..., Any], app: FastAPI, own: list[Any]) -> Callable[..., Any]:
    """What a route matches, which is nothing as soon as others serve the paths."""

    def matched(scope: Any) -> Any:
        others = any(getattr(route, "path", "") in _PATHS and route not in own for route in app.routes)
        return (Match.NONE, {}) if others else matches(scope)

    return matched


def _known(request: Request, model: str) -> str:
    try:
        return service_of(request).tagging.entry(model).name
    except UserError as error:
        raise UnknownError(str(error)) from error
