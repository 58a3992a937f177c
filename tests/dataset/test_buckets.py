import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.dataset.drawn import gradient, noise, pixel
from train_gamma.dataset.buckets import Bucket, apply_fit, fit_picture, make_buckets
from train_gamma.errors import UserError

DEFAULT = make_buckets(512, 512, 64, 256, 1024)
SIDE = st.integers(1, 3000)
STEP = st.sampled_from([8, 16, 32, 64])


def pairs(buckets):
    return {(bucket.width, bucket.height) for bucket in buckets}


def kohya(width, height, step, minimum, maximum):
    """sd-scripts' published rule, by search: for each width the tallest height within the area, and the transposes."""
    heights = {
        w: [h for h in range(step, maximum + 1, step) if w * h <= width * height]
        for w in range(minimum, maximum + 1, step)
    }
    found = {(w, max(hs)) for w, hs in heights.items() if hs and max(hs) >= minimum}
    square = max(side for side in range(step, 10 * maximum, step) if side * side <= width * height)
    return found | {(h, w) for w, h in found} | {(square, square)}


def test_the_default_buckets_are_kohyas():
    portrait = {(256, 832), (256, 896), (256, 960), (256, 1024), (320, 704), (320, 768), (384, 640), (448, 576)}
    assert pairs(DEFAULT) == portrait | {(h, w) for w, h in portrait} | {(512, 512)}  # worked out on paper
    assert pairs(DEFAULT) == kohya(512, 512, 64, 256, 1024)


@pytest.mark.parametrize("size", [(512, 512), (512, 768), (640, 448), (768, 768), (1024, 1024), (600, 600)])
def test_other_sizes_give_kohyas_buckets_too(size):
    assert pairs(make_buckets(*size, 64, 256, 1024)) == kohya(*size, 64, 256, 1024)


@given(st.integers(64, 1200), st.integers(64, 1200), STEP, st.integers(8, 400), st.integers(64, 2048))
def test_buckets_keep_their_promises(width, height, step, minimum, maximum):
    try:
        buckets = make_buckets(width, height, step, minimum, maximum)
    except UserError:
        smallest = math.ceil(minimum / step) * step
        assert smallest * smallest > width * height or smallest > maximum
        return
    found = pairs(buckets)
    assert found == {(h, w) for w, h in found}
    assert all(w % step == h % step == 0 for w, h in found)
    assert all(minimum <= min(pair) and max(pair) <= maximum and math.prod(pair) <= width * height for pair in found)
    assert any(w == h for w, h in found)
    if width % step == height % step == 0 and minimum <= min(width, height) and max(width, height) <= maximum:
        assert (width, height) in found


@given(SIDE, SIDE)
def test_a_picture_gets_the_bucket_nearest_by_log_ratio(width, height):
    chosen = fit_picture((width, height), DEFAULT, True).bucket

    def distance(bucket):
        return abs(math.log(width / height) - math.log(bucket.width / bucket.height))

    assert distance(chosen) <= min(map(distance, DEFAULT)) + 1e-12


@pytest.mark.parametrize(
    ("size", "bucket"),
    [((1924, 1000), (704, 320)), ((1138, 1000), (576, 448)), ((1130, 1000), (512, 512)), ((1910, 1000), (640, 384))],
)
def test_between_two_buckets_the_geometric_mean_of_their_ratios_decides(size, bucket):
    """5:3 and 11:5 have the geometric mean 1.915 and the arithmetic mean 1.933; 1:1 and 9:7 have 1.134 and 1.143."""
    for turn in (1, -1):
        chosen = fit_picture(size[::turn], DEFAULT, True).bucket
        assert (chosen.width, chosen.height) == bucket[::turn]


@given(SIDE, SIDE)
def test_a_transposed_picture_gets_the_transposed_bucket(width, height):
    one, other = fit_picture((width, height), DEFAULT, True), fit_picture((height, width), DEFAULT, True)
    assert (one.bucket.width, one.bucket.height) == (other.bucket.height, other.bucket.width)
    assert one.lost == pytest.approx(other.lost)


