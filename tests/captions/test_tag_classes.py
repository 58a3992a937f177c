"""What tags are about, against the truth of the drawn world and against Danbooru's own tag groups."""

import pytest

from train_gamma.captions.tag_classes import head_and_colour, tag_class
from train_gamma.demo.world import ATTRIBUTES, IDENTITY, SCENE, SUBJECT


def test_every_trait_of_the_drawn_world_is_one() -> None:
    drawn = [tag for name in IDENTITY for tag in ATTRIBUTES[name].tags.values() if tag]
    assert {tag: tag_class(tag) for tag in drawn if tag_class(tag) not in ("trait", "outfit")} == {}


def test_nothing_of_a_drawn_scene_is_one() -> None:
    drawn = [SUBJECT, *(tag for name in SCENE for tag in ATTRIBUTES[name].tags.values() if tag)]
    assert {tag: tag_class(tag) for tag in drawn if tag_class(tag) != "context"} == {}


@pytest.mark.parametrize(
    ("kind", "tags"),
    [
        ("trait", "very_long_hair, heterochromia, mole_under_eye, hair_between_eyes, fox_girl, dark-skinned_female"),
        ("trait", "ahoge, medium_breasts, heart-shaped_pupils, Dragon Horns, scar_on_face, pointy_ears"),
        ("outfit", "black_gloves, fake_animal_ears, hair_ornament, detached_sleeves, school_uniform, hair_flower"),
        ("outfit", "choker, red_bowtie, round_eyewear"),
        ("context", "2girls, multiple_boys, closed_eyes, wet_hair, hand_in_own_hair, holding_umbrella, open_mouth"),
        ("context", "from_behind, simple_background, cowboy_shot, outdoors, pubic_hair, one_eye_closed, looking_back"),
        ("other", "virtual_youtuber, ^_^, "),
    ],
)
def test_tags_of_danbooru(kind: str, tags: str) -> None:
    """By Danbooru's tag groups: hair, eyes, ears, skin and breasts; attire; posture, gestures, image composition."""
    assert {tag: tag_class(tag) for tag in tags.split(", ") if tag_class(tag) != kind} == {}


def test_a_colour_is_told_of_its_thing() -> None:
    assert head_and_colour("Blue_Eyes") == ("eyes", "blue")
    assert head_and_colour("long hair") is None
    assert head_and_colour("blue very_long hair") is None
    assert head_and_colour("blue") is None


@pytest.mark.parametrize(
    ("tag", "kind"),
    [
        ("scarf", "outfit"),
        ("scar", "trait"),
        ("scar on cheek", "trait"),
        ("multiple tails", "trait"),
        ("arm tattoo", "trait"),
        ("head wings", "trait"),
        ("one side up", "trait"),
        ("arm up", "context"),
        ("arm under breasts", "context"),
        ("head tilt", "context"),
        ("multiple girls", "context"),
    ],
)
def test_beginnings_that_mean_two_things(tag, kind):
    assert tag_class(tag) == kind
