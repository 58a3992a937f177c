"""The table of all routes."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Depends, FastAPI

from train_gamma.api import asking, dataset_tools, datasets, files, jobs, tags
from train_gamma.api.access import AccessRules, check_access
from train_gamma.api.answers import answering
from train_gamma.api.foreign_tagger import add_foreign_routes
from train_gamma.service import Service

PREFIX = "/train-gamma/v1"

ROUTES: tuple[tuple[str, str, Callable[..., Any]], ...] = (
    ("GET", "/state", asking.state),
    ("GET", "/options", asking.options),
    ("POST", "/derive", asking.derive),
    ("POST", "/tokens", asking.tokens),
    ("POST", "/check", asking.check),
    ("POST", "/create", files.create),
    ("POST", "/sample-dataset", files.sample_dataset),
    ("POST", "/train", jobs.train),
    ("POST", "/resume", jobs.resume),
    ("GET", "/jobs", jobs.list_jobs),
    ("GET", "/jobs/{job}", jobs.get_job),
    ("POST", "/jobs/{job}/stop", jobs.stop),
    ("POST", "/jobs/{job}/save", jobs.save),
    ("POST", "/jobs/{job}/preview", jobs.preview),
    ("GET", "/jobs/{job}/previews/{step}/{index}", jobs.preview_picture),
    ("GET", "/runs", files.list_runs),
    ("GET", "/runs/{run}", files.get_run),
    ("GET", "/runs/{run}/settings", files.run_settings),
    ("GET", "/runs/{run}/previews/{step}/{index}", files.run_picture),
    ("POST", "/runs/{run}/copies/{step}/publish", files.publish_copy),
    ("GET", "/embeddings", files.list_embeddings),
    ("GET", "/embeddings/{name}", files.get_embedding),
    ("GET", "/presets", files.list_presets),
    ("GET", "/presets/{name}", files.get_preset),
    ("PUT", "/presets/{name}", files.save_preset),
    ("DELETE", "/presets/{name}", files.delete_preset),
    ("GET", "/taggers", tags.list_taggers),
    ("POST", "/taggers/unload", tags.unload),
    ("GET", "/tag/options", tags.options),
    ("POST", "/tag/plan", tags.plan),
    ("POST", "/tag/live", tags.live),
    ("POST", "/tag/proposals", tags.proposals),
    ("POST", "/tag", tags.tag),
    ("POST", "/tag/picture", tags.look_at_picture),
    ("GET", "/tag/thumbnail", tags.thumbnail),
    ("GET", "/tag/backups", tags.list_backups),
    ("POST", "/tag/backups", tags.restore),
    ("GET", "/datasets/options", datasets.options),
    ("GET", "/datasets/rules", dataset_tools.list_rules),
    ("PUT", "/datasets/rules/{name}", dataset_tools.save_rules),
    ("DELETE", "/datasets/rules/{name}", dataset_tools.delete_rules),
    ("GET", "/datasets/prepare/options", dataset_tools.prepare_options),
    ("POST", "/datasets/open", datasets.open_dataset),
    ("GET", "/datasets/{dataset}", datasets.state),
    ("POST", "/datasets/{dataset}/reload", datasets.reload),
    ("POST", "/datasets/{dataset}/tags", datasets.tags),
    ("POST", "/datasets/{dataset}/pictures", datasets.pictures),
    ("GET", "/datasets/{dataset}/pictures/{index}", datasets.picture),
    ("GET", "/datasets/{dataset}/thumbnails/{index}", datasets.thumbnail),
    ("POST", "/datasets/{dataset}/edit", datasets.edit),
    ("POST", "/datasets/{dataset}/undo", datasets.undo),
    ("POST", "/datasets/{dataset}/redo", datasets.redo),
    ("POST", "/datasets/{dataset}/discard", datasets.discard),
    ("POST", "/datasets/{dataset}/diff", datasets.diff),
    ("POST", "/datasets/{dataset}/save", datasets.save),
    ("GET", "/datasets/{dataset}/backups", datasets.list_backups),
    ("POST", "/datasets/{dataset}/restore", datasets.restore),
    ("POST", "/datasets/{dataset}/prune", datasets.prune),
    ("GET", "/datasets/{dataset}/complete", datasets.complete),
    ("POST", "/datasets/{dataset}/kohya/import", datasets.import_metadata),
    ("POST", "/datasets/{dataset}/kohya/export", datasets.export_metadata),
    ("POST", "/datasets/{dataset}/examine", dataset_tools.examine),
    ("GET", "/datasets/{dataset}/findings", dataset_tools.findings),
    ("POST", "/datasets/{dataset}/fix", dataset_tools.fix),
    ("POST", "/datasets/{dataset}/undo_fix", dataset_tools.undo_fix),
    ("GET", "/datasets/{dataset}/report.html", dataset_tools.html_report),
    ("GET", "/datasets/{dataset}/report.md", dataset_tools.markdown_report),
    ("POST", "/datasets/{dataset}/prepare/plan", dataset_tools.prepare_plan),
    ("POST", "/datasets/{dataset}/prepare/preview", dataset_tools.prepare_preview),
    ("POST", "/datasets/{dataset}/prepare", dataset_tools.prepare),
)


def add_routes(app: FastAPI, service: Service, guard: AccessRules) -> None:
    """Add the API to an app, which may be running already, and the routes of another tagger if nobody serves them."""
    app.state.train_gamma_service = service
    app.state.train_gamma_access = guard
    router = APIRouter(prefix=PREFIX, tags=["Train Gamma"], dependencies=[Depends(check_access)])
    for method, path, route in ROUTES:
        router.add_api_route(path, answering(route), methods=[method], name=f"train_gamma_{route.__name__}")
    app.include_router(router)
    add_foreign_routes(app)
