"""Routes of what lies in folders: runs, embeddings, presets, the sample pictures."""

from typing import Any

from fastapi import Request
from fastapi.responses import FileResponse

from train_gamma.api.answers import plain
from train_gamma.api.asking import service_of
from train_gamma.api.bodies import PresetValues, Settings
from train_gamma.api.jobs import picture
from train_gamma.training.config_reading import from_dict


def create(request: Request, body: Settings) -> dict[str, str]:
    """Write an untrained embedding into the host's folder."""
    config = from_dict(body.config)
    path = service_of(request).create(
        config.embedding, config.model, config.output, config.training.seed, config.dataset
    )
    return {"name": path.stem, "path": str(path)}


def sample_dataset(request: Request) -> dict[str, str]:
    """Draw the sample pictures if they are not there yet, and tell their folder."""
    return {"folder": str(service_of(request).sample_dataset())}


def list_runs(request: Request) -> dict[str, Any]:
    """The runs, the newest first."""
    return {"runs": plain(service_of(request).runs())}


def get_run(request: Request, run: str) -> dict[str, Any]:
    """One run, with its curve, previews and copies as a job has them."""
    service = service_of(request)
    return {**plain(service.run_summary(run)), **service.run_snapshot(run)}


def run_settings(request: Request, run: str) -> dict[str, Any]:
    """The settings of a run, to be loaded back."""
    return service_of(request).run_config(run).to_dict()


def run_picture(request: Request, run: str, step: int, index: int) -> FileResponse:
    """The preview picture of a prompt after a step, as PNG."""
    return picture(request, run, step, index)


def publish_copy(request: Request, run: str, step: int) -> dict[str, str]:
    """Put the copy of a step into the host's folder as an embedding of its own."""
    path = service_of(request).publish_copy(run, step)
    return {"name": path.stem, "path": str(path)}


def list_embeddings(request: Request) -> dict[str, Any]:
    """The embeddings in the host's folder."""
    return {"embeddings": plain(service_of(request).embeddings())}


def get_embedding(request: Request, name: str) -> dict[str, Any]:
    """What is in an embedding: its vectors' lengths, the words near them, and how it was trained."""
    report: dict[str, Any] = plain(service_of(request).inspect(name).to_dict())
    return report


def list_presets(request: Request) -> dict[str, Any]:
    """The presets: built-in ones first."""
    presets = service_of(request).presets
    return {"presets": [{"name": name, "built_in": presets.is_built_in(name)} for name in presets.names()]}


def get_preset(request: Request, name: str) -> dict[str, Any]:
    """The settings of a preset; what is missing stays as it is where the preset is applied."""
    presets = service_of(request).presets
    values, warnings = presets.load_with_warnings(name)
    return {"name": name, "built_in": presets.is_built_in(name), "values": plain(values), "warnings": warnings}


def save_preset(request: Request, name: str, body: PresetValues) -> dict[str, str]:
    """Keep settings under a name."""
    service_of(request).presets.save(name, body.values)
    return {"name": name}


def delete_preset(request: Request, name: str) -> dict[str, str]:
    """Delete a saved preset."""
    service_of(request).presets.delete(name)
    return {"name": name}
