"""The attributes of the drawn characters, the characters that have names, and the tags of a picture.

A picture shows one *character* (the identity attributes: what stays the same from picture to picture) in one *scene*
(what changes). Every attribute is independent of the others, so how well a model has learned a character can be
counted.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

Character: TypeAlias = Mapping[str, str]
"""One value for each identity attribute."""

Scene: TypeAlias = Mapping[str, str]
"""One value for each scene attribute."""


@dataclass(frozen=True)
class Attribute:
    """One independent property of a picture.

    Attributes:
        name: What the property is called.
        tags: The tag of each value; an empty tag is a value that nobody would tag, such as wearing no hat.
    """

    name: str
    tags: Mapping[str, str]

    @property
    def values(self) -> tuple[str, ...]:
        """All values, in a fixed order."""
        return tuple(self.tags)


def _coloured(noun: str, colours: str) -> dict[str, str]:
    return {colour: f"{colour} {noun}" for colour in colours.split()}


ATTRIBUTES: dict[str, Attribute] = {
    name: Attribute(name, tags)
    for name, tags in (
        ("hair_colour", _coloured("hair", "black blonde red pink blue green purple white")),
        ("hair_style", {"short": "short hair", "long": "long hair", "twintails": "twintails"}),
        ("eye_colour", _coloured("eyes", "red blue green yellow purple")),
        ("skin", _coloured("skin", "pale dark blue green")),
        (
            "hat",
            {
                "none": "",
                "bow": "hair bow",
                "crown": "crown",
                "witch": "witch hat",
                "straw": "straw hat",
                "beret": "beret",
                "ears": "cat ears",
            },
        ),
        ("dress_colour", _coloured("dress", "red blue green yellow purple black")),
        (
            "dress_pattern",
            {"plain": "plain dress", "stripes": "striped dress", "dots": "polka dot dress", "heart": "heart print"},
        ),
        ("scarf", {"none": "", **_coloured("scarf", "red blue yellow white")}),
        (
            "item",
            {
                "none": "",
                "sword": "holding sword",
                "flower": "holding flower",
                "balloon": "holding balloon",
                "wand": "holding wand",
            },
        ),
        (
            "background",
            {"sky": "blue sky", "night": "night", "sunset": "sunset", "forest": "forest", "white": "white background"},
        ),
        ("pose", {"viewer": "looking at viewer", "side": "looking to the side", "tilt": "head tilt"}),
        ("framing", {"upper": "upper body", "close": "close-up"}),
    )
}
"""Every attribute by name."""

IDENTITY: tuple[str, ...] = (
    "hair_colour",
    "hair_style",
    "eye_colour",
    "skin",
    "hat",
    "dress_colour",
    "dress_pattern",
    "scarf",
)
"""The attributes that make a character."""

SCENE: tuple[str, ...] = ("item", "background", "pose", "framing")
"""The attributes that change from picture to picture."""

SUBJECT = "1girl"
"""The tag that every full caption begins with."""

DEVELOPMENT_SEEDS: tuple[int, ...] = tuple(range(10))
"""Seeds of unseen characters for experiments."""

BENCHMARK_SEEDS: tuple[int, ...] = tuple(range(9000, 9010))
"""Seeds of unseen characters for final figures only."""

_NAMES = (
    "alice amy anna bella betty carla chloe claire clara diana ella ellie elsa emily emma eva fiona "
    "grace hannah heidi helen holly jane jenny jessica julia julie kate katie kelly laura lena linda "
    "lisa lucy maria marie martha mary maya megan mia molly monica nancy nina nora olivia paula rachel "
    "rebecca sara sally sophie stella susan tina vera wendy zoe"
)

NAMES: tuple[str, ...] = tuple(_NAMES.split())
"""The names of the characters that the checkpoint knows by name."""

_MOST_SHARED_BY_NAMED = 4
_FEWEST_SHARED_BY_RESERVED = 6


def shared(one: Character, other: Character) -> int:
    """Count the identity attributes in which two characters agree."""
    return sum(one[name] == other[name] for name in IDENTITY)


def random_values(rng: random.Random, names: Iterable[str]) -> dict[str, str]:
    """Draw a value for each of the attributes, all values being equally likely."""
    return {name: rng.choice(ATTRIBUTES[name].values) for name in names}


@lru_cache(maxsize=1)
def named_characters() -> Mapping[str, Character]:
    """Return the named characters: any two of them share at most half of their identity."""
    rng = random.Random("named characters")
    found: dict[str, Character] = {}
    for name in NAMES:
        while True:
            candidate = random_values(rng, IDENTITY)
            if all(shared(candidate, other) <= _MOST_SHARED_BY_NAMED for other in found.values()):
                break
        found[name] = candidate
    return found


def random_character(seed: int) -> dict[str, str]:
    """Return the unseen character of a seed; at least four of its identity values differ from each named character."""
    rng = random.Random(f"character {seed}")
    while True:
        candidate = random_values(rng, IDENTITY)
        if all(shared(candidate, other) <= _MOST_SHARED_BY_NAMED for other in named_characters().values()):
            return candidate


def random_scene(rng: random.Random) -> dict[str, str]:
    """Draw a scene."""
    return random_values(rng, SCENE)


@lru_cache(maxsize=1)
def _reserved() -> tuple[Character, ...]:
    return tuple(random_character(seed) for seed in (*DEVELOPMENT_SEEDS, *BENCHMARK_SEEDS))


def is_reserved(character: Character) -> bool:
    """Tell whether a character is so close to an unseen one that no checkpoint may be trained on it."""
    return any(shared(character, other) >= _FEWEST_SHARED_BY_RESERVED for other in _reserved())


def tags(character: Character, scene: Scene, which: Iterable[str] | None = None) -> list[str]:
    """List the tags of a picture.

    Args:
        character: The character in the picture.
        scene: The scene it is in.
        which: Names of the attributes to mention, in this order; all of them, behind the subject tag, when left out.

    Returns:
        The tags; values that nobody would tag have none.
    """
    values = {**character, **scene}
    found = [] if which is not None else [SUBJECT]
    for name in ATTRIBUTES if which is None else which:
        tag = ATTRIBUTES[name].tags[values[name]]
        if tag:
            found.append(tag)
    return found
