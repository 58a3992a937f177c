"""Examining a dataset that is open, and fixing what was found."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from train_gamma.errors import UserError
from train_gamma.host import Host
from train_gamma.jobs import Job, Jobs, StepRecord
from train_gamma.service.dataset_doctor import Examining, Fixed, fix, report, target_of, undo_fix
from train_gamma.service.dataset_findings import Findings, findings_of
from train_gamma.service.dataset_requests import ExamineRequest, FixRequest
from train_gamma.service.open_dataset import OpenDataset
from train_gamma.service.places import check_place, check_places
from train_gamma.service.token_counts import TokenCounts
from train_gamma.training.config import RunConfig
from train_gamma.training.config_reading import from_dict

FACTS = "facts"
"""The folder, in ``Folders.kept``, of what was seen of pictures."""
KIND = "examine"


class DatasetChecks:
    """See the module. Every method may be called from any thread.

    Args:
        host: whose folders are used.
        jobs: where the examination runs.
        tokens: counts them.
        get: the open dataset of an id.
    """

    def __init__(self, host: Host, jobs: Jobs, tokens: TokenCounts, get: Callable[[str], OpenDataset]) -> None:
        self._host, self._jobs, self._tokens, self._get = host, jobs, tokens, get

    def examine(self, name: str, request: ExamineRequest) -> Job:
        """Begin to examine a dataset in the background, beside a training if there is one; the kind is "examine".

        Raises:
            BusyError: if another dataset is being examined or prepared.
            UserError: if a setting cannot be used.
        """
        dataset, folders = self._get(name), self._host.folders
        self._jobs.refuse_when_busy()
        store = dataset.store
        own: dict[str, Any] = {"caption_extensions": store.extensions}
        config = dataclasses.replace(
            from_dict(request.config).dataset,
            folder=str(store.folder),
            recursive=store.recursive,
            **({} if "caption_extensions" in request.config.get("dataset", {}) else own),
        )
        check_places(RunConfig(dataset=config), folders)
        target = target_of(request.name, request.num_vectors, request.init_text, self._tokens.count)
        work = Examining(dataset, config, target, folders.kept / FACTS)
        dataset.job = self._jobs.start(KIND, dataset.title, work, StepRecord("examined"))
        return dataset.job

    def findings(self, name: str) -> Findings:
        """What the last examination found, and what was done about it."""
        return findings_of(self._get(name))

    def fix(self, name: str, request: FixRequest) -> Fixed:
        """Do something about a finding. What is done is kept, to be taken back.

        Raises:
            StaleError: if captions or examination are not those that the caller has seen.
            UnsavedError: if there are unsaved changes.
            UserError: if there is nothing that can be done, or the new folder cannot be one.
        """
        dataset = self._get(name)
        into = self._new_folder(request.into)
        with dataset.turn:
            return fix(dataset, request, into)

    def undo_fix(self, name: str, repair: str | None, version: int | None = None) -> str:
        """Take a fix back, the last one if none is named. Returns a sentence.

        Raises:
            StaleError: if the captions are not those that the caller has seen.
            UnsavedError: if there are unsaved changes.
            UserError: if there is none, or files were changed since.
        """
        dataset = self._get(name)
        with dataset.turn:
            dataset.check(version)
            return undo_fix(dataset, repair)

    def report(self, name: str, kind: str) -> str:
        """The report of the last examination, as "html" or "md".

        Raises:
            UnknownError: if there was none.
        """
        return report(self._get(name), kind)

    def _new_folder(self, text: str) -> Path | None:
        if not text.strip():
            return None
        into = check_place("New folder", text.strip(), self._host.folders)
        if into is None:
            raise UserError(f"'{text}' is no path. Choose another name for the new folder.")
        return into
