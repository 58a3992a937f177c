"""The one object that the page and the API talk to."""

from pathlib import Path
from typing import Any

from train_gamma.backbone import Backbone
from train_gamma.embedding.inspection import Report
from train_gamma.errors import UserError, raise_all
from train_gamma.host import Host
from train_gamma.jobs import Job, Jobs
from train_gamma.jobs.history import run_previews
from train_gamma.service.datasets import Datasets
from train_gamma.service.destination import filled, make_embeddings_folder, replacement_notes, replacing
from train_gamma.service.embeddings import EmbeddingList, EmbeddingSummary, report_on
from train_gamma.service.looking import (
    USUAL_WIDTH,
    Derived,
    StartPreview,
    derive,
    explain_start,
    name_findings,
    run_findings,
)
from train_gamma.service.making import copy_of_step, create, sample_dataset
from train_gamma.service.places import check_places, run_path
from train_gamma.service.presets import Presets
from train_gamma.service.replaced import card_of
from train_gamma.service.runs import RunSummary, list_runs, refuse_finished, reusable_settings, run_snapshot, summarize
from train_gamma.service.tagging import Tagging
from train_gamma.service.work import Begin, Training
from train_gamma.training.config import DatasetConfig, EmbeddingConfig, ModelConfig, OutputConfig, RunConfig
from train_gamma.training.config_reading import from_dict
from train_gamma.training.entry import identity_problems, resume_run, resumed_config, start_run
from train_gamma.training.events import Control, Finished, Listener
from train_gamma.training.preflight import Finding
from train_gamma.training.run_folder import RunFolder


