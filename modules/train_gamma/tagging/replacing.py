"""Rules that put one tag in the place of others: ``nude, nipples -> nsfw``."""

import re
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from train_gamma.captions.tag_text import Piece, normal, pieces, read_tags

Rules: TypeAlias = Mapping[str, tuple[Piece, ...]]
"""What takes the place of which tag, the latter as ``normal`` has it."""

_ARROW = re.compile(r"->|→")


def read_rules(rules: Iterable[str]) -> tuple[Rules, list[str]]:
    """Read rules, and say what is wrong with those that cannot be read.

    A rule has tags, an arrow (-> or →) and the tag, or tags, that take the place of each of them. Rules do not act on
    what another rule has put there. Blank ones are passed over.

    Returns:
        The rules, and a sentence for each that has not this form or contradicts another.
    """
    found: dict[str, tuple[Piece, ...]] = {}
    problems = []
    for rule in filter(str.strip, rules):
        left, *right = _ARROW.split(rule)
        old, new = read_tags(left), tuple(pieces(right[0] if right else ""))
        if len(right) != 1 or not old or not new:
            problems.append(_problem(rule, len(right), bool(old)))
            continue
        for tag in old:
            if found.setdefault(normal(tag), new) != new:
                problems.append(f"Replace tags has two rules for '{tag}', the second is '{rule}'. Keep one of them.")
    return found, problems


def _problem(rule: str, num_arrows: int, names_old: bool) -> str:
    if num_arrows == 1 and names_old:
        return f"Replace tags: '{rule}' names nothing to put there. To leave tags out, use Exclude tags."
    wrong = {0: "has no arrow", 1: "names no tag to be replaced"}.get(num_arrows, "has more than one arrow")
    return f"Replace tags: '{rule}' {wrong}. Write a rule such as: nude, nipples -> nsfw"
