"""The miniature tagger sees what a drawing shows, through the project's own way of opening and preparing pictures."""

import csv
import io
import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from train_gamma.cli import main
from train_gamma.dataset.pictures import open_picture
from train_gamma.demo.drawing import draw
from train_gamma.demo.samples import SIZES
from train_gamma.demo.tagging import NEARLY_ALL, draw_and_tag
from train_gamma.demo.world import ATTRIBUTES, IDENTITY, SCENE, random_character, random_values, tags
from train_gamma.tagging.catalogue import Catalogue
from train_gamma.tagging.choosing import Chooser
from train_gamma.tagging.config import TagConfig
from train_gamma.tagging.onnx_tagger import OnnxTagger

FILES = Path(draw.__code__.co_filename).with_name("tagger")
RATINGS = ["general", "sensitive", "questionable", "explicit"]
MOST_BYTES = 2 * 1024 * 1024


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> OnnxTagger:
    folder = tmp_path_factory.mktemp("no taggers of the user's")
    loaded = Catalogue(lambda: folder).load("miniature", "cpu", lambda _what, _done, _all: None)
    assert isinstance(loaded, OnnxTagger)
    return loaded


def rows() -> list[dict[str, str]]:
    with (FILES / "selected_tags.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def fresh(count: int, seed: str, sizes: Sequence[tuple[int, int]] = SIZES) -> tuple[list[Image.Image], list[set[str]]]:
    """Drawings of characters and scenes that nobody has seen, and their tags."""
    rng = random.Random(seed)
    images, wanted = [], []
    for index in range(count):
        values = {**random_character(rng.randrange(10_000, 10**9)), **random_values(rng, SCENE)}
        images.append(draw(values, values, sizes[index % len(sizes)], rng.randrange(2**31)))
        wanted.append(set(tags(values, values)))
    return images, wanted


def seen(tagger: OnnxTagger, images: Sequence[Image.Image], folder: Path, ending: str = ".png") -> list[set[str]]:
    """What the tagger says at its recommended threshold of pictures that were saved and opened again."""
    batch = []
    for index, image in enumerate(images):
        path = folder / f"{index}{ending}"
        image.save(path)
        batch.append(tagger.prepare(open_picture(path, "white")))
    chooser = Chooser(tagger.labels, tagger.thresholds, TagConfig())
    return [{tag.name.replace("_", " ") for tag in row} for row in chooser.choose_all(tagger.predict(np.stack(batch)))]


def micro_f1(found: Sequence[set[str]], wanted: Sequence[set[str]]) -> float:
    right = sum(len(one & other) for one, other in zip(found, wanted, strict=True))
    return 2 * right / (sum(map(len, found)) + sum(map(len, wanted)))


def test_it_names_what_fresh_drawings_show(tagger: OnnxTagger, tmp_path: Path) -> None:
    """As many tags as there are, as the threshold is where precision equals recall, and hardly a wrong one."""
    images, wanted = fresh(30, "few")
    found = seen(tagger, images, tmp_path)
    given, there = sum(map(len, found)), sum(map(len, wanted))
    assert micro_f1(found, wanted) >= 0.95
    assert abs(given - there) <= 0.04 * there


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_it_names_what_200_fresh_drawings_show(tagger: OnnxTagger, tmp_path: Path, seed: int) -> None:
    images, wanted = fresh(200, f"many {seed}")
    assert micro_f1(seen(tagger, images, tmp_path), wanted) >= 0.9


@pytest.mark.parametrize("size", [(64, 64), (96, 64), (256, 256), (400, 512), (288, 162)])
def test_it_reads_other_sizes(tagger: OnnxTagger, tmp_path: Path, size: tuple[int, int]) -> None:
    images, wanted = fresh(5, f"size {size}", [size])
    assert micro_f1(seen(tagger, images, tmp_path), wanted) >= 0.9


def test_it_reads_blurred_and_compressed_pictures(tagger: OnnxTagger, tmp_path: Path) -> None:
    images, wanted = fresh(15, "worse")
    soft = [image.filter(ImageFilter.GaussianBlur(0.8)) for image in images]
    assert micro_f1(seen(tagger, soft, tmp_path, ".jpg"), wanted) >= 0.9


def test_it_says_nothing_of_pictures_without_a_drawing(tagger: OnnxTagger, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    images = [Image.new("RGB", (80, 80), "grey"), Image.new("RGB", (90, 60), "navy"), Image.fromarray(noise)]
    assert [len(found) for found in seen(tagger, images, tmp_path)] == [0, 0, 0]


def test_an_answer_does_not_depend_on_the_batch(tagger: OnnxTagger) -> None:
    images, _ = fresh(7, "batch")
    batch = np.stack([tagger.prepare(image) for image in images])
    alone = np.concatenate([tagger.predict(batch[index : index + 1]) for index in range(7)])
    np.testing.assert_allclose(tagger.predict(batch), alone, atol=1e-5)


def test_the_rating_is_general(tagger: OnnxTagger) -> None:
    images, _ = fresh(5, "rating")
    found = tagger.predict(np.stack([tagger.prepare(image) for image in images]))
    ratings = [index for index, label in enumerate(tagger.labels) if label.category == "rating"]
    assert ratings == [0, 1, 2, 3]
    assert (found[:, ratings].argmax(1) == 0).all()


def test_the_files_are_small() -> None:
    assert sum(path.stat().st_size for path in FILES.iterdir()) <= MOST_BYTES


def test_the_tags_are_those_of_the_world_in_the_form_of_the_wd_taggers() -> None:
    found = rows()
    assert list(found[0]) == ["tag_id", "name", "category", "count"]
    assert [row["name"] for row in found[:4]] == RATINGS
    assert [row["category"] for row in found] == ["9"] * 4 + ["0"] * (len(found) - 4)
    world = {tag.replace(" ", "_") for each in ATTRIBUTES.values() for tag in each.tags.values() if tag}
    assert sorted(row["name"] for row in found[4:]) == sorted({"1girl", *world})
    assert len({row["tag_id"] for row in found}) == len(found)


def test_the_counts_are_those_of_drawings_at_random() -> None:
    rng, draws = random.Random("counts"), 4000
    drawn = [random_values(rng, ATTRIBUTES) for _ in range(draws)]
    seen_of = Counter(tag for values in drawn for tag in tags(values, values))
    posts = sum(int(row["count"]) for row in rows() if row["category"] == "9")
    for row in rows()[4:]:
        share = int(row["count"]) / posts
        spread = (share * (1 - share) / draws) ** 0.5
        assert abs(seen_of[row["name"].replace("_", " ")] / draws - share) <= 4.5 * spread, row


def test_the_recommended_threshold_is_the_measured_one(tagger: OnnxTagger) -> None:
    metadata = json.loads((FILES / "metadata.json").read_text("utf-8"))
    assert tagger.thresholds == metadata["thresholds"]


def test_captions_leave_out_the_character_and_tell_the_scene(tmp_path: Path) -> None:
    tagged = draw_and_tag(2, tmp_path)
    own = tags(random_character(2), {}, IDENTITY)
    left_out = [tag for tag, _ in tagged.left_out]
    assert set(left_out) <= set(own)
    assert len(left_out) >= len(own) - 1
    assert all(share >= NEARLY_ALL for _, share in tagged.left_out)
    scenes = {tag for name in SCENE for tag in ATTRIBUTES[name].tags.values()}
    for picture, caption in zip(tagged.pictures, tagged.captions, strict=True):
        words = picture.with_suffix(".txt").read_text("utf-8").split(", ")
        assert words == caption.split(", ")
        assert "1girl" in words
        assert not set(words) & set(left_out)
        assert set(words) & scenes


def test_tags_that_are_left_out_are_told_with_the_reason(tmp_path: Path) -> None:
    story = draw_and_tag(1, tmp_path).story()
    assert "24 pictures" in story
    assert "100%" in story
    assert "They describe the character" in story


@pytest.mark.slow
def test_the_demo_goes_from_pictures_to_an_embedding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--from-pictures", "--character", "0", "--out", str(tmp_path), "--json"]) == 0
    outcome = json.loads(capsys.readouterr().out)
    assert outcome["identity_after"] > outcome["identity_before"] + 0.3
    assert Path(outcome["embedding"]).is_file()
    with Image.open(io.BytesIO(Path(outcome["contact_sheet"]).read_bytes())) as sheet:
        assert sheet.width > 400
    assert len(list((tmp_path / "pictures").glob("*.txt"))) == 24
