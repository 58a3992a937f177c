"""Routes of what is done with datasets as a whole: rules, examination and fixes, preparing pictures."""

import io
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from train_gamma.api.answers import plain
from train_gamma.api.dataset_bodies import LookRequest, PlanRequest, PrepareRequest, RulesRequest, UndoFixRequest
from train_gamma.api.datasets import JPEG, datasets_of, with_state
from train_gamma.captions.rules import BUILT_IN, RuleSet
from train_gamma.dataset.prepare_config import PrepareConfig
from train_gamma.errors import UserError
from train_gamma.service.dataset_edits import rules_of
from train_gamma.service.dataset_prepare import OWN
from train_gamma.service.dataset_requests import ExamineRequest, FixRequest
from train_gamma.training.config_reading import describe

HARMLESS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'", "Cache-Control": "no-store"}
SMALLEST, LARGEST = 16, 2048
QUALITY = 90


def list_rules(request: Request) -> dict[str, Any]:
    """The sets of rules for replacing, the built-in ones first, and what is wrong with those that are damaged."""
    sets = datasets_of(request).rules
    found, problems = [], []
    for name in sets.names():
        try:
            found.append({**plain(sets.load(name)), "built_in": name in BUILT_IN})
        except UserError as error:
            problems.append(str(error))
    return {"rules": found, "problems": problems}


def save_rules(request: Request, name: str, body: RulesRequest) -> dict[str, str]:
    """Keep a set of rules under a name."""
    datasets_of(request).rules.save(RuleSet(name, tuple(rules_of(body.rules)), body.note))
    return {"name": name}


def delete_rules(request: Request, name: str) -> dict[str, str]:
    """Delete a saved set of rules."""
    datasets_of(request).rules.delete(name)
    return {"name": name}


def examine(request: Request, dataset: str, body: ExamineRequest) -> dict[str, str]:
    """Begin to look for what is wrong with a dataset. Answers at once with the id of the job."""
    return {"job": datasets_of(request).checks.examine(dataset, body).id}


def findings(request: Request, dataset: str) -> dict[str, Any]:
    """What the last examination found, and what was done about it and can be undone."""
    found = plain(datasets_of(request).checks.findings(dataset))
    return {**found, "counts": found["counts"] or {"errors": 0, "warnings": 0, "notes": 0}}


def fix(request: Request, dataset: str, body: FixRequest) -> dict[str, Any]:
    """Do something about a finding. Nothing is deleted: what goes is moved beside the dataset."""
    return with_state(request, dataset, plain(datasets_of(request).checks.fix(dataset, body)))


def undo_fix(request: Request, dataset: str, body: UndoFixRequest) -> dict[str, Any]:
    """Take a fix back: every file is what and where it was."""
    done = datasets_of(request).checks.undo_fix(dataset, body.id, body.version)
    return with_state(request, dataset, {"done": done})


def html_report(request: Request, dataset: str) -> HTMLResponse:
    """The report of the last examination, as a page."""
    return HTMLResponse(datasets_of(request).checks.report(dataset, "html"), headers=HARMLESS)


def markdown_report(request: Request, dataset: str) -> PlainTextResponse:
    """The report of the last examination, as markdown."""
    return PlainTextResponse(datasets_of(request).checks.report(dataset, "md"), headers=HARMLESS)


def prepare_options() -> dict[str, Any]:
    """Every setting for preparing pictures: key, default, label, help, range and choices."""
    return {
        "options": [
            {"key": key, "default": plain(default), **plain(metadata)}
            for key, default, metadata in describe(PrepareConfig)
            if key not in OWN
        ]
    }


def prepare_plan(request: Request, dataset: str, body: PlanRequest) -> dict[str, Any]:
    """What would become of a part of the pictures: what is cut away, and the bucket they fall into."""
    page = datasets_of(request).preparing.plan(dataset, body.config, body.offset, body.limit)
    plans = [{"index": index, **plain(plan)} for index, plan in page.plans]
    return {"total": page.total, "plans": plans, "problem": page.problem}


def prepare_preview(request: Request, dataset: str, body: LookRequest) -> Response:
    """How the copy of a picture would look, as JPEG."""
    image = datasets_of(request).preparing.preview(dataset, body.config, body.index, body.piece)
    size = max(SMALLEST, min(LARGEST, body.size))
    image.thumbnail((size, size))
    content = io.BytesIO()
    image.save(content, "JPEG", quality=QUALITY)
    return Response(content.getvalue(), media_type=JPEG, headers={"Cache-Control": "no-store"})


def prepare(request: Request, dataset: str, body: PrepareRequest) -> dict[str, str]:
    """Begin to write copies into a new folder. Answers at once with the id of the job."""
    return {"job": datasets_of(request).preparing.prepare(dataset, body.config).id}
