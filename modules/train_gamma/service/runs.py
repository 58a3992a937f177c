"""The runs in the runs folder, read without loading anything."""

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from train_gamma.errors import UserError
from train_gamma.jobs import Record
from train_gamma.jobs.history import run_copies, run_previews
from train_gamma.service.known_settings import known_settings
from train_gamma.training.config import OutputConfig, RunConfig
from train_gamma.training.config_reading import from_dict
from train_gamma.training.plan import make_plan
from train_gamma.training.run_folder import RunFolder, read_manifest

log = logging.getLogger("train_gamma")


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run folder.

    Attributes:
        name: of the folder.
        path: the folder.
        embedding: the embedding's name.
        step: finished steps as of the last save, which is where it would go on.
        total_steps: steps in all, 0 when not known.
        finished: whether all of them are done.
        resumable: whether it can go on: something is saved, it is not over, and no job works on it.
        copies: the embedding as it was on the way, by step.
        latest_preview: the last preview picture of the first prompt.
        started: when it was begun, as ``YYYY-MM-DD HH:MM:SS``.
        problem: why it cannot be read, "" when it can.
    """

    name: str
    path: Path
    embedding: str
    step: int = 0
    total_steps: int = 0
    finished: bool = False
    resumable: bool = False
    copies: tuple[Path, ...] = ()
    latest_preview: Path | None = None
    started: str = ""
    problem: str = ""


def list_runs(folder: Path, busy: Path | None = None) -> list[RunSummary]:
    """The runs in ``folder``, the newest first. Folders in which nothing has happened yet are left out.

    Args:
        folder: the runs folder.
        busy: the run that a job works on, if there is one.
    """
    if not folder.is_dir():
        return []
    found = [RunFolder(path) for path in folder.iterdir() if (path / "config.json").is_file()]
    runs = [summarize(run, busy) for run in found if run.state.is_file() or run.events.is_file()]
    return sorted(runs, key=lambda run: (run.started, run.name), reverse=True)


def summarize(folder: RunFolder, busy: Path | None = None) -> RunSummary:
    """What is to be said of one run."""
    started, previews = _started(folder), run_previews(folder)
    copies = tuple(path for _, path in run_copies(folder))
    latest = next((paths[0] for _, paths in sorted(previews.items(), reverse=True)), None)
    facts: dict[str, Any] = {"copies": copies, "latest_preview": latest, "started": started}
    try:
        config = run_settings(folder)
        total, step = run_steps(folder, config), saved_step(folder)
    except UserError as error:
        return RunSummary(folder.path.name, folder.path, "", problem=str(error), **facts)
    finished = step is not None and step >= total > 0
    is_busy = busy is not None and busy.resolve() == folder.path.resolve()
    return RunSummary(
        name=folder.path.name,
        path=folder.path,
        embedding=config.embedding.name,
        step=step or 0,
        total_steps=total,
        finished=finished,
        resumable=step is not None and not finished and not is_busy,
        **facts,
    )


def run_settings(folder: RunFolder) -> RunConfig:
    """The settings of a run, those that this version does not know left out.

    Raises:
        UserError: if config.json is damaged.
    """
    try:
        content = json.loads(folder.config.read_text("utf-8"))
        values = {key: value for key, value in content.items() if key not in ("identity", "versions")}
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"'{folder.config}' cannot be read: {error}. Its settings are lost.") from error
    settings, warnings = known_settings(values)
    for warning in warnings:
        log.warning("%s: %s", folder.config, warning)
    return from_dict(settings)


def reusable_settings(folder: RunFolder) -> RunConfig:
    """The settings of a run but for where its files went and what they replaced.

    Raises:
        UserError: if they cannot be read.
    """
    config, defaults = run_settings(folder), OutputConfig()
    output = replace(config.output, folder=defaults.folder, export_to=defaults.export_to, overwrite=defaults.overwrite)
    return replace(config, output=output)


def run_snapshot(folder: RunFolder) -> dict[str, Any]:
    """What a job's snapshot shows, of a run in its folder.

    Raises:
        UserError: if it is damaged.
    """
    record = Record()
    record.recall(folder, run_steps(folder, run_settings(folder)))
    return record.snapshot()


def run_steps(folder: RunFolder, config: RunConfig) -> int:
    """The steps of a run in all; those that go by epochs follow from the number of its pictures."""
    if config.training.max_steps:
        return config.training.max_steps
    manifest = read_manifest(folder)
    pictures = manifest.get("pictures") if isinstance(manifest, Mapping) else None
    return make_plan(config, len(pictures)).total_steps if pictures else 0


def refuse_finished(folder: RunFolder, config: RunConfig) -> None:
    """Do nothing if there is something left to do in a run.

    Raises:
        UserError: if nothing is saved of it, or all its steps are done.
    """
    step, total = saved_step(folder), run_steps(folder, config)
    if step is None:
        raise UserError(f"Nothing is saved of the run '{folder.path.name}', so it cannot go on. Start it again.")
    if step >= total:
        raise UserError(
            f"The run '{folder.path.name}' is over: all {step} steps are done. Raise Max steps to train on, or train "
            "its embedding in a new run."
        )


def saved_step(folder: RunFolder) -> int | None:
    """The step of the saved state, from the head of its file; None when there is none that can be read."""
    try:
        with folder.state.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(size, 1 << 20)))
        return int(json.loads(header["__metadata__"]["state"])["step"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _started(folder: RunFolder) -> str:
    match = re.search(r"-(\d{8}-\d{6})(?:-\d+)?$", folder.path.name)
    try:
        moment = (
            datetime.strptime(match[1], "%Y%m%d-%H%M%S")
            if match
            else datetime.fromtimestamp(folder.config.stat().st_mtime)
        )
    except (ValueError, OSError):
        return ""
    return f"{moment:%Y-%m-%d %H:%M:%S}"
