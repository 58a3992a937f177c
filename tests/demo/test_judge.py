"""The judge names what a picture shows."""

import random
from pathlib import Path

import pytest
from PIL import Image, ImageFilter

from train_gamma.demo.drawing import draw
from train_gamma.demo.judge import WEIGHTS, Judge
from train_gamma.demo.world import ATTRIBUTES, IDENTITY, SCENE, random_character, random_scene, random_values
from train_gamma.errors import UserError

SIZES = ((64, 64), (64, 96), (96, 64))


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge.load()


def drawings(count: int, seed: str, scale: int = 1) -> tuple[list[dict[str, str]], list[Image.Image]]:
    rng = random.Random(seed)
    shown = [random_values(rng, ATTRIBUTES) for _ in range(count)]
    sizes = [(w * scale, h * scale) for w, h in SIZES]
    return shown, [draw(v, v, sizes[i % 3], rng.randrange(2**30)) for i, v in enumerate(shown)]


def accuracy(judge: Judge, shown: list[dict[str, str]], images: list[Image.Image]) -> dict[str, float]:
    found = judge.attributes(images)
    return {n: sum(f[n] == s[n] for f, s in zip(found, shown, strict=True)) / len(shown) for n in ATTRIBUTES}


def test_the_weights_are_small() -> None:
    assert WEIGHTS.stat().st_size <= 1_000_000


def test_it_reads_fresh_drawings(judge: Judge) -> None:
    right = accuracy(judge, *drawings(300, "fresh drawings"))
    assert sum(right.values()) / len(right) >= 0.97
    assert min(right.values()) >= 0.93, right


def test_it_reads_drawings_in_twice_the_size(judge: Judge) -> None:
    right = accuracy(judge, *drawings(60, "large drawings", scale=2))
    assert sum(right.values()) / len(right) >= 0.97


def test_it_reads_blurred_drawings(judge: Judge) -> None:
    shown, images = drawings(90, "blurred drawings")
    right = accuracy(judge, shown, [image.filter(ImageFilter.GaussianBlur(0.8)) for image in images])
    assert sum(right.values()) / len(right) >= 0.93


def test_the_order_of_mixed_sizes_is_kept(judge: Judge) -> None:
    _, images = drawings(7, "order")
    assert judge.attributes(images) == [judge.attributes([image])[0] for image in images]


def test_identity_is_high_for_the_character_and_low_for_another(judge: Judge) -> None:
    rng = random.Random(0)
    character = random_character(1)
    images = [draw(character, random_scene(rng), (64, 64), seed) for seed in range(8)]
    other = {n: next(v for v in ATTRIBUTES[n].values if v != character[n]) for n in IDENTITY}
    assert judge.identity(images, character) >= 0.95
    assert judge.identity(images, other) <= 0.05


def test_identity_ignores_the_scene(judge: Judge) -> None:
    character = random_character(2)
    scenes = [{n: ATTRIBUTES[n].values[i] for n in SCENE} for i in range(2)]
    one, other = (judge.identity([draw(character, scene, (96, 64), 3)], character) for scene in scenes)
    assert abs(one - other) <= 1 / len(IDENTITY)


def test_no_pictures_are_refused(judge: Judge) -> None:
    with pytest.raises(UserError, match="no pictures"):
        judge.identity([], random_character(0))


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere"):
        Judge.load(tmp_path / "nowhere.safetensors")
