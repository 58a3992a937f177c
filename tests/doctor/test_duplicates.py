"""Copies are found, and different pictures of one character are no copies."""

import io
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from tests.dataset.drawn import noise
from tests.doctor.folders import clean_folder, examined
from train_gamma.dataset.fingerprint import Fingerprint, fingerprint
from train_gamma.demo.drawing import draw
from train_gamma.demo.samples import SIZES, balanced_scenes
from train_gamma.demo.world import random_character, random_scene
from train_gamma.doctor import duplicates
from train_gamma.doctor.duplicates import near_pairs


def again(image: Image.Image, kind: str, quality: int) -> Image.Image:
    data = io.BytesIO()
    image.save(data, kind, quality=quality)
    return Image.open(data).convert("RGB")


def scaled(image: Image.Image, factor: float) -> Image.Image:
    return image.resize((int(image.width * factor), int(image.height * factor)), Image.Resampling.LANCZOS)


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG of quality 30": lambda image: again(image, "JPEG", 30),
    "WebP of quality 30": lambda image: again(image, "WEBP", 30),
    "half the size": lambda image: scaled(image, 0.5),
    "twice the size": lambda image: scaled(image, 2),
    "half the size as JPEG": lambda image: again(scaled(image, 0.5), "JPEG", 60),
    "10 % brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
    "20 % more colour": lambda image: ImageEnhance.Color(image).enhance(1.2),
    "half a percent cropped": lambda image: image.crop((1, 1, image.width - 1, image.height - 1)),
}


def drawings(character: int, count: int = 24) -> tuple[list[dict[str, str]], list[Image.Image]]:
    rng = random.Random(character)
    scenes = balanced_scenes(count, rng)
    person = random_character(character)
    return scenes, [draw(person, scene, SIZES[k % 3], rng.randrange(2**31)) for k, scene in enumerate(scenes)]


@pytest.mark.parametrize("kind", COPIES)
def test_copies_are_found_also_mirrored(kind: str) -> None:
    rng = random.Random(3)
    pictures = [draw(random_character(4000 + k), random_scene(rng), (256, 256), k) for k in range(6)]
    for image in pictures:
        one = fingerprint(image)
        assert [pair[:3] for pair in near_pairs([one, fingerprint(COPIES[kind](image))])] == [(0, 1, False)]
        mirrored = fingerprint(ImageOps.mirror(COPIES[kind](image)))
        assert [pair[:3] for pair in near_pairs([one, mirrored])] == [(0, 1, True)]


def test_different_scenes_of_one_character_are_no_copies() -> None:
    alike = 0
    for character in range(6000, 6004):
        scenes, pictures = drawings(character)
        looks = [fingerprint(image) for image in pictures]
        assert not [(i, j) for i, j, _, _ in near_pairs(looks) if scenes[i] != scenes[j]]
        alike += sum(
            (looks[i].bits ^ looks[j].bits).bit_count() <= duplicates.NEAR_BITS
            for i in range(24)
            for j in range(i)
            if scenes[i] != scenes[j]
        )
    assert alike, "the hash alone would do here, so this shows nothing"


def test_the_hash_is_the_cosine_transform_and_its_mirror() -> None:
    image = scaled(draw(random_character(5), random_scene(random.Random(5)), (128, 128), 5), 0.5)
    bits = fingerprint(image).bits
    grey = np.asarray(image, dtype=np.float64).reshape(32, 2, 32, 2, 3).mean((1, 3)) @ [0.299, 0.587, 0.114]
    low = np.zeros((8, 8))
    for u in range(1, 9):
        for v in range(1, 9):
            rows = [np.cos(np.pi * u * (2 * y + 1) / 64) for y in range(32)]
            columns = [np.cos(np.pi * v * (2 * x + 1) / 64) for x in range(32)]
            low[u - 1, v - 1] = sum(grey[y, x] * rows[y] * columns[x] for y in range(32) for x in range(32))
    expected = (low > np.median(low)).ravel()
    assert [bool(bits >> k & 1) for k in range(64)] == expected.tolist()
    assert fingerprint(image).mirrored == fingerprint(ImageOps.mirror(image)).bits


def test_pairs_are_those_that_a_plain_loop_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "_ROWS", 7)  # several blocks
    rng = random.Random(0)
    base = [rng.getrandbits(64) for _ in range(10)]
    bits = [word ^ sum(1 << k for k in rng.sample(range(64), rng.randrange(10))) for word in base for _ in range(4)]
    looks = [Fingerprint(word, rng.getrandbits(64), bytes(768)) for word in bits]
    near = [
        next(((i, j, count) for i in range(j) if (count := (bits[i] ^ bits[j]).bit_count()) <= 6), None)
        for j in range(40)
    ]
    expected = {pair for pair in near if pair is not None}  # each with the first that it is like
    assert {(i, j, count) for i, j, mirrored, count in near_pairs(looks) if not mirrored} == expected
    assert len(expected) > 10


def test_of_copies_the_one_with_a_caption_stays(tmp_path: Path) -> None:
    folder = clean_folder(tmp_path / "set")
    data = (folder / "07.png").read_bytes()
    (folder / "07.txt").unlink()
    for name in ("x", "y"):
        (folder / f"{name}.png").write_bytes(data)
    (folder / "y.txt").write_text("1girl, red hair, night, smile, hat")
    examination = examined(folder)
    (finding,) = examination.of("same_file")
    assert [path.name for path in finding.pictures] == ["07.png", "x.png"]
    assert {pair.one.name for pair in examination.pairs} == {"y.png"}


def test_many_copies_of_one_picture_are_each_named_once(tmp_path: Path) -> None:
    folder = clean_folder(tmp_path / "set")
    text = (folder / "07.txt").read_text()
    with Image.open(folder / "07.png") as image:
        for level in (0, 1, 9):
            image.save(folder / f"again{level}.png", compress_level=level)
            (folder / f"again{level}.txt").write_text(text)
    (finding,) = examined(folder).findings
    assert finding.kind == "same_pixels"
    assert [path.name for path in finding.pictures] == ["again0.png", "again1.png", "again9.png"]


def test_two_hundred_noisy_pictures_are_all_different(tmp_path: Path) -> None:
    assert list(near_pairs([fingerprint(noise(64, 64, seed)) for seed in range(200)])) == []


def test_one_picture_and_none_have_no_pairs() -> None:
    assert list(near_pairs([])) == []
    assert list(near_pairs([fingerprint(noise(8, 8))])) == []
