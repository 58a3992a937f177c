"""Cutting very long pictures into pieces that overlap."""

import math

from train_gamma.dataset.boxes import Box, largest
from train_gamma.dataset.buckets import Bucket


def is_long(size: tuple[int, int], above: float) -> bool:
    """Whether the longer side is more than ``above`` times the shorter one."""
    return max(size) > above * min(size)


def split(size: tuple[int, int], bucket: Bucket, overlap: float) -> tuple[Box, ...]:
    """Pieces in the shape of a bucket that cover the whole picture, evenly spaced, from the left or the top.

    There are as few as possible with which neighbours share at least ``overlap`` of a piece.

    Args:
        size: (width, height) of the picture.
        bucket: whose shape the pieces have, to the nearest pixel.
        overlap: 0 to 0.9.
    """
    width, height = largest(bucket, size)
    tall = size[1] - height >= size[0] - width
    whole, piece = (size[1], height) if tall else (size[0], width)
    starts = _starts(whole, piece, overlap)
    if tall:
        return tuple(Box((size[0] - width) // 2, start, width, height) for start in starts)
    return tuple(Box(start, (size[1] - height) // 2, width, height) for start in starts)


def _starts(whole: int, piece: int, overlap: float) -> list[int]:
    """Where pieces of a length begin that cover a whole."""
    stride = max(1, math.floor(piece * (1 - overlap)))
    count = 1 + -(-max(0, whole - piece) // stride)
    if count == 1:
        return [(whole - piece) // 2]
    return [(whole - piece) * number // (count - 1) for number in range(count)]