class Service:
    """Everything the page and the API can do. Every method may be called from any thread.

    Attributes:
        host: what surrounds it.
        jobs: the job that runs and those before.
        presets: of this installation, and what the form held last.
        tagging: everything that can be done with taggers.
        datasets: those that are open for looking and editing.
    """

    def __init__(self, host: Host) -> None:
        self.host = host
        self.jobs = Jobs()
        self.tagging = Tagging(host, self.jobs)
        self.datasets = Datasets(host, self.tagging)
        self.presets = Presets(lambda: host.folders.presets)
        self._embeddings = EmbeddingList()
        self._width = USUAL_WIDTH

    # -- looking: fast, waits for no job ------------------------------------------------------------------------------

    def derive(self, config: RunConfig) -> Derived:
        """The numbers that follow from settings. What is missing is told in ``problem``, not raised."""
        check_places(config, self.host.folders)
        if self.host.lends_loaded_model:
            self._try_width(config.model)
        known = (job.seconds_per_picture for job in self.jobs.all())
        return derive(config, self._width, next((speed for speed in known if speed is not None), None))

    def explain_start(
        self, embedding: EmbeddingConfig, model: ModelConfig, dataset: DatasetConfig | None = None
    ) -> StartPreview:
        """What the vectors begin as, token by token. What is wrong with the start is told in ``problem``.

        Args:
            embedding: the start, its text and the number of vectors.
            model: whose vocabulary it is.
            dataset: whose tags are taken by the start "tags".
        """
        dataset = dataset or DatasetConfig()
        check_places(RunConfig(model=model, embedding=embedding, dataset=dataset), self.host.folders)
        try:
            return explain_start(embedding, dataset, self._look(model))
        except UserError as error:
            return StartPreview(problem=str(error))

    def check_name(self, name: str, model: ModelConfig, overwrite: bool = False) -> list[Finding]:
        """What is wrong with a name, errors first.

        Raises:
            UserError: if the model cannot be read.
        """
        check_places(RunConfig(model=model), self.host.folders)
        return name_findings(name, self._look(model), self.host.folders.embeddings, overwrite)

    def check(self, config: RunConfig, replace: bool = False) -> list[Finding]:
        """The check before the start: everything that would spoil the run, errors first. Nothing is raised."""
        try:
            check_places(config, self.host.folders)
            return self._findings(self._resolved(config, replace))
        except UserError as error:
            return [Finding("error", line.removeprefix("- ")) for line in str(error).splitlines()]

    # -- doing --------------------------------------------------------------------------------------------------------

    def create(
        self,
        embedding: EmbeddingConfig,
        model: ModelConfig,
        output: OutputConfig,
        seed: int = 0,
        dataset: DatasetConfig | None = None,
    ) -> Path:
        """Write an untrained embedding into the host's folder and make it known. What it replaces is kept.

        Returns:
            The file.

        Raises:
            UserError: if the name or the start is not right, or it exists and ``output.overwrite`` is off.
        """
        config = RunConfig(model=model, embedding=embedding, dataset=dataset or DatasetConfig(), output=output)
        folders = self.host.folders
        check_places(config, folders)
        path = create(config, self._look(model), folders, seed)
        self.host.publish(path, None)
        return path

    def train(self, config: RunConfig, replace: bool = False) -> Job:
        """Begin a run in the background.

        Without ``replace`` the name must be new. With it, the embedding of that name in the host's folder is trained
        on: the run starts from its vectors, has as many, and takes its place when it ends; what it was is kept in the
        run's folder.

        Raises:
            BusyError: if a job runs.
            UserError: if the check before the start finds errors.
        """
        self.jobs.refuse_when_busy()
        check_places(config, self.host.folders)
        config = self._resolved(config, replace)
        findings = self._findings(config)
        raise_all([str(finding) for finding in findings if finding.level == "error"])

        def begin(model: Backbone, hear: Listener, control: Control) -> tuple[RunFolder, Finished]:
            return start_run(config, model, hear, control)

        return self._start("train", config, begin)

    def resume(self, run: str | Path, changes: dict[str, Any] | None = None) -> Job:
        """Go on with a run in the background, from its last save.

        Args:
            run: the name of its folder, or the folder.
            changes: settings to change, nested; see ``resumed_config`` for those that can be.

        Raises:
            BusyError: if a job runs.
            UserError: if there is no such run, nothing is saved of it, it is over, the model is another one, or a
                change is not possible.
        """
        self.jobs.refuse_when_busy()
        folder = self.open_run(run)
        changes = {section: dict(content) for section, content in (changes or {}).items()}
        config, identity = resumed_config(folder, changes)
        if not config.output.export_to:  # begun on the command line
            changes.setdefault("output", {})["export_to"] = str(self.host.folders.embeddings)
            config = from_dict(changes, config)
        check_places(config, self.host.folders)
        make_embeddings_folder(self.host.folders)
        refuse_finished(folder, config)
        raise_all(identity_problems(identity, self._look(config.model)))

        def go_on(model: Backbone, hear: Listener, control: Control) -> tuple[RunFolder, Finished]:
            return resume_run(folder.path, model, hear, control, changes)

        return self._start("resume", config, go_on)

    def publish_copy(self, run: str | Path, step: int) -> Path:
        """Put the copy of a step into the host's folder as ``NAME-STEP``, to make pictures with it.

        Raises:
            UserError: if there is no such copy, or another embedding has its name.
        """
        folder = self.open_run(run)
        path = copy_of_step(folder, step, self.host.folders.embeddings)
        previews = [] if card_of(path).exists() else run_previews(folder).get(step, [])
        self.host.publish(path, next(iter(previews), None))
        return path

    # -- runs and embeddings ------------------------------------------------------------------------------------------

    def runs(self) -> list[RunSummary]:
        """The runs in the host's folder, the newest first."""
        return list_runs(self.host.folders.runs, self._busy_run)

    def run_summary(self, run: str | Path) -> RunSummary:
        """One run.

        Raises:
            UserError: if there is no such run.
        """
        return summarize(self.open_run(run), self._busy_run)

    def run_snapshot(self, run: str | Path) -> dict[str, Any]:
        """What a job's snapshot shows, of a run in its folder.

        Raises:
            UserError: if there is no such run, or it is damaged.
        """
        return run_snapshot(self.open_run(run))

    def run_config(self, run: str | Path) -> RunConfig:
        """The settings of a run, to be loaded back into a form, but for where its files went and what they replaced.

        Raises:
            UserError: if there is no such run, or its settings cannot be read.
        """
        return reusable_settings(self.open_run(run))

    def open_run(self, run: str | Path) -> RunFolder:
        """The folder of a run, by its name or its path.

        Raises:
            UserError: if there is no such run, or it lies where a request may not look.
        """
        return RunFolder(run_path(run, self.host.folders))

    def preview(self, run: str | Path, step: int, index: int) -> Path | None:
        """The preview picture of a prompt after a step, None if there is none.

        Raises:
            UserError: if there is no such run.
        """
        folder = self.open_run(run)
        path = folder.preview(step, index)
        return path if path.is_file() and path.resolve().is_relative_to(folder.path.resolve()) else None

    def embeddings(self) -> list[EmbeddingSummary]:
        """The embeddings in the host's folder and the folders inside it."""
        return self._embeddings.read(self.host.folders.embeddings)

    def inspect(self, name: str) -> Report:
        """What is in an embedding of the host's folder, measured against the model's words when there is a model.

        Raises:
            UnknownError: if there is no such embedding.
            UserError: if its file cannot be read.
        """
        return report_on(name, self.host.folders.embeddings, lambda: self.host.look(ModelConfig()))

    def sample_dataset(self) -> Path:
        """The folder of the drawn sample pictures, beside the runs folder; they are drawn when it is not there."""
        return sample_dataset(self.host.folders.runs.parent / "sample dataset")

    # -- inside -------------------------------------------------------------------------------------------------------

    def _start(self, kind: str, config: RunConfig, begin: Begin) -> Job:
        training = Training(self.host, config, begin)

        def work(hear: Listener, control: Control) -> str:
            self.tagging.unload()  # the memory is the training's
            return training(hear, control)

        return self.jobs.start(kind, config.embedding.name, work)

    @property
    def _busy_run(self) -> Path | None:
        current = self.jobs.current
        return None if current is None else current.run

    def _look(self, model: ModelConfig) -> Backbone:
        backbone = self.host.look(model)
        self._width = sum(table.shape[1] for table in backbone.token_tables().values())
        return backbone

    def _try_width(self, model: ModelConfig) -> None:
        try:
            self._look(model)
        except UserError:
            self._width = USUAL_WIDTH

    def _resolved(self, config: RunConfig, replace_: bool) -> RunConfig:
        make_embeddings_folder(self.host.folders)
        config = filled(config, self.host.folders)
        return replacing(config, self.host.folders) if replace_ else config

    def _findings(self, config: RunConfig) -> list[Finding]:
        loaded = self.host.loaded()
        findings = [Finding("error", problem) for problem in loaded.problems]
        if not findings:
            findings += run_findings(config, self._look(config.model))
            findings += replacement_notes(config, self.host.folders)
        findings += [Finding("note", note) for note in loaded.notes]
        return sorted(findings, key=lambda finding: ("error", "warning", "note").index(finding.level))
