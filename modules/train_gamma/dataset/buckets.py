"""Aspect-ratio buckets: shapes of about equal area, and how a picture is brought to one of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from PIL import Image

from train_gamma.errors import UserError

_VAE_FACTOR = 8


@dataclass(frozen=True, order=True, slots=True)
class Bucket:
    """The shape, in pixels, of the pictures of a batch."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Fit:
    """How one picture is brought to its bucket.

    Attributes:
        bucket: the shape it ends in.
        resized: (width, height) of the picture after scaling; covers the bucket.
        crop: (left, top, right, bottom) of the bucket in the scaled picture.
        lost: share of the picture's area outside the crop, 0..1.
    """

    bucket: Bucket
    resized: tuple[int, int]
    crop: tuple[int, int, int, int]
    lost: float


def make_buckets(width: int, height: int, step: int, minimum: int, maximum: int) -> tuple[Bucket, ...]:
    """All buckets: for each width the largest height with which the area is at most ``width * height``.

    Sides are multiples of ``step`` from ``minimum`` to ``maximum``; for each bucket its transpose is there too, and so
    are the largest square and ``width`` x ``height`` itself if its sides fit. Where ``minimum`` and ``maximum`` are
    multiples of ``step`` and the square lies between them, this is the list of kohya's ``make_bucket_resolutions``
    (sd-scripts ``library/model_util.py``); elsewhere kohya's has sides off the step, or a square outside the limits.

    Raises:
        UserError: if the step is not a multiple of 8, or no bucket fits.
    """
    if step <= 0 or step % _VAE_FACTOR:
        raise UserError(f"Bucket step must be a multiple of 8 (a latent pixel has 8 x 8 pixels), got {step}. Try 64.")
    area = width * height
    shortest, longest = -(-minimum // step) * step, maximum // step * step
    found: set[Bucket] = set()
    for side in range(max(shortest, step), longest + 1, step):
        other = min(longest, area // side // step * step)
        if other >= max(shortest, step):
            found |= {Bucket(side, other), Bucket(other, side)}
    square = min(longest, math.isqrt(area) // step * step)
    if square >= max(shortest, step):
        found.add(Bucket(square, square))
    if not found:
        raise UserError(_no_bucket(width, height, step, minimum, maximum))
    return tuple(sorted(found))


def fit_picture(size: tuple[int, int], buckets: Sequence[Bucket], upscale: bool, step: int = 64) -> Fit:
    """Choose the bucket of a picture: the nearest by the logarithm of the aspect ratio, the larger when two are equal.

    The picture is scaled to cover the bucket and the middle is cut out. (kohya's sd-scripts compare the ratios
    themselves, which sends a picture and its transpose to buckets that are not each other's transpose.)

    Args:
        size: (width, height) of the picture.
        buckets: what to choose from, not empty.
        upscale: False gives a picture that is smaller than its bucket one of its own: sides no longer than the
            picture's, floored to ``step``, but at least one step.
        step: only used for such a bucket.
    """
    width, height = size
    bucket = min(buckets, key=lambda b: (_mismatch(size, b), -b.width * b.height, b))
    if not upscale and (width < bucket.width or height < bucket.height):
        bucket = Bucket(_floor(min(width, bucket.width), step), _floor(min(height, bucket.height), step))
    if width * bucket.height >= height * bucket.width:  # wider than the bucket
        resized = (max(bucket.width, _divide(width * bucket.height, height)), bucket.height)
    else:
        resized = (bucket.width, max(bucket.height, _divide(height * bucket.width, width)))
    left, top = (resized[0] - bucket.width) // 2, (resized[1] - bucket.height) // 2
    crop = (left, top, left + bucket.width, top + bucket.height)
    lost = 1 - bucket.width * bucket.height / (resized[0] * resized[1])
    return Fit(bucket, resized, crop, lost)


def apply_fit(image: Image.Image, fit: Fit) -> Image.Image:
    """Scale and crop ``image`` in one go (Lanczos), so that a very long picture never exists at its scaled size."""
    scale_x, scale_y = image.width / fit.resized[0], image.height / fit.resized[1]
    left, top, right, bottom = fit.crop
    box = (left * scale_x, top * scale_y, min(right * scale_x, image.width), min(bottom * scale_y, image.height))
    return image.resize((fit.bucket.width, fit.bucket.height), Image.Resampling.LANCZOS, box=box)


def _mismatch(size: tuple[int, int], bucket: Bucket) -> Fraction:
    """Ratio of the two aspect ratios, at least 1: orders like |log| of it, but exactly."""
    a, b = size[0] * bucket.height, size[1] * bucket.width
    return Fraction(max(a, b), min(a, b))


def _floor(side: int, step: int) -> int:
    return max(step, side // step * step)


def _divide(a: int, b: int) -> int:
    return (2 * a + b) // (2 * b)  # rounded to the nearest whole


def _no_bucket(width: int, height: int, step: int, minimum: int, maximum: int) -> str:
    side = math.isqrt(width * height) // step * step
    if side < step:
        return f"Width x Height ({width} x {height}) has no room for one Bucket step ({step}). Lower the step."
    if -(-minimum // step) > maximum // step:
        return (
            f"No multiple of Bucket step ({step}) lies between Bucket minimum ({minimum}) and "
            f"Bucket maximum ({maximum}). Lower the minimum, raise the maximum or lower the step."
        )
    return (
        f"No bucket fits: with sides of at least Bucket minimum ({minimum}), in multiples of Bucket step ({step}), "
        f"even the smallest has more area than Width x Height ({width} x {height}). "
        f"Lower Bucket minimum to {side} or less, or raise Width and Height."
    )
