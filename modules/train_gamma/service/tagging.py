"""Tagging, as the page, the API and the command line have it."""

import threading
from pathlib import Path

from PIL import Image

from train_gamma.captions.backups import Backup
from train_gamma.captions.files import list_backups, restore
from train_gamma.dataset.pictures import parse_colour
from train_gamma.errors import UserError, raise_all
from train_gamma.host import Host
from train_gamma.jobs import BusyError, Job, Jobs, TagRecord
from train_gamma.service.loaded_taggers import LoadedTaggers, find_captioner, find_tagger
from train_gamma.service.places import UnknownError, check_place
from train_gamma.service.tag_confidence import Confidences, confidences_of
from train_gamma.service.tag_folder import chosen_folder, folder_notes, read_folder, read_texts, refuse_kept_inside
from train_gamma.service.tag_looking import live, look_at
from train_gamma.service.tag_memory import remembered
from train_gamma.service.tag_proposals import needed_pictures, proposals, setting_notes
from train_gamma.service.tag_sets import TagSets
from train_gamma.service.tag_views import Kept, Live, Proposal, Ranked, Single, TagCount, TagPlan
from train_gamma.service.tag_work import CAPTIONS, TagWork, Tools
from train_gamma.service.thumbnails import thumbnail
from train_gamma.tagging.cache import Cache
from train_gamma.tagging.catalogue import Catalogue
from train_gamma.tagging.choosing import problems
from train_gamma.tagging.config import TagConfig
from train_gamma.tagging.existing import plan
from train_gamma.tagging.interrogator import Entry

__all__ = ["Kept", "Live", "Proposal", "Ranked", "Single", "TagCount", "TagPlan", "Tagging"]

CACHE, THUMBNAILS = "tags.sqlite", "thumbnails"
"""In ``Folders.kept``."""
ACTIONS = ("new", "replaced", "merged", "filled", "skipped", "unchanged")
KIND = "tag"


