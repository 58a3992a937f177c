"""What a training job does: borrow the model, train, and hand the embedding to the host."""

import filecmp
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from train_gamma.backbone import Backbone
from train_gamma.errors import UserError
from train_gamma.host import Host
from train_gamma.jobs.history import run_previews
from train_gamma.service.replaced import REPLACED, card_of, in_place_of, keep
from train_gamma.training.config import RunConfig
from train_gamma.training.events import Control, Event, Finished, Listener, Preparing, Started, Warned
from train_gamma.training.run_folder import RunFolder

Begin = Callable[[Backbone, Listener, Control], tuple[RunFolder, Finished]]

log = logging.getLogger("train_gamma")


@dataclass(frozen=True, slots=True)
class Training:
    """The work of a job that trains.

    Attributes:
        host: lends the model and takes the embedding.
        config: of the run; its output says where the finished embedding goes.
        begin: starts or resumes the run.
    """

    host: Host
    config: RunConfig
    begin: Begin

    def __call__(self, listener: Listener, control: Control) -> str:
        """Train, and say where the embedding is.

        Raises:
            UserError: if the model or the settings cannot be used.
        """
        reporter = Reporter(self.host.reporter(self.config.embedding.name, control))

        def hear(event: Event) -> None:
            if isinstance(event, Started):
                self._back_up(RunFolder(event.folder))
            reporter(event)
            listener(event)

        try:
            with self.host.borrow(self.config.model, control) as backbone:
                hear(Preparing("Reading the pictures", 0, 0))
                folder, finished = self.begin(backbone, hear, control)
        finally:
            reporter.close("stopped" if control.stop_requested else "failed")
        return self._publish(folder, finished, listener)

    @property
    def target(self) -> Path | None:
        """The file of the finished embedding in the host's folder."""
        output = self.config.output
        return Path(output.export_to) / f"{self.config.embedding.name}.{output.format}" if output.export_to else None

    def _back_up(self, folder: RunFolder) -> None:
        """Keep what the end of the run replaces, unless it is there already or is this run's own."""
        target = self.target
        if target is None:
            return
        replaced = in_place_of(target) if self.config.output.overwrite else [target]
        for path in (*replaced, card_of(target)):
            if path.is_file() and not _is_kept(path, folder):
                keep(path, folder.path / REPLACED)

    def _publish(self, folder: RunFolder, finished: Finished, listener: Listener) -> str:
        target = self.target
        if target is None or finished.reason not in ("finished", "stopped") or not target.is_file():
            return ""
        for path in in_place_of(target) if self.config.output.overwrite else ():
            if not path.samefile(target) and _is_kept(path, folder):
                path.unlink(missing_ok=True)
        told = f"The embedding is '{target.name}'."
        if not target.resolve().is_relative_to(self.host.folders.embeddings.resolve()):
            return told
        previews = run_previews(folder)
        latest = previews[max(previews)][0] if previews else None
        try:
            self.host.publish(target, latest)
        except Exception as error:  # the embedding is there; only the host does not know it yet
            log.exception("%s could not be made known", target)
            why = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
            listener(Warned(finished.step, f"The embedding is in '{target}', but could not be made known: {why}"))
        return told


class Reporter:
    """Passes events to the host; a host that fails at it is given up, as the run must go on. Always hears the end."""

    def __init__(self, listener: Listener) -> None:
        self._listener: Listener | None = listener
        self._step = 0
        self._over = False

    def __call__(self, event: Event) -> None:
        """Tell the host."""
        self._over = isinstance(event, Finished)
        self._step = getattr(event, "step", self._step)
        if self._listener is None:
            return
        try:
            self._listener(event)
        except Exception:
            log.exception("The host's progress display failed and is left out for the rest of the job")
            self._listener = None

    def close(self, reason: str) -> None:
        """Tell the end if the run has not done so itself."""
        if not self._over:
            self(Finished(self._step, reason, None))


def _is_kept(path: Path, folder: RunFolder) -> bool:
    """Whether the run's folder has a file with the same content, as a backup or as the run's own result or preview."""
    kept = [*(folder.path / REPLACED).glob("*"), folder.path / path.name, *folder.previews.glob("*.png")]
    return any(other.is_file() and filecmp.cmp(other, path, shallow=False) for other in kept)
