"""The examination of a dataset: every file is looked at once, every check is made, and the findings come back."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from train_gamma.dataset.buckets import Bucket, fit_picture, make_buckets
from train_gamma.dataset.captions import compile_filename_regex
from train_gamma.dataset.dataset import Dataset, dataset_folder
from train_gamma.dataset.facts import FactsReader, PictureFacts
from train_gamma.dataset.folders import list_files
from train_gamma.dataset.items import num_readers
from train_gamma.dataset.pictures import TooLargeError, find_pictures, parse_colour, pictures_among
from train_gamma.dataset.templates import load_templates
from train_gamma.doctor.balance import Coverage, check_balance, coverage_of
from train_gamma.doctor.budget import check_budget
from train_gamma.doctor.caption_file import look_at_caption
from train_gamma.doctor.captions import check_captions
from train_gamma.doctor.duplicates import Pair, check_duplicates, find_pairs
from train_gamma.doctor.facts_cache import FactsCache
from train_gamma.doctor.findings import Finding, by_level
from train_gamma.doctor.material import Material, Subject, Target
from train_gamma.doctor.names import check_names
from train_gamma.doctor.pictures import check_pictures
from train_gamma.doctor.residues import check_residues
from train_gamma.errors import UserError
from train_gamma.training.config import DatasetConfig

Progress = Callable[[int, int], None]
Stop = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found.

    Attributes:
        findings: errors first.
        material: what was looked at, picture by picture.
        pairs: pictures that are there twice, to be looked at side by side.
        coverage: what the pictures show, by their tags.
        stopped: whether it was ended early; then only the pictures so far were looked at.
    """

    findings: tuple[Finding, ...]
    material: Material
    pairs: tuple[Pair, ...]
    coverage: Coverage
    stopped: bool = False

    def of(self, kind: str) -> list[Finding]:
        """The findings of a kind."""
        return [finding for finding in self.findings if finding.kind == kind]

    def kinds_by_picture(self) -> dict[Path, list[str]]:
        """The kinds of the findings about each file that any is about."""
        kinds: dict[Path, list[str]] = defaultdict(list)
        for finding in self.findings:
            for path in finding.pictures:
                kinds[path].append(finding.kind)
        return dict(kinds)


def examine(
    config: DatasetConfig,
    target: Target | None = None,
    *,
    cache: Path | None = None,
    progress: Progress | None = None,
    stop: Stop | None = None,
) -> Examination:
    """Examine a folder. What is wrong with it is told, not raised.

    Args:
        config: the folder and how it is read; limits follow its width and height.
        target: what is to be learned; None when that is not known yet.
        cache: a folder outside of the dataset where facts are kept for the next time.
        progress: hears how many of how many pictures were looked at.
        stop: asked between two pictures whether to end early.

    Raises:
        UserError: if the folder cannot be used or has no pictures, or a setting cannot work.
    """
    folder = dataset_folder(config)
    buckets = make_buckets(config.width, config.height, config.bucket_step, config.bucket_min, config.bucket_max)
    parse_colour(config.background)
    compile_filename_regex(config)
    templates = load_templates(config)
    find_pictures(folder, config.recursive)  # refuses a folder without any
    files = list_files(folder, config.recursive)
    paths = pictures_among(files)
    reading = _Reading(FactsCache(cache, folder, config.background), FactsReader(config.background), progress, stop)
    looks = reading.read(paths)
    subjects = [_subject(look, folder, config, buckets) for look in looks]
    material = Material(folder, config, target or Target(), subjects, files, templates)
    return _judged(material, stopped=len(looks) < len(paths))


def examine_dataset(dataset: Dataset, target: Target | None = None) -> Examination:
    """Examine a dataset that is loaded. Its pictures are not opened again, but for those that seem to be equal."""
    config = dataset.config
    folder = dataset_folder(config)
    buckets = make_buckets(config.width, config.height, config.bucket_step, config.bucket_min, config.bucket_max)
    looks = [_Look(item.path, item.facts) for item in dataset.items]
    subjects = [_subject(look, folder, config, buckets) for look in looks]
    files = list_files(folder, config.recursive)
    return _judged(Material(folder, config, target or Target(), subjects, files, dataset.templates))


def _judged(material: Material, stopped: bool = False) -> Examination:
    pairs = find_pairs(material.subjects, material.config.background)
    findings = [
        *check_pictures(material),
        *check_duplicates(material, pairs),
        *check_captions(material),
        *check_budget(material),
        *check_residues(material),
        *check_names(material),
        *check_balance(material),
    ]
    return Examination(by_level(findings), material, tuple(pairs), coverage_of(material), stopped)


@dataclass(frozen=True, slots=True)
class _Look:
    """What one look at a file gave: facts, or why there are none."""

    path: Path
    facts: PictureFacts | None = None
    problem: str = ""
    too_large: bool = False


@dataclass
class _Reading:
    """Looks at pictures in threads."""

    cache: FactsCache
    reader: FactsReader
    progress: Progress | None
    stop: Stop | None
    done: list[_Look] = field(default_factory=list)

    def read(self, paths: Sequence[Path]) -> list[_Look]:
        """What is seen of each; those behind the point where it was stopped are missing."""
        known = {path: facts for path in paths if (facts := self.cache.get(path)) is not None}
        with ThreadPoolExecutor(num_readers()) as pool:
            waiting = {path: pool.submit(self._look, path) for path in paths if path not in known}
            try:
                for path in paths:
                    if self.stop is not None and self.stop():
                        break
                    self._take(_Look(path, known[path]) if path in known else waiting[path].result(), len(paths))
            finally:
                _cancel(list(waiting.values()))
        self.cache.save()
        return self.done

    def _take(self, look: _Look, total: int) -> None:
        if look.facts is not None:
            self.cache.put(look.path, look.facts)
        self.done.append(look)
        if self.progress is not None:
            self.progress(len(self.done), total)

    def _look(self, path: Path) -> _Look:
        try:
            return _Look(path, self.reader.read(path))
        except UserError as error:
            return _Look(path, None, str(error), isinstance(error, TooLargeError))


def _cancel(futures: list["Future[_Look]"]) -> None:
    for future in futures:
        future.cancel()


def _subject(look: _Look, folder: Path, config: DatasetConfig, buckets: Sequence[Bucket]) -> Subject:
    name, caption = look.path.relative_to(folder).as_posix(), look_at_caption(look.path, config)
    if look.facts is None:
        return Subject(look.path, name, caption, None, look.problem, look.too_large)
    size = look.facts.size
    filled = fit_picture(size, buckets, upscale=True, step=config.bucket_step)
    fit = filled if config.upscale else fit_picture(size, buckets, upscale=False, step=config.bucket_step)
    enlarged = max(filled.resized[0] / size[0], filled.resized[1] / size[1])
    return Subject(look.path, name, caption, look.facts, "", False, fit, enlarged)