class Tagging:
    """Everything that can be done with taggers. Every method may be called from any thread."""

    def __init__(self, host: Host, jobs: Jobs) -> None:
        self._host, self._jobs = host, jobs
        self._catalogue = Catalogue(lambda: host.folders.taggers, host.interrogators)
        self._models = LoadedTaggers(self._catalogue, self._refuse_beside_training)
        self._caches: dict[Path, Cache] = {}
        self._lock = threading.Lock()
        self._sets = TagSets(self._catalogue, self._cache)

    # -- looking ------------------------------------------------------------------------------------------------------

    def entries(self) -> list[Entry]:
        """The taggers and captioners that can be chosen, and why those that cannot."""
        return self._catalogue.entries()

    def entry(self, name: str) -> Entry:
        """The one of this name, or of this name elsewhere ("wd14-convnext").

        Raises:
            UserError: if there is none.
        """
        return self._catalogue.entry(name)

    @property
    def catalogue(self) -> Catalogue:
        """What can be chosen, as it is now."""
        return self._catalogue

    def confidences(self, picture: Path) -> Confidences:
        """How sure a tagger was of what is in a picture: the one that was chosen last, or another that has seen it."""
        chosen = remembered(self._host.folders.kept)
        entries = sorted(self.entries(), key=lambda entry: entry.name != chosen.model)
        return confidences_of(picture, entries, chosen.background, self._sets, self._cache())

    def plan(self, config: TagConfig) -> TagPlan:
        """What a run would do. What is wrong is told in ``problem``, not raised."""
        try:
            folder = read_folder(config, self._host.folders)
        except UserError as error:
            return TagPlan(problem=str(error))
        texts, unreadable = read_texts(folder, config)
        needed = needed_pictures(folder, texts, config)
        counts = plan(texts, config.existing)
        actions = {name: count for name in ACTIONS if (count := getattr(counts, name))}
        notes = [*folder_notes(folder), *list(unreadable.values())[:3]]
        try:
            self._check(config)
            views = self._sets.views(config)
            known = len(self._sets.read(needed, views).known)
            if views.tagger is not None:
                notes += setting_notes(views.tagger.labels, views.tagger.thresholds, config)
        except UserError as error:
            return TagPlan(len(folder.pictures), len(needed), 0, actions, tuple(notes), str(error))
        if known < len(needed):
            notes += self._download_notes(config)
        return TagPlan(len(folder.pictures), len(needed), known, actions, tuple(notes))

    def live(self, config: TagConfig, picture: int = 0) -> Live:
        """What the settings give for the folder and for one of its pictures, from the cache alone.

        Args:
            config: the settings.
            picture: its index in the folder, in natural order; the nearest there is, is taken.
        """
        try:
            folder = read_folder(config, self._host.folders)
            self._check(config, usable=False)
            tagged = self._sets.read(folder.pictures, self._sets.views(config))
            return live(folder, tagged, config, picture)
        except UserError as error:
            return Live(problem=str(error))

    def proposals(self, config: TagConfig) -> list[Proposal]:
        """What a run would write, for the pictures that are in the cache.

        Raises:
            UserError: if the folder or a setting cannot be used.
        """
        folder = read_folder(config, self._host.folders)
        self._check(config, usable=False)
        tagged = self._sets.read(folder.pictures, self._sets.views(config))
        return proposals(tagged.choices(config).captions(), folder, read_texts(folder, config)[0], config)

    def thumbnail(self, path: str | Path, size: int = 256) -> Path:
        """A small JPEG of a picture, at most ``size`` pixels a side, made when it is not there yet.

        Raises:
            ForbiddenError: if it lies where a request may not look.
            UserError: if it is no picture, or cannot be read.
        """
        real = check_place("Picture", path, self._host.folders)
        if real is None:
            raise UserError(f"'{path}' is no path. Choose a picture of the folder.")
        return thumbnail(real, size, self._host.folders.kept / THUMBNAILS)

    # -- doing --------------------------------------------------------------------------------------------------------

    def tag(self, config: TagConfig) -> Job:
        """Begin to tag a folder in the background; the job's kind is "tag".

        Raises:
            BusyError: if a job runs.
            UserError: if the folder, the model or a setting cannot be used.
        """
        self._jobs.refuse_when_busy()
        self._check(config)
        folder = read_folder(config, self._host.folders)
        refuse_kept_inside(folder.path, self._host.folders)
        tools = Tools(self._host, self._models, self._cache(), self._sets)
        return self._jobs.start(KIND, folder.path.name or str(folder.path), TagWork(config, folder, tools), TagRecord())

    def interrogate(self, picture: Image.Image, config: TagConfig) -> Single:
        """Look at one picture, which is in no folder. The model is loaded if it is not.

        Raises:
            BusyError: if a training runs, or a run with another model.
            UserError: if the model cannot be loaded.
        """
        self._check(config)
        self._refuse_beside_training()
        raise_all(
            [
                f"'{entry.name}' is not on this machine yet. Tag a folder with it once, be it with 'preview only': "
                "that downloads it, shows how far it is, and can be stopped."
                for entry in self._entries(config)
                if not entry.ready
            ]
        )
        return look_at(picture, config, self._models, self._cache(), lambda _what, _done, _total: None)

    def unload(self) -> str:
        """Free the memory of what is loaded. Returns its name, "" if there was nothing.

        Raises:
            BusyError: if a folder is being tagged.
        """
        self._refuse_while_tagging()
        return self._models.unload()

    @property
    def loaded(self) -> str:
        """What is in memory and where it runs, such as "wd-vit-tagger-v3 on CPU"; "" if nothing is."""
        return self._models.shown

    def backups(self, folder: str) -> list[Kept]:
        """The captions that were kept before runs over a folder, the newest first.

        Raises:
            UserError: if the folder may not be looked at.
        """
        return [Kept(found.path.name, found.when, found.changed, found.created) for found in self._backups(folder)]

    def restore(self, folder: str, name: str) -> str:
        """Put the captions of a backup back. Returns a sentence with what was done.

        Args:
            folder: of the pictures.
            name: of the backup's file.

        Raises:
            BusyError: if a folder is being tagged.
            UserError: if there is no such backup, or a file cannot be written.
        """
        self._refuse_while_tagging()
        found = next((backup for backup in self._backups(folder) if backup.path.name == name), None)
        if found is None:
            raise UnknownError(f"There is no backup '{name}' of this folder. Choose one of the list.")
        check_place("Pictures", found.dataset, self._host.folders)
        done = restore(found.path)
        kept = f"; {len(done.kept)} were changed since and are left alone" if done.kept else ""
        return f"{len(done.put_back)} captions are as they were, {len(done.removed)} are removed{kept}."

    # -- inside -------------------------------------------------------------------------------------------------------

    def _backups(self, folder: str) -> list[Backup]:
        return list_backups(self._host.folders.kept / CAPTIONS, chosen_folder(folder, self._host.folders))

    def _cache(self) -> Cache:
        path = self._host.folders.kept / CACHE
        with self._lock:
            return self._caches.setdefault(path, Cache(path))

    def _check(self, config: TagConfig, usable: bool = True) -> None:
        """Refuse settings that no run can use; ``usable``: models that cannot be loaded too."""
        raise_all(problems(config))
        parse_colour(config.background)
        entries = self._entries(config)
        raise_all([entry.problem for entry in entries if entry.problem] if usable else [])

    def _entries(self, config: TagConfig) -> list[Entry]:
        found = []
        if config.model.strip() or not config.captioner.strip():
            found.append(find_tagger(self._catalogue, config.model))
        if config.captioner.strip():
            found.append(find_captioner(self._catalogue, config.captioner))
        return found

    def _download_notes(self, config: TagConfig) -> list[str]:
        return [
            f"'{entry.name}' is downloaded first, from {entry.source}."
            for entry in self._entries(config)
            if not entry.ready
        ]

    def _refuse_while_tagging(self) -> None:
        current = self._jobs.current
        if current is not None and current.kind == KIND:
            self._jobs.refuse_when_busy()

    def _refuse_beside_training(self) -> None:
        current = self._jobs.current
        if current is not None and current.kind != KIND:
            raise BusyError(
                f"'{current.title}' is being {current.doing}, and there is no room for a tagger beside it. Stop it, or "
                "wait for its end."
            )
