"""Whether a name can be an embedding's: as a file, as a word of a prompt, and beside other embeddings.

The WebUI finds an embedding by the tokens of its name, in any case and without regard to where words end, so a name
that is also a word turns every prompt with that word into the embedding (AUTOMATIC1111 issues 6908, 8060, 14892).
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from train_gamma.backbone import Token

Tokenize = Callable[[str], list[Token]]
Level = Literal["error", "warning"]

MAX_LENGTH = 150
"""Bytes; file systems allow 255, and copies get a step and an ending behind the name."""

_ILLEGAL_IN_FILES = '<>:"|?*'
_PROMPT_SYNTAX = ",()[]{}"
_RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{port}{number}" for port in ("COM", "LPT") for number in range(1, 10))}
_KEYWORDS = {"AND", "BREAK"}
_COMMON_WORDS = """
1girl 1boy 2girls 2boys solo girl boy woman man person people child character face head hair eyes eye skin hat dress
skirt shirt shoes scarf ribbon bow glasses hand hands arm arms leg legs smile standing sitting looking portrait
background red green blue yellow orange purple pink white black brown grey gray blonde silver gold long short small big
tall old young cute beautiful cat dog bird horse animal flower tree house car sky sun moon star night day art artist
style anime manga photo picture painting drawing sketch quality best worst masterpiece a an the and or of in on with by
for from to is no not
"""


@dataclass(frozen=True, slots=True)
class NameFinding:
    """Something about a name. Errors make it unusable, warnings make it a bad choice."""

    level: Level
    message: str
    fix: str

    def __str__(self) -> str:
        return f"{self.message} {self.fix}"


def check_name(name: str, tokenize: Tokenize, existing: Iterable[str] = ()) -> list[NameFinding]:
    """Everything that is wrong with ``name``, errors first; an empty list if it is a good one.

    Args:
        name: as the user typed it.
        tokenize: the model's tokenizer.
        existing: names of the embeddings it will lie beside.
    """
    others = tuple(existing)
    problems = _problems(name, tokenize, others)
    if not problems:
        return []
    fix = f"Call it '{suggest_name(name, tokenize, others)}', for example."
    findings = [NameFinding(level, message, fix) for level, message in problems]
    return sorted(findings, key=lambda finding: ("error", "warning").index(finding.level))


def suggest_name(name: str, tokenize: Tokenize, existing: Iterable[str] = ()) -> str:
    """A name like ``name`` that nothing is wrong with: ``tg-`` and its letters and digits, numbered if need be."""
    others = tuple(existing)
    letters = re.sub(r"[^a-z0-9]+", "", name.lower().removeprefix("tg-"))[:40] or "character"
    for number in range(1, 1000):
        candidate = f"tg-{letters}" if number == 1 else f"tg{number}-{letters}"
        if not _problems(candidate, tokenize, others):
            break
    return candidate


def _problems(name: str, tokenize: Tokenize, existing: Sequence[str]) -> list[tuple[Level, str]]:
    if not name.strip():
        return [("error", "The name is empty, and an embedding needs a word to be prompted with.")]
    messages = [*_as_file(name), *_as_prompt(name)]
    problems: list[tuple[Level, str]] = [("error", message) for message in messages]
    return [*problems, *_as_word(name, tokenize), *_beside(name, existing)]


def _as_file(name: str) -> list[str]:
    messages = []
    if "/" in name or "\\" in name:
        messages.append(f"The name '{name}' has a slash in it, so it would be a path. It is a name, not a place.")
    illegal = sorted({letter for letter in name if letter in _ILLEGAL_IN_FILES or not letter.isprintable()})
    if illegal:
        messages.append(f"The name '{name}' has {_told(illegal)} in it, which file names cannot have on every system.")
    if name != name.strip(" ."):
        messages.append(f"The name '{name}' begins or ends with a space or a dot, which file systems hide or cut off.")
    if name.split(".", maxsplit=1)[0].strip().upper() in _RESERVED:
        messages.append(f"The name '{name}' is reserved for a device by Windows.")
    if name.lower().endswith(".preview"):
        messages.append(f"The name '{name}' ends with '.preview'; the WebUI takes such pictures for previews.")
    if len(name.encode("utf-8", "replace")) > MAX_LENGTH:
        messages.append(f"The name is {len(name.encode('utf-8', 'replace'))} bytes long. It may have {MAX_LENGTH}.")
    return messages


def _as_prompt(name: str) -> list[str]:
    syntax = sorted({letter for letter in name if letter in _PROMPT_SYNTAX})
    if syntax:
        return [f"The name '{name}' has {_told(syntax)} in it, which have a meaning in prompts and would break it up."]
    if name in _KEYWORDS:
        return [f"The name '{name}' is a keyword of the WebUI's prompts."]
    return []


def _as_word(name: str, tokenize: Tokenize) -> list[tuple[Level, str]]:
    tokens = tokenize(name)
    if not tokens:
        return [("error", f"The tokenizer makes nothing of the name '{name}', so no prompt can call it.")]
    if name.lower() in _COMMON_WORDS.split():
        return [("error", f"'{name}' is a common word of prompts. Every prompt with it would use the embedding.")]
    if len(tokens) == 1:
        told = f"'{name}' is a word of the vocabulary (token {tokens[0].id}). Prompts with it would use the embedding."
        return [("warning", told)]
    if any(letter.isspace() for letter in name.strip()):
        return [("warning", f"'{name}' is several words. Every prompt with them in a row would use the embedding.")]
    if name.startswith("__") and name.endswith("__"):
        return [("warning", f"'{name}' is written like a wildcard, which prompt extensions replace.")]
    return []


def _beside(name: str, existing: Sequence[str]) -> list[tuple[Level, str]]:
    lower = name.lower()
    if name in existing:
        return [("error", f"There is an embedding '{name}' already.")]
    for other in existing:
        if other.lower() == lower:
            told = f"There is an embedding '{other}' already, and prompts make no difference between capitals and small"
            return [("error", f"{told} letters.")]
    longer = [other for other in existing if other.lower().startswith(lower)]
    shorter = [other for other in existing if other and lower.startswith(other.lower())]
    problems: list[tuple[Level, str]] = []
    if longer:
        told = f"The name '{name}' is the beginning of another embedding's name: {_told(longer)}."
        problems.append(("warning", f"{told} Prompts can take one for the other."))
    if shorter:
        told = f"The name '{name}' begins with another embedding's name: {_told(shorter)}."
        problems.append(("warning", f"{told} Prompts can take one for the other."))
    return problems


def _told(items: Sequence[str]) -> str:
    shown = [
        "a line break" if item == "\n" else f"'{item}'" if item.isprintable() else repr(item) for item in items[:5]
    ]
    return ", ".join(shown) + (", ..." if len(items) > 5 else "")
