"""What is known of the pictures of a folder, from the cache and kept in memory between two questions."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

from train_gamma.service.loaded_taggers import find_captioner, find_tagger
from train_gamma.tagging.asking import sentence_of, view_of
from train_gamma.tagging.cache import Cache, KnownModel
from train_gamma.tagging.catalogue import Catalogue
from train_gamma.tagging.config import TagConfig
from train_gamma.tagging.interrogator import Entry
from train_gamma.tagging.rows import Row, unpacked
from train_gamma.tagging.tagged_set import Seen, TaggedSet


@dataclass(frozen=True, slots=True)
class Views:
    """The models that settings name, as far as they are known without loading them.

    Attributes:
        tagger: None if it was never loaded, or none is named.
        captioner: likewise.
        tags: what the tagger's answers are kept by, "" if it is not known or not named.
        sentences: likewise.
        complete: whether every model that is named is known.
    """

    tagger: KnownModel | None
    captioner: KnownModel | None
    tags: str
    sentences: str
    complete: bool


MOST_IN_MEMORY = 20_000
"""So many answers are kept in memory."""

Known: TypeAlias = Callable[[str, Sequence[bytes]], Mapping[bytes, bytes]]
"""Answers of a view to digests, those that there are."""

T = TypeVar("T")


class _Memory(Generic[T]):
    """The answers of one view, by the digests of the pictures."""

    def __init__(self) -> None:
        self._view = ""
        self.answers: dict[bytes, T] = {}

    def fill(self, view: str, digests: Sequence[bytes], known: Known, read: Callable[[bytes], T | None]) -> None:
        """Add what is known of these; what cannot be read is not."""
        if view != self._view or len(self.answers) > MOST_IN_MEMORY:
            self._view, self.answers = view, {}
        new = [digest for digest in digests if digest and digest not in self.answers] if view else []
        for digest, answer in known(view, new).items():
            understood = read(answer)
            if understood is not None:
                self.answers[digest] = understood


class TagSets:
    """Makes sets of what the cache holds. The one that was asked for last is kept. Safe for threads."""

    def __init__(self, catalogue: Catalogue, cache: Callable[[], Cache]) -> None:
        self._catalogue, self._cache = catalogue, cache
        self._lock = threading.Lock()
        self._rows: _Memory[Row] = _Memory()
        self._sentences: _Memory[str] = _Memory()
        self._made: tuple[tuple[object, ...], TaggedSet] | None = None

    def views(self, config: TagConfig) -> Views:
        """What is known of the models that settings name.

        Raises:
            UserError: if there is no such model, or the background is no colour.
        """
        tagger = self.known(find_tagger(self._catalogue, config.model)) if config.model.strip() else None
        captioner = self.known(find_captioner(self._catalogue, config.captioner)) if config.captioner.strip() else None
        return Views(
            tagger,
            captioner,
            view_of(tagger.identity, config.background) if tagger else "",
            view_of(captioner.identity, config.background) if captioner else "",
            complete=(tagger is not None or not config.model.strip())
            and (captioner is not None or not config.captioner.strip()),
        )

    def known(self, entry: Entry) -> KnownModel | None:
        """A model as it was when it was loaded last; None if it never was, or its files are others now."""
        model = self._cache().model(entry.name)
        if model is None or not model.stamp.startswith(self._catalogue.stamp(entry.name)):
            return None
        return replace(model, thresholds={**model.thresholds, **entry.thresholds})

    def read(
        self,
        pictures: Sequence[Path],
        views: Views,
        digests: Mapping[Path, bytes] | None = None,
        answers: Mapping[str, Mapping[bytes, bytes]] | None = None,
    ) -> TaggedSet:
        """What is known of pictures.

        Args:
            pictures: the files.
            views: by whom.
            digests: of some of them, where the caller knows better than the cache.
            answers: by view and digest, likewise.
        """
        cache = self._cache()

        def answered(view: str, wanted: Sequence[bytes]) -> dict[bytes, bytes]:
            given = (answers or {}).get(view, {})
            return {**cache.answers(view, wanted), **{digest: given[digest] for digest in wanted if digest in given}}

        known = {**cache.digests(pictures), **(digests or {})} if views.complete else {}
        in_order = tuple(known.get(picture, b"") for picture in pictures)
        labels = views.tagger.labels if views.tagger else ()
        thresholds = dict(views.tagger.thresholds) if views.tagger else {}
        with self._lock:
            self._rows.fill(views.tags, in_order, answered, lambda answer: unpacked(answer, len(labels)))
            self._sentences.fill(views.sentences, in_order, answered, sentence_of)
            amount = (len(self._rows.answers), len(self._sentences.answers))
            key = (views.tags, views.sentences, thresholds, in_order, amount)
            if self._made is None or self._made[0] != key:
                self._made = (key, TaggedSet(labels, thresholds, [self._seen(views, digest) for digest in in_order]))
            return self._made[1]

    def _seen(self, views: Views, digest: bytes) -> Seen | None:
        row, sentence = self._rows.answers.get(digest), self._sentences.answers.get(digest)
        if not digest or (views.tags and row is None) or (views.sentences and sentence is None):
            return None
        return Seen(row if views.tags else None, sentence if views.sentences else None)
