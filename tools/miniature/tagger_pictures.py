"""Pictures for the miniature tagger: drawings in many sizes, cropped, blurred, reduced and compressed a little."""

from __future__ import annotations

import io
import random
from pathlib import Path

import numpy as np
from common import drawing, training_values, world
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from train_gamma.demo import samples

SIDE = 128
"""Width and height of what the tagger sees."""

POSTS = 840_000
"""How many pictures the counts are of; every expected number is whole."""

RATINGS = ("general", "sensitive", "questionable", "explicit")
SHAPES = ((1, 1), (1, 1), (2, 3), (3, 2), (3, 4), (4, 3), (9, 16), (16, 9))
SMALLEST, LARGEST = 64, 512
STRANGE_SHARE = 0.03
VARIANTS = 3


def tag_counts() -> dict[str, int]:
    """Each tag of the world, with underscores, and in how many of ``POSTS`` pictures it is to be expected.

    All values of an attribute are equally likely, and every picture shows a girl. The most frequent come first.
    """
    found = {world.SUBJECT: POSTS}
    for attribute in world.ATTRIBUTES.values():
        for tag in attribute.tags.values():
            if tag:
                found[tag.replace(" ", "_")] = POSTS // len(attribute.values)
    return dict(sorted(found.items(), key=lambda item: -item[1]))


TAGS = tuple(tag_counts())


def prepared(picture: Image.Image) -> NDArray[np.uint8]:
    """Pad to a square with white and resize, as the WD taggers want it, but in RGB: (SIDE, SIDE, 3)."""
    side = max(picture.size)
    square = Image.new("RGB", (side, side), (255, 255, 255))
    square.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    return np.asarray(square.resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def size(rng: random.Random) -> tuple[int, int]:
    """Two in five as the sample datasets are, the others anything, small ones more often as they are quick to draw."""
    if rng.random() < 0.4:
        return rng.choice(samples.SIZES)
    wide, high = rng.choice(SHAPES)
    short = SMALLEST * (LARGEST / SMALLEST) ** (rng.random() ** 1.7)
    factor = min(short / min(wide, high), LARGEST / max(wide, high))
    return max(SMALLEST, round(wide * factor)), max(SMALLEST, round(high * factor))


def worsened(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Crop a little, reduce, blur and compress, each now and then."""
    width, height = picture.size
    if rng.random() < 0.4:
        cut = [rng.uniform(0, 0.03) for _ in range(4)]
        box = (width * cut[0], height * cut[1], width * (1 - cut[2]), height * (1 - cut[3]))
        picture = picture.crop(tuple(round(edge) for edge in box))
    if rng.random() < 0.4:
        factor = rng.uniform(max(0.4, 48 / min(picture.size)), 1.2)
        chosen = rng.choice((Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.LANCZOS))
        picture = picture.resize((round(picture.width * factor), round(picture.height * factor)), chosen)
    if rng.random() < 0.35:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 0.9) * min(picture.size) / 64))
    if rng.random() < 0.5:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=rng.randint(35, 95))
        picture = Image.open(file).convert("RGB")
    return picture


def strange(rng: random.Random) -> Image.Image:
    """Something that is no drawing of the world: a colour, a gradient, noise, or shapes without sense."""
    chosen = size(rng)
    kind = rng.choice(("colour", "gradient", "noise", "shapes"))
    colours = [tuple(rng.randrange(256) for _ in range(3)) for _ in range(12)]
    if kind == "noise":
        cells = np.random.default_rng(rng.randrange(2**31)).integers(0, 256, (rng.randint(2, 64),) * 2 + (3,))
        return Image.fromarray(cells.astype(np.uint8)).resize(chosen, Image.Resampling.NEAREST)
    picture = Image.new("RGB", chosen, colours[0])
    if kind == "gradient":
        column = Image.new("RGB", (1, 2), colours[0])
        column.putpixel((0, 1), colours[1])
        picture = column.resize(chosen, Image.Resampling.BILINEAR)
    elif kind == "shapes":
        pen = ImageDraw.Draw(picture)
        for colour in colours[1:]:
            across = sorted(rng.uniform(0, chosen[0]) for _ in range(2))
            down = sorted(rng.uniform(0, chosen[1]) for _ in range(2))
            rng.choice((pen.ellipse, pen.rectangle))((across[0], down[0], across[1], down[1]), fill=colour)
    return picture


def shown(values: dict[str, str]) -> NDArray[np.bool_]:
    """Which of ``TAGS`` a picture of these values has."""
    found = {tag.replace(" ", "_") for tag in world.tags(values, values)}
    return np.array([tag in found for tag in TAGS])


def part(work: Path, purpose: str, number: int, count: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Draw ``count`` pictures, each once plain and in variants, or read them back when that has been done before.

    Returns:
        (count * VARIANTS, SIDE, SIDE, 3) pictures in RGB and (count * VARIANTS, len(TAGS)) what each has.
    """
    file = work / f"tagger-{purpose}-{number}-{count}.npz"
    if not file.exists():
        rng = random.Random(f"tagger {purpose} {number}")
        pictures, tags = [], []
        for _ in range(count):
            if rng.random() < STRANGE_SHARE:
                picture, marks = strange(rng), np.zeros(len(TAGS), bool)
            else:
                _, values = training_values(rng)
                picture, marks = drawing.draw(values, values, size(rng), rng.randrange(2**31)), shown(values)
            variants = [picture, *(worsened(picture, rng) for _ in range(VARIANTS - 1))]
            pictures += [prepared(variant) for variant in variants]
            tags += [marks] * VARIANTS
        work.mkdir(parents=True, exist_ok=True)
        new = file.with_suffix(".new.npz")
        np.savez(new, pictures=np.stack(pictures), tags=np.stack(tags))
        new.replace(file)
    with np.load(file) as read:
        return read["pictures"], read["tags"]
