"""The sample training sets."""

from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from train_gamma.demo.samples import SAMPLES, SIZES, balanced_scenes, write_dataset, write_sample
from train_gamma.demo.world import ATTRIBUTES, IDENTITY, SCENE, random_character
from train_gamma.errors import UserError


def words(path: Path) -> list[str]:
    return path.with_suffix(".txt").read_text(encoding="utf-8").strip().split(", ")


def test_pictures_come_in_mixed_sizes(tmp_path: Path) -> None:
    paths = write_dataset(0, tmp_path / "set", 9)
    assert len(paths) == 9
    assert Counter(Image.open(path).size for path in paths) == dict.fromkeys(SIZES, 3)


def test_pruned_captions_tell_the_scene_only(tmp_path: Path) -> None:
    own = {tag for name in IDENTITY for tag in ATTRIBUTES[name].tags.values() if tag}
    scene = {tag for name in SCENE for tag in ATTRIBUTES[name].tags.values() if tag}
    for path in write_dataset(1, tmp_path, 6):
        assert words(path)[0] == "1girl"
        assert not own & set(words(path))
        assert scene & set(words(path))


def test_full_captions_tell_the_traits_too(tmp_path: Path) -> None:
    character = random_character(1)
    for path in write_dataset(1, tmp_path, 3, captions="full"):
        assert ATTRIBUTES["eye_colour"].tags[character["eye_colour"]] in words(path)


def test_captions_can_be_left_out(tmp_path: Path) -> None:
    write_dataset(1, tmp_path, 3, captions="none")
    assert not list(tmp_path.glob("*.txt"))


def test_the_same_seed_writes_the_same_files(tmp_path: Path) -> None:
    one, same, other = (write_dataset(4, tmp_path / str(i), 4, seed=seed) for i, seed in enumerate((0, 0, 1)))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in same]
    assert [path.read_bytes() for path in one] != [path.read_bytes() for path in other]


def test_scenes_use_every_value_equally() -> None:
    import random

    scenes = balanced_scenes(20, random.Random(0))
    for name in SCENE:
        counts = Counter(scene[name] for scene in scenes).values()
        assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("name", list(SAMPLES))
def test_sample_characters_are_ready(name: str, tmp_path: Path) -> None:
    assert 20 <= len(write_sample(name, tmp_path)) <= 30


def test_an_unknown_sample_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="zib"):
        write_sample("nobody", tmp_path)


@pytest.mark.parametrize("options", [{"num_pictures": 0}, {"captions": "half"}])
def test_senseless_options_are_refused(options: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(UserError):
        write_dataset(0, tmp_path, **options)  # type: ignore[arg-type]
