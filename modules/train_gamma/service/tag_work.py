"""What a tagging job does: pictures through the model, then captions into their files."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from train_gamma.captions.files import write_captions
from train_gamma.errors import UserError
from train_gamma.host import Host
from train_gamma.jobs import StoppedError
from train_gamma.jobs.job_record import Hear
from train_gamma.jobs.tag_record import MEGABYTE, Failed, Loading, Looked, Tagged, Writing
from train_gamma.service.loaded_taggers import LoadedTaggers
from train_gamma.service.tag_folder import TagFolder, folder_notes, read_texts
from train_gamma.service.tag_proposals import needed_pictures, proposals
from train_gamma.service.tag_sets import TagSets
from train_gamma.service.work import Reporter
from train_gamma.tagging.asking import Asker, CaptionerAsker, TaggerAsker, sentence_of
from train_gamma.tagging.cache import Cache
from train_gamma.tagging.config import PREVIEW_ONLY, TagConfig
from train_gamma.tagging.existing import action
from train_gamma.tagging.rows import unpacked
from train_gamma.tagging.run import Hearing, look, recall
from train_gamma.tagging.tagged_set import TaggedSet
from train_gamma.training.events import Control, Finished, Preparing, Warned

TAGS, SENTENCES = "Tags", "Sentences"
CAPTIONS = "captions"
"""The folder, in ``Folders.kept``, of captions as they were before a run."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What a run works with.

    Attributes:
        host: makes room, and is told how the run goes.
        models: what is loaded.
        cache: of answers.
        sets: reads the cache.
    """

    host: Host
    models: LoadedTaggers
    cache: Cache
    sets: TagSets


@dataclass(slots=True)
class _Run:
    """A run that goes on.

    Attributes:
        hear: the job.
        report: the host.
        control: commands to it.
        room: holds the GPU, once it is needed.
        digests: of pictures that were read.
        answers: of models in this run by view and digest, so that a cache that breaks in the middle loses nothing.
        failed: pictures that have no answer.
    """

    hear: Hear
    report: Reporter
    control: Control
    room: ExitStack
    digests: dict[Path, bytes] = field(default_factory=dict)
    answers: dict[str, dict[bytes, bytes]] = field(default_factory=dict)
    failed: set[Path] = field(default_factory=set)
    has_room: bool = False

    def fail(self, path: Path, reason: str) -> None:
        self.failed.add(path)
        self.hear(Failed(path, reason))

    def warn(self, messages: Sequence[str]) -> None:
        for message in messages:
            self.hear(Warned(0, message))
            self.report(Warned(0, message))

    def tell(self, what: str, done: int, total: int) -> None:
        """Hears of loading. Raises ``StoppedError`` if the job is to stop."""
        self.report(Preparing(what, done // MEGABYTE, total // MEGABYTE))
        self.hear(Loading(what, done, total))
        if self.control.stop_requested:
            raise StoppedError("Stopped while a model was loaded.")

    def progress(self, event: Looked) -> None:
        self.hear(event)
        self.report(Preparing(event.what, event.done, event.total))


class TagWork:
    """The work of a job that tags a folder.

    Args:
        config: the settings.
        folder: what they name.
        tools: what it works with.
    """

    def __init__(self, config: TagConfig, folder: TagFolder, tools: Tools) -> None:
        self._config, self._folder, self._tools = config, folder, tools

    def __call__(self, hear: Hear, control: Control) -> str:
        """Tag the folder, and say where the captions before are.

        Raises:
            UserError: if a model cannot be loaded, or captions cannot be written.
            StoppedError: if it was stopped before anything was known.
        """
        reporter = Reporter(self._tools.host.reporter(self._folder.path.name, control))
        try:
            freed = self._config.unload or self._config.make_room  # before the checkpoint comes back
            with ExitStack() as room, self._tools.models.run(free=freed):
                run = _Run(hear, reporter, control, room)
                texts, unreadable = read_texts(self._folder, self._config)
                for path, reason in unreadable.items():
                    hear(Failed(path, reason))
                needed = needed_pictures(self._folder, texts, self._config)
                self._look(needed, run)
            end = self._write(needed, run)
            reporter(Finished(len(needed), "stopped" if end.stopped else "finished", None))
        finally:
            reporter.close("stopped" if control.stop_requested else "failed")
        return f"The captions before are in '{end.backup}'." if end.backup else ""

    def _look(self, needed: Sequence[Path], run: _Run) -> None:
        run.warn(folder_notes(self._folder))
        try:
            if self._config.model.strip():
                self._ask(TAGS, needed, run, self._load_tagger)
            if self._config.captioner.strip():
                self._ask(SENTENCES, needed, run, self._load_captioner)
        except StoppedError:
            if not self._known(needed, run).known:
                raise
        run.warn([problem for problem in [self._tools.cache.problem] if problem])

    def _ask(self, what: str, needed: Sequence[Path], run: _Run, load: Callable[[_Run], Asker]) -> None:
        """Have an answer to every picture that there can be one for."""
        if run.control.stop_requested:
            return
        missing = self._missing(what, needed, run)
        run.progress(Looked(what, len(needed) - len(missing), len(needed)))
        if not missing:
            return
        self._make_room(run)
        asker = load(run)
        known = recall(needed, asker.view, asker.understands, self._tools.cache).digests
        missing = [path for path in needed if path not in known and path not in run.failed]
        device = self._tools.models.device("tagger" if what == TAGS else "captioner")
        done, computed = len(needed) - len(missing), 0

        def count(num_done: int, num_computed: int) -> None:
            nonlocal done, computed
            done, computed = done + num_done, computed + num_computed
            run.progress(Looked(what, done, len(needed), computed, device))

        count(0, 0)
        hearing = Hearing(count, run.fail, lambda: run.control.stop_requested)
        outcome = look(missing, asker, self._config.background, self._tools.cache, hearing)
        run.digests |= outcome.digests
        run.answers.setdefault(asker.view, {}).update(outcome.answers)

    def _missing(self, what: str, needed: Sequence[Path], run: _Run) -> list[Path]:
        """The pictures without an answer, as far as that is known without loading the model."""
        views = self._tools.sets.views(self._config)
        view = views.tags if what == TAGS else views.sentences
        if not view:
            return [path for path in needed if path not in run.failed]
        num_labels = len(views.tagger.labels) if views.tagger else 0

        def understands(answer: bytes) -> bool:
            return (unpacked(answer, num_labels) if what == TAGS else sentence_of(answer)) is not None

        known = recall(needed, view, understands, self._tools.cache).digests
        run.digests |= known
        return [path for path in needed if path not in known and path not in run.failed]

    def _load_tagger(self, run: _Run) -> Asker:
        config, models = self._config, self._tools.models
        tagger = models.tagger(config.model, config.device, self._tools.cache, run.tell, for_run=True)
        run.warn(models.notes("tagger"))
        return TaggerAsker(tagger, config.background, config.batch_size, models.turn)

    def _load_captioner(self, run: _Run) -> Asker:
        config, models = self._config, self._tools.models
        captioner = models.captioner(config.captioner, config.device, self._tools.cache, run.tell, for_run=True)
        run.warn(models.notes("captioner"))
        return CaptionerAsker(captioner, config.background, models.turn)

    def _make_room(self, run: _Run) -> None:
        if not self._config.make_room or run.has_room:
            return
        try:
            run.room.enter_context(self._tools.host.room(run.control))
        except UserError as error:
            if run.control.stop_requested:
                raise StoppedError(str(error)) from error
            raise
        run.has_room = True

    def _known(self, pictures: Sequence[Path], run: _Run) -> TaggedSet:
        return self._tools.sets.read(pictures, self._tools.sets.views(self._config), run.digests, run.answers)

    def _write(self, needed: Sequence[Path], run: _Run) -> Tagged:
        config, folder = self._config, self._folder
        texts, _ = read_texts(folder, config)  # as they are now: people write captions while a model works
        tagged = self._known(folder.pictures, run)
        planned = proposals(tagged.choices(config).captions(), folder, texts, config)
        new = {one.caption_path: one.outcome for one in planned if one.outcome not in (None, one.existing)}
        preview = config.existing == PREVIEW_ONLY
        run.hear(Writing(len(new)))
        backup = write_captions(new, self._tools.host.folders.kept / CAPTIONS, folder.path)
        done = Counter(one.action for one in planned)
        known = {folder.pictures[index] for index in tagged.known}
        if not run.control.stop_requested:
            for path in [path for path in needed if path not in known and path not in run.failed]:
                run.fail(path, f"What was said of '{path}' was lost. Tag again; the others are done.")
        end = Tagged(
            written=len(new),
            skipped=sum(action(text, None, config.existing) == "skipped" for text in texts.values()),
            backup=str(backup or ""),
            stopped=run.control.stop_requested and not known.union(run.failed).issuperset(needed),
            preview=preview,
            **{name: 0 if preview else done[name] for name in ("new", "replaced", "merged", "filled", "unchanged")},
        )
        run.hear(end)
        return end
