"""Long pictures in pieces, and boxes in the shape of buckets."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from train_gamma.dataset.boxes import Box, check_box, largest, read_box, snapped, write_box
from train_gamma.dataset.buckets import Bucket
from train_gamma.dataset.splitting import is_long, split
from train_gamma.errors import UserError

SIZES = st.tuples(st.integers(1, 400), st.integers(1, 400))
BUCKETS = st.builds(Bucket, st.sampled_from([64, 128, 192, 256]), st.sampled_from([64, 128, 192, 256]))


@given(SIZES, BUCKETS, st.floats(0.0, 0.9))
def test_pieces_cover_everything_and_overlap(size: tuple[int, int], bucket: Bucket, overlap: float) -> None:
    pieces = split(size, bucket, overlap)
    covered = np.zeros((size[1], size[0]), dtype=bool)
    for piece in pieces:
        left, top, right, bottom = piece.corners
        assert 0 <= left < right <= size[0]
        assert 0 <= top < bottom <= size[1]
        covered[top:bottom, left:right] = True
    along = 1 if size[1] - pieces[0].height >= size[0] - pieces[0].width else 0
    if len(pieces) > 1:
        assert covered.all()
    for one, other in pairwise(pieces):
        shared = one.corners[2 + along] - other.corners[along]
        extent = one.height if along else one.width
        assert shared >= math.floor(extent * overlap) - 1
        assert other.corners[along] > one.corners[along]


@given(SIZES, BUCKETS)
def test_pieces_have_the_shape_of_the_bucket_to_the_nearest_pixel(size: tuple[int, int], bucket: Bucket) -> None:
    for piece in split(size, bucket, 0.2):
        exact = piece.width * bucket.height / bucket.width, piece.height * bucket.width / bucket.height
        assert (
            abs(piece.height - exact[0]) <= 0.5
            or abs(piece.width - exact[1]) <= 0.5
            or min(piece.width, piece.height) == 1
        )


@pytest.mark.parametrize(
    ("size", "overlap", "starts"),
    [
        ((100, 400), 0.0, [0, 100, 200, 300]),
        ((100, 400), 0.25, [0, 75, 150, 225, 300]),
        ((100, 250), 0.2, [0, 75, 150]),
        ((100, 100), 0.2, [0]),
        ((100, 101), 0.9, [0, 1]),
    ],
)
def test_as_few_pieces_as_the_overlap_allows(size: tuple[int, int], overlap: float, starts: list[int]) -> None:
    """Worked out by hand for squares: n pieces of 100 cover 100 + (n - 1) * 100 * (1 - overlap)."""
    square = Bucket(64, 64)
    assert [piece.y for piece in split(size, square, overlap)] == starts
    assert [piece.x for piece in split(size[::-1], square, overlap)] == starts


def test_long_means_more_than_so_many_times() -> None:
    assert not is_long((200, 100), 2.0)
    assert is_long((201, 100), 2.0)
    assert is_long((100, 201), 2.0)


@given(SIZES, BUCKETS, st.data())
def test_a_box_grows_to_the_shape_of_its_bucket(size: tuple[int, int], bucket: Bucket, data: st.DataObject) -> None:
    width, height = data.draw(st.integers(1, size[0])), data.draw(st.integers(1, size[1]))
    box = Box(data.draw(st.integers(0, size[0] - width)), data.draw(st.integers(0, size[1] - height)), width, height)
    found = snapped(box, bucket, size)
    left, top, right, bottom = found.corners
    assert 0 <= left < right <= size[0]
    assert 0 <= top < bottom <= size[1]
    if (found.width, found.height) != largest(bucket, size):
        assert left <= box.x
        assert top <= box.y
        assert right >= box.x + box.width
        assert bottom >= box.y + box.height


def test_a_box_keeps_its_middle_where_there_is_room() -> None:
    assert snapped(Box(100, 100, 40, 20), Bucket(64, 64), (400, 400)) == Box(100, 90, 40, 40)
    assert snapped(Box(0, 0, 40, 20), Bucket(64, 64), (400, 400)) == Box(0, 0, 40, 40)
    assert snapped(Box(0, 0, 400, 20), Bucket(64, 64), (400, 300)) == Box(50, 0, 300, 300)


@given(
    st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\\"), min_size=1),
    st.integers(0, 10**6),
    st.integers(1, 10**6),
)
def test_boxes_are_read_as_they_are_written(name: str, place: int, extent: int) -> None:
    name = f"a/{name}.png"
    box = Box(place, place + 1, extent, extent + 2)
    assert read_box(write_box(name, box)) == (name, box)


@pytest.mark.parametrize(
    "text", ["", "a.png", "a.png = 1, 2, 3", "a.png = 1 2 3 4", "= 1, 2, 3, 4", "a.png = 1, 2, 3, x"]
)
def test_what_is_no_box_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="must be written as"):
        read_box(text)


@pytest.mark.parametrize("numbers", ["-1, 0, 5, 5", "0, -1, 5, 5", "0, 0, 0, 5", "0, 0, 5, 0"])
def test_a_box_outside_or_empty_is_refused(numbers: str) -> None:
    with pytest.raises(UserError, match="no part of a picture"):
        read_box(f"a.png = {numbers}")


def test_a_box_that_reaches_out_of_the_picture_is_refused() -> None:
    check_box(Box(10, 10, 90, 40), (100, 50), "a.png")
    for box in (Box(11, 10, 90, 40), Box(10, 11, 90, 40)):
        with pytest.raises(UserError, match="100 x 50 pixels"):
            check_box(box, (100, 50), "a.png")
