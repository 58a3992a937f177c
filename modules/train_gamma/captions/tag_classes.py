"""What a booru tag is about, as far as its words tell: the person, what they wear, or the scene.

The words are in ``tag_words.json``. Those for traits began with deepghs/imgutils (imgutils/tagging/character.py); the
rest are common last words of Danbooru's tags. A tag that no rule knows is "other", which promises nothing.
"""

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

from train_gamma.captions.tag_text import normal

TagClass: TypeAlias = Literal["trait", "outfit", "context", "other"]

WORDS = Path(__file__).with_name("tag_words.json")
_KINDS: tuple[TagClass, ...] = ("trait", "outfit", "context")
_PEOPLE = re.compile(r"(\d+\+?|multiple )(girl|boy|other)s?")


@lru_cache(maxsize=4096)
def tag_class(tag: str) -> TagClass:
    """What a tag is about.

    trait: the body of whoever is in the picture. outfit: what is worn. context: people counted, pose, gaze, expression,
    framing, place, light, what is held, medium. other: none of these by any rule.
    """
    key = normal(tag)
    if _PEOPLE.fullmatch(key):
        return "context"
    if _creatures().fullmatch(key) or _is_of_body(key):
        return "trait"
    for rule in (_begins, _ends):
        for kind in _KINDS:
            if rule(key, _words()[kind]):
                return kind
    return "other"


def head_and_colour(tag: str) -> tuple[str, str] | None:
    """``("eyes", "blue")`` for ``blue eyes``: of what it says which colour; None where it says none."""
    colour, blank, head = normal(tag).partition(" ")
    return (head, colour) if blank and " " not in head and colour in _words()["colours"] else None


def _is_of_body(key: str) -> bool:
    """Whether it only begins like a pose: ``arm tattoo`` and ``head wings``, but not ``arm up``."""
    beginnings = tuple(_words()["context"]["of_two_words_unless_traits"])
    return key.count(" ") == 1 and key.startswith(beginnings) and _ends(key, _words()["trait"])


def _begins(key: str, words: Any) -> bool:
    return key in words["tags"] or key.startswith(tuple(words["starts"]))


def _ends(key: str, words: Any) -> bool:
    return key.rpartition(" ")[2] in words["last_words"]


@lru_cache(maxsize=1)
def _words() -> Any:
    return json.loads(WORDS.read_text("utf-8"))


@lru_cache(maxsize=1)
def _creatures() -> re.Pattern[str]:
    return re.compile(f"({'|'.join(map(re.escape, _words()['creatures']))}) (girl|boy)")
