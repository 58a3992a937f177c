"""Pictures as each model takes them, against float64 derivations from the model cards."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.tagging.resampling import resize
from train_gamma.tagging import catalogue
from train_gamma.tagging.model_spec import read_spec
from train_gamma.tagging.preprocess import Layout, prepare

Array = NDArray[np.float64]
SIZE = 24
SIZES = {
    "portrait": (31, 53),
    "landscape": (61, 37),
    "square": (41, 41),
    "exact": (SIZE, SIZE),
    "tiny": (3, 2),
    "dot": (1, 1),
}
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def shipped(name: str) -> Layout:
    data = json.loads(Path(catalogue.__file__).with_name("models.json").read_text("utf-8"))
    return next(read_spec(m, Path(), data["layouts"]).layout for m in data["models"] if m["name"] == name)


def drawn(size: tuple[int, int], seed: int = 0) -> Image.Image:
    """A picture of large areas with hard edges, and noise in one of them."""
    random = np.random.default_rng(seed)
    values = np.zeros((size[1], size[0], 3), np.uint8) + random.integers(0, 256, 3, np.uint8)
    values[size[1] // 3 :, size[0] // 2 :] = random.integers(0, 256, 3)
    values[: size[1] // 2, : size[0] // 2] = random.integers(0, 256, (size[1] // 2, size[0] // 2, 3))
    return Image.fromarray(values)


def white_square(picture: Array) -> Array:
    """Centred; an odd pixel goes to the right and to the bottom."""
    height, width = picture.shape[:2]
    side = max(height, width)
    square = np.full((side, side, 3), 255.0)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = picture
    return square


def wd(picture: Array) -> Array:
    """SmilingWolf's card and Space: white square, bicubic, BGR, 0..255."""
    return resize(white_square(picture), SIZE, SIZE, "bicubic")[:, :, ::-1]


def joytag(picture: Array) -> Array:
    """fancyfeast's card: white square, bicubic, CLIP's mean and deviation."""
    return normalised(resize(white_square(picture), SIZE, SIZE, "bicubic"), CLIP_MEAN, CLIP_STD)


def pixai(picture: Array) -> Array:
    """PixAI's handler: both sides stretched, bilinear, -1..1."""
    return normalised(resize(picture, SIZE, SIZE, "bilinear"), (0.5,) * 3, (0.5,) * 3)


def camie(picture: Array) -> Array:
    """Camie v2's card: the long side to the size, lanczos, on ImageNet's mean colour."""
    height, width = picture.shape[:2]
    aspect = width / height
    inner_width, inner_height = (SIZE, int(SIZE / aspect)) if aspect > 1 else (int(SIZE * aspect), SIZE)
    square = np.full((SIZE, SIZE, 3), (124.0, 116.0, 104.0))
    top, left = (SIZE - inner_height) // 2, (SIZE - inner_width) // 2
    square[top : top + inner_height, left : left + inner_width] = resize(picture, inner_height, inner_width, "lanczos")
    return normalised(square, IMAGENET_MEAN, IMAGENET_STD)


def cl(picture: Array) -> Array:
    """cl_tagger: as WD, but -1..1 and channels first."""
    return (wd(picture) / 127.5 - 1).transpose(2, 0, 1)


def normalised(picture: Array, mean: tuple[float, ...], std: tuple[float, ...]) -> Array:
    return ((picture / 255 - mean) / std).transpose(2, 0, 1)


DERIVED: dict[str, tuple[Any, float]] = {
    "wd-vit-tagger-v3": (wd, 1.0),
    "wd-v1-4-convnext-tagger-v2": (wd, 1.0),
    "Z3D-E621-Convnext": (wd, 1.0),
    "pixai-tagger-v0.9": (pixai, 2 / 255),
    "camie-tagger-v2": (camie, 1 / 255 / 0.224),
    "joytag": (joytag, 1 / 255 / 0.26130258),
    "cl-tagger-1.02": (cl, 2 / 255),
}
"""For each model its derivation, and what one of 255 levels is in its numbers."""


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("name", DERIVED)
def test_agrees_with_the_model_card(name: str, size: tuple[int, int]) -> None:
    derive, level = DERIVED[name]
    picture = drawn(size)
    found = prepare(picture, shipped(name), SIZE)
    expected = derive(np.asarray(picture, np.float64))
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    assert found.shape == expected.shape
    error = np.abs(found - expected) / level
    # Pillow's weights are fixed-point numbers, so a value that lies between two levels may go to the other one.
    assert np.mean(error > 1e-3) < 0.005
    assert error.max() < 1.1


def test_wd_sees_blue_first_and_unscaled() -> None:
    found = prepare(Image.new("RGB", (10, 10), (200, 100, 50)), shipped("wd-vit-tagger-v3"), 4)
    assert found[0, 0].tolist() == [50.0, 100.0, 200.0]


def test_small_picture_is_enlarged_and_not_a_stamp() -> None:
    found = prepare(Image.new("RGB", (2, 2), (0, 0, 0)), shipped("wd-vit-tagger-v3"), 16)
    assert found.max() == 0.0


def test_padding_is_white_and_centred() -> None:
    found = prepare(Image.new("RGB", (8, 16), (0, 0, 0)), shipped("wd-vit-tagger-v3"), 16)
    assert found[8, :, 0].tolist() == [255.0] * 4 + [0.0] * 8 + [255.0] * 4


@pytest.mark.parametrize("size", [(7, 2600), (2600, 7), (1025, 1025)])
def test_long_pictures_are_as_if_padded_at_once(size: tuple[int, int]) -> None:
    picture, side = drawn(size), max(size)
    square = Image.new("RGB", (side, side), (255, 255, 255))
    square.paste(picture, ((side - size[0]) // 2, (side - size[1]) // 2))
    at_once = np.asarray(square.resize((32, 32), Image.Resampling.BICUBIC), np.float32)
    assert np.array_equal(prepare(picture, shipped("wd-vit-tagger-v3"), 32), at_once[:, :, ::-1])


def test_crop_keeps_the_centre() -> None:
    picture = Image.new("RGB", (30, 10), (0, 0, 0))
    picture.paste((255, 255, 255), (10, 0, 20, 10))
    found = prepare(picture, Layout(fit="crop"), 10)
    assert found.min() == 1.0


@pytest.mark.parametrize(("rounded", "rows"), [(False, 7), (True, 8)])
def test_shrink_rounds_as_told(rounded: bool, rows: int) -> None:
    picture = Image.new("RGB", (64, 31), (255, 255, 255))  # 16 of 64 leaves 7.75 of 31
    layout = Layout(fit="shrink", fill=(0, 0, 0), rounded=rounded)
    assert int((prepare(picture, layout, 16)[:, 8, 0] > 0.5).sum()) == rows
