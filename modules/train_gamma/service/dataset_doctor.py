"""What is done to a dataset that is open by its doctor: the examination, and fixes that can be taken back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from train_gamma.captions.filters import CountTokens
from train_gamma.captions.store import StaleError
from train_gamma.doctor.examine import examine
from train_gamma.doctor.findings import Finding
from train_gamma.doctor.fixes import apply_fix
from train_gamma.doctor.material import Target
from train_gamma.doctor.repair import Repair, take_back
from train_gamma.doctor.report import html_report, markdown_report
from train_gamma.errors import UserError
from train_gamma.jobs.job_record import Hear
from train_gamma.jobs.step_record import Advanced, Ended
from train_gamma.service.dataset_findings import FixView, counts_of, fix_view, indices_of, key_of, shown_name
from train_gamma.service.dataset_requests import FixRequest
from train_gamma.service.dataset_selection import check_indices
from train_gamma.service.open_dataset import OpenDataset
from train_gamma.service.places import UnknownError
from train_gamma.service.repairs import Examined, Kept
from train_gamma.training.config import DatasetConfig
from train_gamma.training.events import Control


@dataclass(frozen=True, slots=True)
class Fixed:
    """What was done about a finding, and the names of the files that it was done to."""

    fix: FixView
    touched: tuple[str, ...]


class Examining:
    """The work of a job that examines.

    Args:
        dataset: that is examined.
        config: how it is read.
        target: what is to be learned.
        cache: a folder for what is seen of pictures.
    """

    def __init__(self, dataset: OpenDataset, config: DatasetConfig, target: Target, cache: Path) -> None:
        self._dataset, self._config, self._target, self._cache = dataset, config, target, cache

    def __call__(self, hear: Hear, control: Control) -> str:
        """Examine the dataset and keep what was found.

        Raises:
            UserError: if the folder cannot be read.
        """
        found = examine(
            self._config,
            self._target,
            cache=self._cache,
            progress=lambda done, total: hear(Advanced("Looking at the pictures", done, total)),
            stop=lambda: control.stop_requested,
        )
        before = self._dataset.examined
        self._dataset.examined = Examined(1 if before is None else before.number + 1, found)
        counts = counts_of(found)
        hear(Ended(counts, found.stopped))
        return f"{counts['errors']} errors, {counts['warnings']} warnings, {counts['notes']} notes."


def target_of(name: str, num_vectors: int, init_text: str, count: CountTokens | None) -> Target:
    """What is to be learned, as far as it is known.

    Raises:
        UserError: if the number of vectors is none.
    """
    if num_vectors < 1:
        raise UserError(f"Vectors per token must be 1 or more, got {num_vectors}.")
    return Target(name.strip(), num_vectors, init_text, count)


def fix(dataset: OpenDataset, request: FixRequest, into: Path | None) -> Fixed:
    """Do something about a finding. The dataset's turn must be held.

    Raises:
        StaleError: if captions or examination are not those that the caller has seen.
        UnsavedError: if there are unsaved changes.
        UserError: if there is no such finding, or nothing that can be done about it.
    """
    examined = _examined(dataset)
    if request.examination not in (None, examined.number) or request.version not in (None, dataset.store.version):
        raise StaleError("The dataset was examined or changed in another window. Look at it as it is now.")
    if not 0 <= request.finding < len(examined.examination.findings):
        raise UserError(f"There is no finding {request.finding}. Choose one of the list.")
    dataset.refuse_unsaved("a fix")
    finding = _asked(examined.examination.findings[request.finding], request, dataset)
    if finding.action == "exclude" and {key_of(path) for path in finding.pictures}.issuperset(indices_of(dataset)):
        raise UserError("That would take out every picture of the dataset. Choose some of them.")
    try:
        repair = apply_fix(
            finding, examined.examination.material, into, lambda step: dataset.repairs.note(finding.action, step)
        )
    except BaseException:
        dataset.repairs.close()
        raise
    kept = _keep(dataset, repair)
    if repair.steps:
        if into is None and not repair.problems:
            examined.done.setdefault(request.finding, {}).update(dict.fromkeys(finding.pictures, kept.id))
        dataset.reload()
    folder = dataset.store.folder
    return Fixed(fix_view(kept), tuple(shown_name(path, folder) for path in repair.touched))


def undo_fix(dataset: OpenDataset, name: str | None) -> str:
    """Take a repair back, the last one if none is named. Returns a sentence. The dataset's turn must be held.

    Raises:
        UnknownError: if there is none.
        UnsavedError: if there are unsaved changes.
        UserError: if files were changed since.
    """
    done = dataset.repairs.all()
    kept = next((one for one in reversed(done) if name in (None, one.id)), None)
    if kept is None:
        raise UnknownError("There is no such fix to undo." if name else "There is no fix to undo.")
    dataset.refuse_unsaved("undoing a fix")
    back = take_back(kept.repair)
    dataset.repairs.remove(kept.id)
    if dataset.examined is not None:
        dataset.examined.undone(kept.id)
    dataset.reload()
    return f"{len(back)} files are as they were and where they were."


def report(dataset: OpenDataset, kind: str) -> str:
    """The report of the last examination, as "html" or "md".

    Raises:
        UnknownError: if there was none.
    """
    examination = _examined(dataset).examination
    return html_report(examination) if kind == "html" else markdown_report(examination)


def _examined(dataset: OpenDataset) -> Examined:
    if dataset.examined is None:
        raise UnknownError("This dataset was not examined yet. Examine it first.")
    return dataset.examined


def _asked(finding: Finding, request: FixRequest, dataset: OpenDataset) -> Finding:
    """The finding with the pictures and the action that are wanted."""
    action: Any = request.action or finding.action
    if action not in (finding.action, "exclude"):
        raise UserError(f"What can be done about this is '{finding.action or 'nothing'}', or exclude; got '{action}'.")
    if request.pictures is None:
        if action != finding.action:
            raise UserError("To take out pictures of such a finding, choose which ones.")
        return finding
    by_key = {key_of(path): path for path in finding.pictures}
    wanted = _chosen_paths(request.pictures, dataset)
    others = [path for path in wanted if key_of(path) not in by_key]
    if others:
        raise UserError(f"The finding is not about '{others[0].name}'. Choose pictures of its list.")
    if not wanted:
        raise UserError("No picture is chosen. Choose one or more of the finding's.")
    return replace(finding, action=action, pictures=tuple(by_key[key_of(path)] for path in wanted))


def _chosen_paths(indices: Sequence[int], dataset: OpenDataset) -> list[Path]:
    pictures = dataset.store.pictures
    check_indices(indices, len(pictures))
    return [pictures[index] for index in sorted(set(indices))]


def _keep(dataset: OpenDataset, repair: Repair) -> Kept:
    return dataset.repairs.add(repair) if repair.steps else Kept("", "", repair)
