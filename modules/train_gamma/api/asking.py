"""Routes that only look: the host, the settings there are, and what follows from settings."""

from typing import Any

from fastapi import Request

from train_gamma import __version__
from train_gamma.api.answers import plain
from train_gamma.api.bodies import Settings, TrainRequest
from train_gamma.service import Service
from train_gamma.training.config_reading import describe, from_dict, section_types


def service_of(request: Request) -> Service:
    """The service that the app was given."""
    service: Service = request.app.state.train_gamma_service
    return service


def state(request: Request) -> dict[str, Any]:
    """The host, its model, the job that runs, and the folders."""
    service = service_of(request)
    current = service.jobs.current
    return {
        "host": service.host.name,
        "version": __version__,
        "model": plain(service.host.loaded()),
        "job": None if current is None else current.id,
        "folders": plain(service.host.folders),
    }


def options() -> dict[str, list[dict[str, Any]]]:
    """Every setting by section: key, default, label, help, range and choices."""
    return {
        name: [{"key": key, "default": plain(default), **plain(metadata)} for key, default, metadata in describe(kind)]
        for name, kind in section_types().items()
    }


def derive(request: Request, body: Settings) -> dict[str, Any]:
    """The numbers that follow from settings: steps, epochs, pictures per step, file size and time."""
    answer: dict[str, Any] = plain(service_of(request).derive(from_dict(body.config)))
    return answer


def tokens(request: Request, body: Settings) -> dict[str, Any]:
    """What the vectors begin as, token by token."""
    config = from_dict(body.config)
    answer: dict[str, Any] = plain(service_of(request).explain_start(config.embedding, config.model, config.dataset))
    return answer


def check(request: Request, body: TrainRequest) -> dict[str, Any]:
    """The check before the start: everything that would spoil the run, with what to do about it."""
    findings = service_of(request).check(from_dict(body.config), body.replace)
    return {"ok": all(finding.level != "error" for finding in findings), "findings": plain(findings)}
