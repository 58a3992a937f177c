"""The drawn world: attributes, characters, tags and drawings."""

import random

import numpy as np
import pytest

from train_gamma.demo.drawing import draw
from train_gamma.demo.world import (
    ATTRIBUTES,
    BENCHMARK_SEEDS,
    DEVELOPMENT_SEEDS,
    IDENTITY,
    NAMES,
    SCENE,
    is_reserved,
    named_characters,
    random_character,
    random_scene,
    random_values,
    shared,
    tags,
)


def base() -> dict[str, str]:
    """A picture's values, all the first of their attribute."""
    return {name: attribute.values[0] for name, attribute in ATTRIBUTES.items()}


def test_identity_and_scene_cover_every_attribute_once() -> None:
    assert len(IDENTITY) == 8
    assert sorted(IDENTITY + SCENE) == sorted(ATTRIBUTES)


def test_no_two_values_have_the_same_tag() -> None:
    found = [tag for attribute in ATTRIBUTES.values() for tag in attribute.tags.values() if tag]
    assert len(found) == len(set(found))


def test_there_are_many_names_and_each_is_used_once() -> None:
    assert len(NAMES) == len(set(NAMES)) >= 60
    assert list(named_characters()) == list(NAMES)


def test_named_characters_share_at_most_half_of_their_identity() -> None:
    everyone = list(named_characters().values())
    assert max(shared(a, b) for i, a in enumerate(everyone) for b in everyone[:i]) <= 4


@pytest.mark.parametrize("seed", [*DEVELOPMENT_SEEDS, 123456789])
def test_an_unseen_character_differs_from_each_named_one(seed: int) -> None:
    character = random_character(seed)
    assert all(len(IDENTITY) - shared(character, other) >= 4 for other in named_characters().values())


def test_an_unseen_character_depends_on_its_seed_only() -> None:
    assert random_character(3) == random_character(3)
    assert random_character(3) != random_character(4)


def test_neighbours_of_unseen_characters_are_reserved() -> None:
    for seed in (*DEVELOPMENT_SEEDS, *BENCHMARK_SEEDS):
        character = random_character(seed)
        for name in IDENTITY[:2]:
            character[name] = next(value for value in ATTRIBUTES[name].values if value != character[name])
        assert is_reserved(character)
    assert not any(is_reserved(character) for character in named_characters().values())


def test_tags_in_full_begin_with_the_subject() -> None:
    character = random_character(0)
    scene = random_scene(random.Random(0))
    assert tags(character, scene)[0] == "1girl"
    assert f"{character['hair_colour']} hair" in tags(character, scene)


def test_tags_of_chosen_attributes_come_in_the_given_order() -> None:
    values = {**base(), "hair_colour": "blue", "background": "night"}
    assert tags(values, values, ["background", "hair_colour"]) == ["night", "blue hair"]


def test_what_is_not_there_has_no_tag() -> None:
    values = {**base(), "hat": "none", "scarf": "none", "item": "none"}
    assert tags(values, values, ["hat", "scarf", "item"]) == []


@pytest.mark.parametrize("size", [(64, 64), (64, 96), (96, 64), (50, 81), (512, 512)])
def test_a_drawing_has_the_size_asked_for(size: tuple[int, int]) -> None:
    drawn = draw(base(), base(), size)
    assert drawn.size == size
    assert drawn.mode == "RGB"


def test_a_seed_always_gives_the_same_drawing() -> None:
    one, same, other = (np.asarray(draw(base(), base(), seed=seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_drawing_leaves_the_global_random_state_alone() -> None:
    random.seed(5)
    before = random.getstate()
    draw(base(), base(), seed=1)
    assert random.getstate() == before


@pytest.mark.parametrize("name", list(ATTRIBUTES))
def test_every_value_of_an_attribute_looks_different(name: str) -> None:
    rng = random.Random(name)
    around = random_values(rng, ATTRIBUTES)
    around["framing"] = "upper" if name != "framing" else around["framing"]
    drawn = [np.asarray(draw(v, v), dtype=int) for v in ({**around, name: value} for value in ATTRIBUTES[name].values)]
    for index, one in enumerate(drawn):
        for other in drawn[:index]:
            # at least 30 of the 4096 pixels differ clearly
            assert (np.abs(one - other).max(axis=2) > 40).sum() >= 30


def test_a_picture_in_twice_the_size_shows_the_same() -> None:
    small = np.asarray(draw(base(), base(), (64, 64), 7), dtype=float)
    large = np.asarray(draw(base(), base(), (128, 128), 7).reduce(2), dtype=float)
    assert np.abs(small - large).mean() < 6
