r"""Brackets of a prompt as the WebUI reads them.

The rules are those of ``parse_prompt_attention`` in AUTOMATIC1111/stable-diffusion-webui, modules/prompt_parser.py
(v1.9.4, feee37d7), in our own words: ``( )`` weigh what is inside by 1.1 and ``[ ]`` by 1 / 1.1, ``(text:1.5)`` by that
number; brackets that are never closed reach to the end of the prompt; a backslash before a bracket or backslash makes
it a character, any other backslash vanishes; a closing bracket without its opening one is a character.
"""

import math
import re
from dataclasses import dataclass, field

_TOKEN = re.compile(r"\\[\\()\[\]]|\\|[(\[)\]]|:\s*([+-]?[.\d]+)\s*\)|[^\\()\[\]:]+|:")
_SPECIAL = frozenset("\\()[]")
_FACTORS = {"(": 1.1, "[": 1 / 1.1}
_OPENED_BY = {")": "(", "]": "["}


@dataclass(slots=True)
class Weighed:
    """A stretch of a prompt with its weight; NaN for a weight that is no number, at which the WebUI fails."""

    text: str
    weight: float = 1.0


def weigh(prompt: str) -> list[Weighed]:
    """Read a prompt: its text without brackets, in stretches of one weight each. BREAK is text here."""
    reader = _Reader()
    for match in _TOKEN.finditer(prompt):
        reader.take(match.group(), match.group(1))
    for kind, starts in reader.open_at.items():
        for start in starts:
            reader.multiply(start, _FACTORS[kind])
    return reader.found


def is_read_as(prompt: str, text: str) -> bool:
    """Whether the WebUI reads exactly ``text`` in a prompt, at weight 1 everywhere."""
    if _SPECIAL.isdisjoint(prompt):
        return prompt == text
    found = weigh(prompt)
    weighed = any(part.weight != 1 and (part.text or math.isnan(part.weight)) for part in found)
    return not weighed and "".join(part.text for part in found) == text


@dataclass
class _Reader:
    found: list[Weighed] = field(default_factory=list)
    open_at: dict[str, list[int]] = field(default_factory=lambda: {"(": [], "[": []})

    def take(self, token: str, number: str | None) -> None:
        if token.startswith("\\"):
            self.found.append(Weighed(token[1:]))
        elif token in self.open_at:
            self.open_at[token].append(len(self.found))
        elif number is not None and self.open_at["("]:
            start = self.open_at["("].pop()
            self.found.append(Weighed(""))  # so that a number that is none is seen where nothing is weighed by it
            self.multiply(start, _number(number))
        elif token in _OPENED_BY and self.open_at[_OPENED_BY[token]]:
            opening = _OPENED_BY[token]
            self.multiply(self.open_at[opening].pop(), _FACTORS[opening])
        else:
            self.found.append(Weighed(token))

    def multiply(self, start: int, factor: float) -> None:
        for part in self.found[start:]:
            part.weight *= factor


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
