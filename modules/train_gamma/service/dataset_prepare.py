"""Preparing the pictures of a dataset that is open: what would be cut, how it would look, and the job that does it."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from PIL import Image

from train_gamma.captions.store import CaptionStore
from train_gamma.dataset.crop_plan import CropPlan
from train_gamma.dataset.items import num_readers
from train_gamma.dataset.prepare import prepare, preview
from train_gamma.dataset.prepare_config import PrepareConfig
from train_gamma.dataset.prepare_sources import Sources, new_folder, read_sources
from train_gamma.errors import UserError
from train_gamma.host import Host
from train_gamma.jobs import Job, Jobs, StepRecord
from train_gamma.jobs.job_record import Hear
from train_gamma.jobs.step_record import Advanced, Ended
from train_gamma.service.dataset_selection import picture_path
from train_gamma.service.open_dataset import OpenDataset
from train_gamma.service.places import check_place
from train_gamma.training.events import Control
from train_gamma.training.flat_reading import read_flat

MOST_PLANS = 200
KIND = "prepare"
OWN = ("folder", "recursive", "caption_extensions")
"""Settings that the dataset itself gives."""


@dataclass(frozen=True, slots=True)
class PlanPage:
    """What would become of some pictures.

    Attributes:
        total: pictures of the dataset.
        plans: of those that were asked for, with the index of each picture.
        problem: why it cannot be done at all, "" if it can.
    """

    total: int
    plans: tuple[tuple[int, CropPlan], ...] = ()
    problem: str = ""


class Preparing:
    """The work of a job that prepares pictures."""

    def __init__(self, config: PrepareConfig) -> None:
        self._config = config

    def __call__(self, hear: Hear, control: Control) -> str:
        """Write the copies, and say where they are.

        Raises:
            UserError: if a folder or a setting cannot be used.
        """
        done = prepare(
            self._config,
            lambda count, total: hear(Advanced("Preparing the pictures", count, total)),
            lambda: control.stop_requested,
        )
        result = {
            "written": len(done.written),
            "unchanged": len(done.unchanged),
            "pictures": done.pictures,
            "problems": [f"'{one.path.name}': {one.reason}" for one in done.skipped],
            "notes": list(done.notes),
            "folder": str(done.into),
        }
        hear(Ended(result, done.stopped))
        left_out = f" {len(done.skipped)} could not be prepared." if done.skipped else ""
        return f"{len(done.written)} files are written into '{done.into}'.{left_out}"


class DatasetPreparing:
    """See the module. Every method may be called from any thread.

    Args:
        host: whose folders may be used.
        jobs: where the work runs.
        get: the open dataset of an id.
    """

    def __init__(self, host: Host, jobs: Jobs, get: Callable[[str], OpenDataset]) -> None:
        self._host, self._jobs, self._get = host, jobs, get

    def plan(self, name: str, values: Mapping[str, Any], offset: int = 0, limit: int = 60) -> PlanPage:
        """What would become of a part of the pictures. Every one of these is opened for it.

        Raises:
            UserError: if a setting cannot be used.
        """
        store = self._get(name).store
        config = self._config(store, values)
        sources = read_sources(config)
        indices = {path: index for index, path in enumerate(store.pictures)}
        first = max(0, offset)
        part = range(first, min(len(sources.pictures), first + max(0, min(limit, MOST_PLANS))))
        with ThreadPoolExecutor(num_readers()) as pool:
            plans = list(pool.map(sources.planned, part))
        found = tuple((indices.get(plan.path, -1), plan) for plan in plans)
        return PlanPage(len(sources.pictures), found, _problem(config, sources))

    def preview(self, name: str, values: Mapping[str, Any], picture: int, piece: int = 0) -> Image.Image:
        """How the copy of a picture would look, RGB.

        Raises:
            UnknownError: if there is no such picture.
            UserError: if a setting cannot be used, or the picture cannot be read.
        """
        store = self._get(name).store
        return preview(self._config(store, values), picture_path(store, picture), piece).convert("RGB")

    def prepare(self, name: str, values: Mapping[str, Any]) -> Job:
        """Begin to write the copies in the background, beside a training if there is one; the kind is "prepare".

        Raises:
            BusyError: if another dataset is being examined or prepared.
            UserError: if the new folder or a setting cannot be used.
        """
        dataset = self._get(name)
        self._jobs.refuse_when_busy()
        config = self._config(dataset.store, values)
        new_folder(config, dataset.store.folder)
        dataset.job = self._jobs.start(KIND, dataset.title, Preparing(config), StepRecord("prepared"))
        return dataset.job

    def _config(self, store: CaptionStore, values: Mapping[str, Any]) -> PrepareConfig:
        given = [key for key in OWN if key in values]
        if given:
            raise UserError(f"'{given[0]}' is what the dataset was opened with. Leave it out.")
        own = PrepareConfig(str(store.folder), store.recursive, caption_extensions=store.extensions)
        config = read_flat(values, own)
        if config.into.strip():
            check_place("New folder", config.into.strip(), self._host.folders)
        return config


def _problem(config: PrepareConfig, sources: Sources) -> str:
    """Why it cannot begin, as far as a new folder is named at all."""
    if not config.into.strip():
        return ""
    try:
        new_folder(config, sources.folder)
    except UserError as error:
        return str(error)
    return ""
