"""Routes of jobs: begin, watch, command."""

from typing import Any

from fastapi import Request
from fastapi.responses import FileResponse

from train_gamma.api.asking import service_of
from train_gamma.api.bodies import ResumeRequest, TrainRequest
from train_gamma.jobs import Job
from train_gamma.service.places import UnknownError
from train_gamma.training.config_reading import from_dict

SHORT = ("id", "kind", "title", "state", "message", "run", "embedding", "step", "total_steps", "done", "total")
"""Those of a job's keys that the list has, as far as the job has them."""
WITHOUT_CURVE = 2**62
"""A step that no run reaches."""


def train(request: Request, body: TrainRequest) -> dict[str, str]:
    """Begin a run. Answers at once with the id of its job; 409 when a job runs."""
    return {"job": service_of(request).train(from_dict(body.config), body.replace).id}


def resume(request: Request, body: ResumeRequest) -> dict[str, str]:
    """Go on with a run from its last save. Answers at once with the id of its job; 409 when a job runs."""
    return {"job": service_of(request).resume(body.run, body.changes).id}


def list_jobs(request: Request) -> dict[str, Any]:
    """The jobs since the program started, the newest first, and the one that runs."""
    jobs = service_of(request).jobs
    current, shown = jobs.current, [job.snapshot(WITHOUT_CURVE) for job in jobs.all()]
    return {
        "current": None if current is None else current.id,
        "jobs": [{key: content[key] for key in SHORT if key in content} for content in shown],
    }


def get_job(request: Request, job: str, since: int = 0) -> dict[str, Any]:
    """Everything about a job; of its curve the steps above ``since``."""
    return find_job(request, job).snapshot(since)


def stop(request: Request, job: str) -> dict[str, Any]:
    """End a job after its current step or batch, with everything saved."""
    found = find_job(request, job)
    found.control.stop()
    return {"state": found.state}


def save(request: Request, job: str) -> dict[str, Any]:
    """Write a copy after the current step."""
    found = find_job(request, job)
    found.control.save_now()
    return {"state": found.state}


def preview(request: Request, job: str) -> dict[str, Any]:
    """Make previews after the current step."""
    found = find_job(request, job)
    found.control.preview_now()
    return {"state": found.state}


def preview_picture(request: Request, job: str, step: int, index: int) -> FileResponse:
    """The preview picture of a prompt after a step, as PNG."""
    folder = find_job(request, job).run
    return picture(request, "" if folder is None else folder.name, step, index)


def picture(request: Request, run: str, step: int, index: int) -> FileResponse:
    """A preview picture of a run.

    Raises:
        UnknownError: if there is none.
    """
    path = service_of(request).preview(run, step, index)
    if path is None:
        raise UnknownError(f"There is no preview {index} of step {step}.")
    return FileResponse(path, media_type="image/png", headers={"Cache-Control": "private, max-age=3600"})


def find_job(request: Request, job: str) -> Job:
    """The job of an id.

    Raises:
        UnknownError: if there is none.
    """
    service = service_of(request)
    found = service.jobs.get(job) or service.datasets.jobs.get(job)
    if found is None:
        raise UnknownError(f"There is no job '{job}'. Jobs are forgotten when the program ends; runs stay.")
    return found
