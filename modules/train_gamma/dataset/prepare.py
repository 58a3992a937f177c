"""Preparing pictures: copies that are cut, scaled, mirrored or split, in a new folder. The originals stay untouched."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from PIL import Image

from train_gamma.dataset.copies import FLIPPED, Copies, met_stems, part_stem
from train_gamma.dataset.crop_plan import CropPlan
from train_gamma.dataset.items import num_readers
from train_gamma.dataset.prepare_config import PrepareConfig
from train_gamma.dataset.prepare_notes import Made, notes_about
from train_gamma.dataset.prepare_sources import Sources, files_there, new_folder, read_sources
from train_gamma.dataset.rendering import ENDINGS, check_format, encoded, mirrored, render
from train_gamma.errors import UserError

T = TypeVar("T")

Progress = Callable[[int, int], None]
"""Hears how many of how many pictures are done."""

Stop = Callable[[], bool]
"""Asked between two pictures whether to end early."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A picture that was not prepared, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was done.

    Attributes:
        into: the new folder.
        pictures: how many pictures were prepared; one can have several copies.
        written: files that were written, captions too.
        unchanged: files that were there already and are the same.
        skipped: pictures that could not be prepared. The others were.
        notes: sentences about what should be looked at.
        stopped: whether it was ended early. Doing it again goes on.
    """

    into: Path
    pictures: int
    written: tuple[Path, ...]
    unchanged: tuple[Path, ...]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]
    stopped: bool = False


def plan(config: PrepareConfig, progress: Progress | None = None, stop: Stop | None = None) -> list[CropPlan]:
    """Say what would become of each picture, in natural order; nothing is written.

    A picture that cannot be prepared has its ``problem`` said. Those behind the point where it was stopped are missing.

    Raises:
        UserError: if the folder cannot be used, or a setting cannot work.
    """
    sources = read_sources(config)

    told = _Told(len(sources.pictures), progress, stop)
    return [found for _, found in told.each(range(len(sources.pictures)), sources.planned)]


def preview(config: PrepareConfig, picture: Path, piece: int = 0) -> Image.Image:
    """What the copy of a picture would look like.

    Args:
        config: the settings.
        picture: one of the folder, or its name below the folder.
        piece: which one, counted from 0, where it is split.

    Raises:
        UserError: if it is no picture of the folder, cannot be read, or its box is not in it.
    """
    sources = read_sources(config)
    index = _index(sources, picture)
    with sources.opened(index) as (image, found):
        if not 0 <= piece < len(found.cuts):
            raise UserError(f"'{found.name}' has {len(found.cuts)} pieces, so there is no piece {piece + 1}.")
        return render(image, found.cuts[piece], config)


def prepare(config: PrepareConfig, progress: Progress | None = None, stop: Stop | None = None) -> Prepared:
    """Write the copies and their captions into the new folder.

    Files that are there already stay: if they are what would be written, they count as done, so that doing it again
    goes on where it was stopped; if any is not, nothing is written at all.

    Raises:
        UserError: if a folder cannot be used, a setting cannot work, or a file would have to be replaced.
    """
    sources = read_sources(config)
    into = new_folder(config, sources.folder)
    check_format(config)
    told = _Told(len(sources.pictures), progress, stop)
    there = files_there(into)
    done = _compared(sources, into, there, told)
    todo = [index for index in range(len(sources.pictures)) if index not in done]
    skipped = []
    for index, made in told.each(todo, lambda index: _try(lambda: _made(sources, index, into, write=True))):
        if isinstance(made, Made):
            done[index] = made
        else:
            skipped.append(Skipped(sources.pictures[index], made))
    results = [done[index] for index in sorted(done)]
    written = tuple(path for made in results for path in made.written)
    unchanged = tuple(path for made in results for path in made.unchanged)
    notes = notes_about(sources, results, 0 if told.stopped else len(there) - len(unchanged))
    return Prepared(into, len(results), written, unchanged, tuple(skipped), tuple(notes), told.stopped)


def _compared(sources: Sources, into: Path, there: Sequence[str], told: "_Told") -> dict[int, Made]:
    """The pictures whose copies are in the new folder already.

    Raises:
        UserError: if anything there is in the way.
    """
    met = met_stems(sources.stems, there, sources.config)
    others: list[Path] = []
    done: dict[int, Made] = {}
    for index, made in told.each(met, lambda index: _try(lambda: _made(sources, index, into, write=False)), quiet=True):
        if isinstance(made, Made):
            others += made.differing
            if not (made.missing or made.differing):
                done[index] = made
    if others:
        listed = ", ".join(f"'{path.relative_to(into).as_posix()}'" for path in others[:5])
        more = f" and {len(others) - 5} more" if len(others) > 5 else ""
        raise UserError(
            f"New folder '{into}' has other files of the names that would be written: {listed}{more}. Nothing was "
            "written. Choose a folder that is empty or not there yet, or move these files away."
        )
    told.count(len(done))
    return done


def _try(work: Callable[[], Made]) -> Made | str:
    """The result, or why there is none."""
    try:
        return work()
    except UserError as error:
        return str(error)


def _made(sources: Sources, index: int, into: Path, write: bool) -> Made:
    """Make the files of one picture, and write them or only compare them with what is there."""
    captions = sources.captions(index)
    with sources.opened(index) as (image, found):
        copies = _copies(sources, found, image, into / sources.stems[index], captions)
    differing, missing = copies.differing(), copies.missing()
    written = copies.write() if write else []
    unchanged = [path for path in copies.files if path not in missing and path not in differing]
    return Made(index, found, captions, tuple(written), tuple(unchanged), tuple(missing), tuple(differing))


def _copies(sources: Sources, found: CropPlan, image: Image.Image, stem: Path, captions: Sequence[Path]) -> Copies:
    config = sources.config
    words = {path.suffix: _read(path) for path in captions}
    files: dict[Path, bytes] = {}
    for number, cut in enumerate(found.cuts, 1):
        copy = render(image, cut, config)
        name = part_stem(stem.name, number, len(found.cuts))
        for ending, picture in (("", copy), (FLIPPED, mirrored(copy) if config.flipped else None)):
            if picture is not None:
                files |= {stem.with_name(name + ending + suffix): data for suffix, data in words.items()}
                files[stem.with_name(name + ending + ENDINGS[config.format])] = encoded(picture, config)
    return Copies(files)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"'{path}' cannot be read: {error.strerror or error}. Check your rights to it.") from error


def _index(sources: Sources, picture: Path) -> int:
    wanted = {os.path.normcase(one.absolute()) for one in (picture, sources.folder / picture)}
    for index, path in enumerate(sources.pictures):
        if os.path.normcase(path.absolute()) in wanted:
            return index
    raise UserError(f"'{picture}' is no picture of the folder '{sources.folder}'. Choose one of it.")


def _cancel(futures: Sequence[Future[T]]) -> None:
    for future in futures:
        future.cancel()


class _Told:
    """Work on pictures in threads, told to who waits for it."""

    def __init__(self, total: int, progress: Progress | None, stop: Stop | None) -> None:
        self.stopped = False
        self._done, self._total, self._progress, self._stop = 0, total, progress, stop

    def each(self, indices: Sequence[int], work: Callable[[int], T], quiet: bool = False) -> Iterator[tuple[int, T]]:
        """The results in order, until it is stopped; ``quiet`` does not count them."""
        if self.stopped:
            return
        with ThreadPoolExecutor(num_readers()) as pool:
            waiting: list[Future[T]] = [pool.submit(work, index) for index in indices]
            try:
                for index, future in zip(indices, waiting, strict=True):
                    if not self.stopped and self._stop is not None and self._stop():
                        self.stopped = True
                        _cancel(waiting)
                    if future.cancelled():
                        continue  # the others are at work or done, and count
                    result = future.result()
                    if not quiet:
                        self.count(1)
                    yield index, result
            finally:
                _cancel(waiting)

    def count(self, number: int) -> None:
        """So many more pictures are done."""
        self._done += number
        if number and self._progress is not None:
            self._progress(self._done, self._total)
