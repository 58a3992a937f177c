"""What is prepared: the pictures of a folder, the boxes drawn in them, and a new folder that is fit for the copies."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from PIL import Image

from train_gamma.dataset.boxes import Box, read_box
from train_gamma.dataset.buckets import Bucket, make_buckets
from train_gamma.dataset.captions import caption_paths
from train_gamma.dataset.copies import copy_stems
from train_gamma.dataset.crop_plan import CropPlan, plan_picture
from train_gamma.dataset.dataset import dataset_folder
from train_gamma.dataset.facts import MANY_PIXELS
from train_gamma.dataset.folders import list_files
from train_gamma.dataset.pictures import DECODE_ERRORS, find_pictures, parse_colour
from train_gamma.dataset.prepare_config import PrepareConfig
from train_gamma.dataset.srgb import open_as_srgb
from train_gamma.errors import UserError, raise_all
from train_gamma.training.config import DatasetConfig


@dataclass(frozen=True, slots=True)
class Sources:
    """The pictures of a folder, checked together.

    Attributes:
        config: the settings.
        folder: of the pictures.
        pictures: in natural order.
        names: of each, its path below the folder, with slashes.
        stems: of each, the path of its copies in the new folder, without an ending.
        boxes: what is kept of some, by name.
        buckets: of training.
    """

    config: PrepareConfig
    folder: Path
    pictures: tuple[Path, ...]
    names: tuple[str, ...]
    stems: tuple[str, ...]
    boxes: Mapping[str, Box]
    buckets: tuple[Bucket, ...]
    _large: Lock = field(default_factory=Lock, repr=False, compare=False)

    @contextmanager
    def opened(self, index: int) -> Iterator[tuple[Image.Image, CropPlan]]:
        """A picture as RGB, or RGBA where transparency is kept, and its plan. Very large ones wait for each other.

        Raises:
            UserError: if it cannot be read or its box is not in it.
        """
        path, name, config = self.pictures[index], self.names[index], self.config
        _check_name(name)
        is_large = _num_pixels(path) > MANY_PIXELS
        if is_large:
            self._large.acquire()
        try:
            image = open_as_srgb(path, config.background, config.transparency == "keep")
            shown = image if image.mode == "RGB" else _flattened(image, config.background)
            yield image, plan_picture(shown, path, name, self.boxes.get(name), config, self.buckets)
        finally:
            if is_large:
                self._large.release()

    def planned(self, index: int) -> CropPlan:
        """The plan of a picture; if it cannot be prepared, its ``problem`` says why."""
        try:
            with self.opened(index) as (_, found):
                return found
        except UserError as error:
            return CropPlan(self.pictures[index], self.names[index], problem=str(error))

    def captions(self, index: int) -> list[Path]:
        """The caption files of a picture."""
        endings = DatasetConfig(caption_extensions=self.config.caption_extensions)
        return [path for path in caption_paths(self.pictures[index], endings) if path.is_file()]


def read_sources(config: PrepareConfig) -> Sources:
    """Find the pictures and check everything that needs no look into them.

    Raises:
        UserError: if the folder cannot be used, a bucket setting cannot work or a box is for no picture of it.
    """
    folder = dataset_folder(DatasetConfig(folder=config.folder))
    buckets = make_buckets(config.width, config.height, config.bucket_step, config.bucket_min, config.bucket_max)
    pictures = find_pictures(folder, config.recursive)
    names = [path.relative_to(folder).as_posix() for path in pictures]
    stems = copy_stems(names, config)
    return Sources(config, folder, tuple(pictures), tuple(names), tuple(stems), _boxes(config, names), buckets)


def new_folder(config: PrepareConfig, folder: Path) -> Path:
    """The folder for the copies, which need not be there yet.

    Raises:
        UserError: if none is named, it is a file, or one of the two folders is inside the other.
    """
    if not config.into.strip():
        raise UserError("New folder is not set. Name a folder for the copies, outside of the pictures' folder.")
    into = dataset_folder(DatasetConfig(folder=config.into.strip())).absolute()
    if into.exists() and not into.is_dir():
        raise UserError(f"New folder '{into}' is a file. Choose another name.")
    source, target = (Path(os.path.normcase(os.path.realpath(one))) for one in (folder, into))
    if source == target:
        raise UserError(f"New folder '{into}' is the folder of the pictures, which stays as it is. Choose another one.")
    if target.is_relative_to(source):
        raise UserError(
            f"New folder '{into}' is inside the pictures' folder, so its copies would be taken for pictures of it. "
            f"Choose one beside it, such as '{folder.absolute().name}-prepared'."
        )
    if source.is_relative_to(target):
        raise UserError(
            f"The pictures' folder '{folder}' is inside of New folder '{into}', so the two would be mixed up. Choose "
            "another one."
        )
    return into


def files_there(into: Path) -> list[str]:
    """Paths of the files in a new folder, below it and with slashes; none if it is not there."""
    if not into.is_dir():
        return []
    return [path.relative_to(into).as_posix() for path in list_files(into, recursive=True)]


def _boxes(config: PrepareConfig, names: list[str]) -> dict[str, Box]:
    known, problems = set(names), []
    found: dict[str, Box] = {}
    for text in config.boxes:
        name, box = read_box(text)
        if name not in known:
            problems.append(f"Crop box '{text}' is for a picture that is not in the folder. Correct its name.")
        elif found.setdefault(name, box) != box:
            problems.append(f"'{name}' has two crop boxes. Leave one of them.")
    raise_all(problems)
    return found


def _flattened(image: Image.Image, background: str) -> Image.Image:
    ground = Image.new("RGBA", image.size, (*parse_colour(background), 255))
    return Image.alpha_composite(ground, image).convert("RGB")


def _check_name(name: str) -> None:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        shown = name.encode("utf-8", "backslashreplace").decode()
        raise UserError(f"The file name '{shown}' is not valid UTF-8. Rename the file.") from None


def _num_pixels(path: Path) -> int:
    try:
        with Image.open(path) as image:
            width, height = image.size
    except (*DECODE_ERRORS, Image.DecompressionBombError):
        return 0  # opening it for good says what is wrong
    return int(width * height)
