"""Routes of tagging."""

from typing import Any

from fastapi import Request
from fastapi.responses import FileResponse

from train_gamma.api.answers import plain
from train_gamma.api.asking import service_of
from train_gamma.api.bodies import LiveRequest, PictureRequest, RestoreRequest, TagRequest
from train_gamma.api.sent_pictures import read_sent_picture
from train_gamma.tagging.config import TagConfig
from train_gamma.tagging.config_reading import read_tag_config
from train_gamma.training.config_reading import describe


def list_taggers(request: Request) -> dict[str, Any]:
    """The taggers and captioners, why those that cannot be used cannot, and what is in memory."""
    tagging = service_of(request).tagging
    return {"taggers": plain(tagging.entries()), "loaded": tagging.loaded}


def unload(request: Request) -> dict[str, str]:
    """Free the memory of what is loaded, and tell its name."""
    return {"unloaded": service_of(request).tagging.unload()}


def options() -> dict[str, Any]:
    """Every setting of a tagging run: key, default, label, help, range and choices."""
    return {
        "options": [
            {"key": key, "default": plain(default), **plain(metadata)} for key, default, metadata in describe(TagConfig)
        ]
    }


def plan(request: Request, body: TagRequest) -> dict[str, Any]:
    """What a run would do: pictures, how many of them are known already, and what becomes of which captions."""
    answer: dict[str, Any] = plain(service_of(request).tagging.plan(read_tag_config(body.config)))
    return answer


def live(request: Request, body: LiveRequest) -> dict[str, Any]:
    """What settings give for the folder's tags and for one picture, from what is known, without running a model."""
    answer: dict[str, Any] = plain(service_of(request).tagging.live(read_tag_config(body.config), body.picture))
    return answer


def proposals(request: Request, body: TagRequest) -> dict[str, Any]:
    """What a run would write for each picture that is known."""
    return {"proposals": plain(service_of(request).tagging.proposals(read_tag_config(body.config)))}


def tag(request: Request, body: TagRequest) -> dict[str, str]:
    """Begin to tag a folder. Answers at once with the id of the job; 409 when a job runs."""
    return {"job": service_of(request).tagging.tag(read_tag_config(body.config)).id}


def look_at_picture(request: Request, body: PictureRequest) -> dict[str, Any]:
    """What is in one picture: ranked tags with their categories, the rating, and the caption by the settings."""
    config = read_tag_config(body.config)
    picture = read_sent_picture(body.image, config.background)
    answer: dict[str, Any] = plain(service_of(request).tagging.interrogate(picture, config))
    return answer


def thumbnail(request: Request, path: str, size: int = 256) -> FileResponse:
    """A small copy of a picture, as JPEG."""
    small = service_of(request).tagging.thumbnail(path, size)
    return FileResponse(small, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=600"})


def list_backups(request: Request, folder: str) -> dict[str, Any]:
    """The captions of a folder as they were before runs, the newest first."""
    kept = service_of(request).tagging.backups(folder)
    return {"backups": [{**plain(one), "when": one.when.isoformat()} for one in kept]}


def restore(request: Request, body: RestoreRequest) -> dict[str, str]:
    """Put captions back as they were."""
    return {"done": service_of(request).tagging.restore(body.folder, body.name)}
