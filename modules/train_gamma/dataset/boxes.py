"""Rectangles in pictures: cut out by hand, or brought to the shape of a bucket."""

import re
from dataclasses import dataclass

from train_gamma.dataset.buckets import Bucket
from train_gamma.errors import UserError

_BOX = re.compile(r"(?P<name>.+?)\s*=\s*(?P<numbers>-?\d+(?:\s*,\s*-?\d+){3})\s*")


@dataclass(frozen=True, order=True, slots=True)
class Box:
    """A part of a picture, in whole pixels of the upright picture.

    Attributes:
        x: of its left edge.
        y: of its upper edge.
        width: at least 1.
        height: at least 1.
    """

    x: int
    y: int
    width: int
    height: int

    @property
    def corners(self) -> tuple[int, int, int, int]:
        """(left, top, right, bottom), as Pillow wants it."""
        return self.x, self.y, self.x + self.width, self.y + self.height

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) in pixels."""
        return self.x + self.width / 2, self.y + self.height / 2

    @property
    def area(self) -> int:
        """In pixels."""
        return self.width * self.height


def read_box(text: str) -> tuple[str, Box]:
    """A picture and its box, from ``name.png = x, y, width, height``.

    Raises:
        UserError: if it is not written so, or the box is empty or begins outside of the picture.
    """
    match = _BOX.fullmatch(text.strip())
    if match is None:
        raise UserError(f"Crop box '{text}' must be written as name.png = x, y, width, height, all in pixels.")
    x, y, width, height = (int(number) for number in match["numbers"].split(","))
    if width < 1 or height < 1 or x < 0 or y < 0:
        raise UserError(
            f"Crop box '{text}' is no part of a picture: x and y are 0 or more, width and height 1 or more. Correct it."
        )
    return match["name"].strip().replace("\\", "/"), Box(x, y, width, height)


def write_box(name: str, box: Box) -> str:
    """What ``read_box`` reads."""
    return f"{name} = {box.x}, {box.y}, {box.width}, {box.height}"


def check_box(box: Box, size: tuple[int, int], name: str) -> None:
    """Refuse a box that is not in the picture.

    Raises:
        UserError: naming the picture's size.
    """
    if box.x + box.width > size[0] or box.y + box.height > size[1]:
        raise UserError(
            f"The crop box of '{name}' ({box.x}, {box.y}, {box.width} x {box.height}) reaches out of the picture of "
            f"{size[0]} x {size[1]} pixels. Draw it again, or leave it out."
        )


def snapped(box: Box, bucket: Bucket, size: tuple[int, int]) -> Box:
    """A box in the shape of a bucket around another one: the smallest that holds all of it, if there is room for it.

    It keeps the middle of the other one unless it would reach out of the picture then.
    """
    width = max(box.width, _times(box.height, bucket.width, bucket.height))
    height = max(box.height, _times(box.width, bucket.height, bucket.width))
    if width > size[0] or height > size[1]:
        width, height = largest(bucket, size)
    return around(box.centre, (width, height), size)


def largest(bucket: Bucket, size: tuple[int, int]) -> tuple[int, int]:
    """(width, height) of the largest part of a picture that has the shape of a bucket, to the nearest pixel."""
    width = min(size[0], _times(size[1], bucket.width, bucket.height))
    height = min(size[1], _times(size[0], bucket.height, bucket.width))
    return max(1, width), max(1, height)


def around(centre: tuple[float, float], extent: tuple[int, int], size: tuple[int, int]) -> Box:
    """A box of a given width and height around a point, moved so that it lies in the picture."""
    x = min(max(0, round(centre[0] - extent[0] / 2)), size[0] - extent[0])
    y = min(max(0, round(centre[1] - extent[1] / 2)), size[1] - extent[1])
    return Box(x, y, extent[0], extent[1])


def _times(side: int, numerator: int, denominator: int) -> int:
    return max(1, (2 * side * numerator + denominator) // (2 * denominator))  # rounded to the nearest whole
