"""What is cut out of one picture, and the bucket that falls to."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from train_gamma.dataset.boxes import Box, check_box, largest, snapped
from train_gamma.dataset.buckets import Bucket, Fit, fit_picture
from train_gamma.dataset.focus import focused, middle
from train_gamma.dataset.prepare_config import PrepareConfig
from train_gamma.dataset.splitting import is_long, split


@dataclass(frozen=True, slots=True)
class Cut:
    """One part of a picture that is kept.

    Attributes:
        box: what is cut out.
        size: (width, height) in pixels of the copy.
        bucket: in which training will put the copy.
    """

    box: Box
    size: tuple[int, int]
    bucket: Bucket


@dataclass(frozen=True, slots=True)
class CropPlan:
    """What becomes of one picture.

    Attributes:
        path: the picture.
        name: its path below the folder, with slashes.
        size: (width, height) in pixels, upright; (0, 0) if it cannot be read.
        cuts: what is kept, one unless it is split; none if there is a problem.
        lost: share of the picture that is in no cut, 0..1.
        lost_in_training: share of the copies that training will still cut off, 0..1.
        focus: (x, y) in pixels, what the cut is laid around; None where a box was given or nothing is chosen.
        how: "auto" and "middle" for the focal point, "box", "split", or "whole" where nothing is cut.
        problem: why it cannot be prepared, "" if it can.
    """

    path: Path
    name: str
    size: tuple[int, int] = (0, 0)
    cuts: tuple[Cut, ...] = ()
    lost: float = 0.0
    lost_in_training: float = 0.0
    focus: tuple[float, float] | None = None
    how: str = ""
    problem: str = ""


def plan_picture(
    image: Image.Image, path: Path, name: str, box: Box | None, config: PrepareConfig, buckets: Sequence[Bucket]
) -> CropPlan:
    """Plan one picture.

    Args:
        image: the picture, upright, RGB.
        path: of the picture.
        name: below the folder.
        box: what is to be kept, chosen by hand.
        config: the settings.
        buckets: of training.

    Raises:
        UserError: if the box is not in the picture.
    """
    boxes, focus, how = _boxes(image, name, box, config, buckets)
    cuts = tuple(_cut(one, config, buckets) for one in boxes)
    kept = sum(one.area for one in boxes) if len(boxes) == 1 else _covered(boxes)
    lost = max(0.0, 1 - kept / (image.width * image.height))
    later = max(fit_picture(cut.size, buckets, upscale=True).lost for cut in cuts)
    return CropPlan(path, name, image.size, cuts, lost, later, focus, how)


def _boxes(
    image: Image.Image, name: str, box: Box | None, config: PrepareConfig, buckets: Sequence[Bucket]
) -> tuple[tuple[Box, ...], tuple[float, float] | None, str]:
    """What is kept, the focal point, and how it was chosen."""
    size = image.size
    if box is not None:
        check_box(box, size, name)
        if config.crop == "bucket":
            box = snapped(box, fit_picture((box.width, box.height), buckets, upscale=True).bucket, size)
        return (box,), None, "box"
    if config.split and is_long(size, config.split_above):
        shape = fit_picture((config.width, config.height), buckets, upscale=True).bucket
        return split(size, shape, config.overlap), None, "split"
    extent = largest(fit_picture(size, buckets, upscale=True).bucket, size)
    if config.crop == "none" or extent == size:
        return (Box(0, 0, *size),), None, "whole"
    found = focused(image, extent) if config.focus == "auto" else middle(size, extent)
    return (found.box,), found.point, config.focus


def _cut(box: Box, config: PrepareConfig, buckets: Sequence[Bucket]) -> Cut:
    fit = fit_picture((box.width, box.height), buckets, upscale=True)
    return Cut(box, _size(box, fit, config), fit.bucket)


def _size(box: Box, fit: Fit, config: PrepareConfig) -> tuple[int, int]:
    """Pixels of the copy of a part."""
    size = (box.width, box.height)
    if config.size == "keep":
        return size
    if config.size == "bucket":
        wanted = (fit.bucket.width, fit.bucket.height) if config.crop == "bucket" else fit.resized
    else:
        factor = config.longest_side / max(size)
        wanted = (max(1, round(size[0] * factor)), max(1, round(size[1] * factor)))
    smaller = wanted[0] > size[0] or wanted[1] > size[1]
    return size if smaller and not config.upscale else wanted


def _covered(boxes: Sequence[Box]) -> int:
    """Area of boxes in a row, which overlap."""
    left, top = min(b.x for b in boxes), min(b.y for b in boxes)
    right, bottom = max(b.x + b.width for b in boxes), max(b.y + b.height for b in boxes)
    return math.prod((right - left, bottom - top))