@given(SIDE, SIDE, st.booleans())
def test_the_scaled_picture_covers_the_bucket_and_the_crop_is_its_middle(width, height, upscale):
    fit = fit_picture((width, height), DEFAULT, upscale)
    left, top, right, bottom = fit.crop
    assert (right - left, bottom - top) == (fit.bucket.width, fit.bucket.height)
    assert left >= 0
    assert top >= 0
    assert 0 <= fit.resized[0] - right - left <= 1
    assert 0 <= fit.resized[1] - bottom - top <= 1
    assert left == 0 or top == 0
    exact = max(fit.bucket.width / width, fit.bucket.height / height)
    assert fit.resized[0] == pytest.approx(width * exact, abs=0.51)
    assert fit.resized[1] == pytest.approx(height * exact, abs=0.51)
    assert 0 <= fit.lost < 1


@given(SIDE, SIDE)
def test_without_upscaling_no_picture_is_enlarged_unless_it_is_smaller_than_one_step(width, height):
    assume(min(width, height) >= 64)
    fit = fit_picture((width, height), DEFAULT, False, 64)
    assert fit.resized[0] <= width
    assert fit.resized[1] <= height
    assert fit.bucket.width % 64 == fit.bucket.height % 64 == 0
    assert fit.bucket.width * fit.bucket.height <= 512 * 512


@pytest.mark.parametrize(
    ("size", "bucket"),
    [
        ((600, 600), (512, 512)),
        ((500, 500), (448, 448)),
        ((500, 300), (448, 256)),
        ((10, 300), (64, 256)),
        ((3, 3), (64, 64)),
    ],
)
def test_without_upscaling_a_small_picture_gets_a_bucket_of_its_own(size, bucket):
    fit = fit_picture(size, DEFAULT, False, 64)
    assert (fit.bucket.width, fit.bucket.height) == bucket


def test_the_share_that_is_lost_is_what_lies_outside_the_crop():
    fit = fit_picture((1000, 250), (Bucket(256, 256),), True)  # scaled to 1024 x 256, a quarter of it is kept
    assert fit.resized == (1024, 256)
    assert fit.crop == (384, 0, 640, 256)
    assert fit.lost == pytest.approx(0.75)


@pytest.mark.parametrize("size", [(20000, 200), (200, 20000), (200000, 3)])
def test_extreme_shapes_are_handled_and_their_loss_is_told(size):
    fit = fit_picture(size, DEFAULT, True)
    assert max(fit.bucket.width, fit.bucket.height) == 1024
    assert fit.lost == pytest.approx(1 - 4 / (max(size) / min(size)), abs=1e-3)
    picture = noise(*size) if max(size) < 100_000 else gradient(*size)
    assert apply_fit(picture, fit).size == (fit.bucket.width, fit.bucket.height)


@pytest.mark.parametrize("size", [(90, 70), (40, 200), (300, 64), (64, 64), (17, 31)])
def test_scaling_and_cropping_at_once_is_scaling_then_cropping(size):
    buckets = make_buckets(64, 64, 16, 32, 128)
    picture = gradient(*size)
    fit = fit_picture(size, buckets, True)
    expected = picture.resize(fit.resized, 1).crop(fit.crop)
    difference = np.abs(np.asarray(apply_fit(picture, fit), int) - np.asarray(expected, int))
    edge = difference[2:-2, 2:-2]  # at the rim the scaled picture has neighbours that the crop has not
    assert edge.max() <= 2


def test_the_middle_of_the_picture_stays_in_the_middle():
    picture = gradient(301, 101)
    fit = fit_picture(picture.size, make_buckets(64, 64, 16, 32, 128), True)
    fitted = apply_fit(picture, fit)
    red, green, _ = pixel(fitted, fitted.width // 2, fitted.height // 2)
    assert red == pytest.approx(127.5, abs=2)
    assert green == pytest.approx(127.5, abs=5)


def test_a_picture_of_the_buckets_size_is_not_touched():
    fit = fit_picture((64, 64), (Bucket(64, 64),), True)
    assert fit.lost == 0
    assert np.array_equal(np.asarray(apply_fit(noise(64, 64), fit)), np.asarray(noise(64, 64)))
