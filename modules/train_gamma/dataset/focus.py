"""Where to cut: the part of a picture that keeps the most of what stands out, and the point it is about."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from train_gamma.dataset.boxes import Box, around
from train_gamma.dataset.saliency import Map, saliency


@dataclass(frozen=True, slots=True)
class Focused:
    """What is kept.

    Attributes:
        box: of the picture.
        point: (x, y) in pixels, what the box was laid around.
    """

    box: Box
    point: tuple[float, float]


def middle(size: tuple[int, int], extent: tuple[int, int]) -> Focused:
    """The middle of a picture, as training takes it.

    Args:
        size: (width, height) of the picture.
        extent: (width, height) of what is kept.
    """
    point = (size[0] / 2, size[1] / 2)
    return Focused(around(point, extent, size), point)


def focused(image: Image.Image, extent: tuple[int, int]) -> Focused:
    """The part with the most in it; of equal ones the one nearest to the middle.

    Args:
        image: RGB, upright.
        extent: (width, height) of what is kept, no more than the picture.
    """
    if extent == image.size:
        return Focused(Box(0, 0, *extent), _centroid(saliency(image), image.size, Box(0, 0, *extent)))
    found = saliency(image)
    box = Box(
        _best_start(found.sum(axis=0), extent[0], image.width),
        _best_start(found.sum(axis=1), extent[1], image.height),
        *extent,
    )
    return Focused(box, _centroid(found, image.size, box))


def _best_start(profile: "Map", extent: int, whole: int) -> int:
    """Where along one side a stretch of ``extent`` pixels holds the most."""
    if extent >= whole:
        return 0
    sums = np.concatenate([[0.0], np.cumsum(profile)])  # up to each edge of a cell
    edges = np.linspace(0.0, whole, len(sums))
    starts = np.unique(np.linspace(0, whole - extent, min(whole - extent, 400) + 1).round())
    held = np.interp(starts + extent, edges, sums) - np.interp(starts, edges, sums)
    best = starts[held >= held.max() - 1e-9 * sums[-1]]
    return int(best[np.argmin(np.abs(best - (whole - extent) / 2))])


def _centroid(found: "Map", size: tuple[int, int], box: Box) -> tuple[float, float]:
    """The middle of what stands out in a box, in pixels of the picture."""
    y = (np.arange(found.shape[0]) + 0.5) * size[1] / found.shape[0]
    x = (np.arange(found.shape[1]) + 0.5) * size[0] / found.shape[1]
    left, top, right, bottom = box.corners
    inside = np.outer((y >= top) & (y <= bottom), (x >= left) & (x <= right))
    weights = found * inside
    total = weights.sum()
    if total <= 0:
        return box.centre
    return round(float((weights.sum(axis=0) @ x) / total), 1), round(float((weights.sum(axis=1) @ y) / total), 1)
