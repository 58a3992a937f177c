"""Pictures of a folder through a model: read and prepared by several threads, ahead of the model, in batches."""

import logging
import os
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from train_gamma.dataset.pictures import decode_picture, read_picture
from train_gamma.errors import UserError
from train_gamma.tagging.ahead import ahead
from train_gamma.tagging.asking import Asker, Patience
from train_gamma.tagging.cache import Cache, Stamp, digest_of, stamp_of

MOST_THREADS = 16
AHEAD = 2
"""So many batches are ready before the model asks for them."""
MOST_OTHERS = 64
"""So many pictures that need no model are told of at once."""

log = logging.getLogger("train_gamma")


@dataclass(slots=True)
class Prepared:
    """One picture on its way to the model.

    Attributes:
        path: the file.
        stamp: of the file before it was read.
        digest: of its content.
        item: what the model takes; None if it is not needed.
        answer: what is known already, or what the model says.
        reason: why there is no answer, "" if there is one.
    """

    path: Path
    stamp: Stamp | None = None
    digest: bytes = b""
    item: Any = None
    answer: bytes | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """Pictures for the model, as it takes them in ``stacked``, and others that are over before it."""

    asked: list[Prepared]
    stacked: Any
    others: list[Prepared]


@dataclass(frozen=True, slots=True)
class Hearing:
    """Who hears of a run.

    Attributes:
        done: hears of pictures that are over, with how many of them the model looked at.
        failed: hears of a picture that has no answer, and why.
        stop: tells whether to end after the batch that runs.
    """

    done: Callable[[int, int], None] = lambda _done, _computed: None
    failed: Callable[[Path, str], None] = lambda _path, _reason: None
    stop: Callable[[], bool] = lambda: False


@dataclass(slots=True)
class Outcome:
    """What was learned: answers by the digests of the pictures, and which picture has which digest."""

    answers: dict[bytes, bytes] = field(default_factory=dict)
    digests: dict[Path, bytes] = field(default_factory=dict)


def recall(paths: Sequence[Path], view: str, understands: Callable[[bytes], bool], cache: Cache) -> Outcome:
    """What is known of pictures without reading them."""
    digests = cache.digests(paths)
    answers = cache.answers(view, digests.values())
    known = {digest: answer for digest, answer in answers.items() if understands(answer)}
    return Outcome(known, {path: digest for path, digest in digests.items() if digest in known})


def look(paths: Sequence[Path], asker: Asker, background: str, cache: Cache, hearing: Hearing) -> Outcome:
    """Ask a model about pictures, and keep what it says.

    A picture whose content is known already, be it under another name, is not asked about. One that cannot be read
    or prepared, or that the model fails at, is told to ``hearing`` and the others go on.

    Args:
        paths: the pictures.
        asker: the model.
        background: colour that shows through transparent pictures.
        cache: where answers are kept.
        hearing: hears of the progress, and may stop it.

    Raises:
        Exception: whatever the model raises, if it fails at several pictures one after the other and at none before.
    """
    outcome = Outcome()

    def load(path: Path) -> Prepared:
        return _load(path, asker, background, cache)

    patience = Patience(asker)
    with ahead(_batches(_loaded(paths, load), asker), AHEAD) as ready:
        for batch in ready:
            if hearing.stop():
                break
            _take(patience.ask(batch.stacked) if batch.asked else [], batch.asked)
            _keep([*batch.others, *batch.asked], asker.view, cache, outcome)
            for picture in (*batch.others, *batch.asked):
                if picture.answer is None:
                    hearing.failed(picture.path, picture.reason)
            hearing.done(len(batch.others) + len(batch.asked), len(batch.asked))
    return outcome


def num_threads() -> int:
    """How many threads read and prepare pictures."""
    return max(2, min(MOST_THREADS, os.cpu_count() or 1))


def _load(path: Path, asker: Asker, background: str, cache: Cache) -> Prepared:
    """Read one picture and prepare it, in one of several threads."""
    picture = Prepared(path, stamp_of(path))
    try:
        content = read_picture(path)
        picture.digest = digest_of(content)
        picture.answer = cache.answers(asker.view, [picture.digest]).get(picture.digest)
        if picture.answer is None or not asker.understands(picture.answer):
            picture.answer = None
            picture.item = asker.prepare(decode_picture(content, path, background))
    except UserError as error:
        picture.reason = str(error)
    except Exception as error:  # one picture is not worth the other two thousand
        log.exception("'%s' could not be prepared", path)
        picture.reason = f"'{path}' could not be prepared: {type(error).__name__}: {error}"
    return picture


def _take(answers: Sequence[bytes | str], pictures: Sequence[Prepared]) -> None:
    for picture, answer in zip(pictures, answers, strict=True):
        if isinstance(answer, str):
            picture.reason = answer
        else:
            picture.answer = answer


def _keep(pictures: Sequence[Prepared], view: str, cache: Cache, outcome: Outcome) -> None:
    cache.remember((picture.path, picture.stamp, picture.digest) for picture in pictures if picture.stamp)
    cache.store(view, ((picture.digest, picture.answer) for picture in pictures if picture.answer is not None))
    for picture in pictures:
        if picture.answer is not None:
            outcome.answers[picture.digest] = picture.answer
            outcome.digests[picture.path] = picture.digest


def _loaded(paths: Sequence[Path], load: Callable[[Path], Prepared]) -> Generator[Prepared, None, None]:
    """The pictures in their order, so many being loaded as there are threads."""
    threads = num_threads()
    pool = ThreadPoolExecutor(threads, "train_gamma pictures")
    waiting: deque[Future[Prepared]] = deque()
    try:
        for path in paths:
            waiting.append(pool.submit(load, path))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _batches(pictures: Generator[Prepared, None, None], asker: Asker) -> Generator[Batch, None, None]:
    """Those for the model in batches of one shape; those that need it not go along with the next one."""
    waiting: dict[Any, list[Prepared]] = {}
    others: list[Prepared] = []
    with closing(pictures):
        for picture in pictures:
            if picture.item is None:
                others.append(picture)
            else:
                shape = getattr(picture.item, "shape", None)
                waiting.setdefault(shape, []).append(picture)
                if len(waiting[shape]) == asker.at_once:
                    yield _batch(waiting.pop(shape), others, asker)
                    others = []
            if len(others) >= MOST_OTHERS:
                yield Batch([], None, others)
                others = []
    for same in waiting.values():
        yield _batch(same, others, asker)
        others = []
    if others:
        yield Batch([], None, others)


def _batch(asked: list[Prepared], others: list[Prepared], asker: Asker) -> Batch:
    stacked = asker.stack([picture.item for picture in asked])
    for picture in asked:
        picture.item = None
    return Batch(asked, stacked, others)
