"""Whether prompts fit into the 75 tokens that the text encoder takes at once, with template and vectors counted.

What does not fit goes into a second chunk, which is encoded apart from the first, so tags there say little about what
is in the first. The rules are the WebUI's: an embedding is never torn apart, and after at most 20 tokens behind a
comma the words move to the next chunk together (``tokenize_line`` in AUTOMATIC1111/stable-diffusion-webui,
modules/sd_hijack_clip.py, v1.9.4).
"""

import dataclasses
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from train_gamma.dataset.templates import NAME, render_prompt
from train_gamma.doctor.emphasis import weigh
from train_gamma.doctor.findings import Finding, listed
from train_gamma.doctor.material import CountTokens, Material, Subject, paths

CHUNK = 75
COMMA_BACKTRACK = 20


@dataclass(frozen=True, slots=True)
class Budget:
    """How a prompt fills chunks.

    Attributes:
        tokens: in all, vectors counted.
        later: what lies in a later chunk than the first, at least in part: the pieces between commas, and the name of
            the embedding.
    """

    tokens: int
    later: tuple[str, ...]


def budget_of(prompt: str, name: str, num_vectors: int, count_tokens: CountTokens) -> Budget:
    """How a prompt fills chunks.

    Args:
        prompt: as it is trained.
        name: of the embedding, in the prompt as a word of its own.
        num_vectors: tokens it takes, at most 75.
        count_tokens: tokens of a text.
    """
    parts = re.split(rf"(?<!\w)({re.escape(name)})(?!\w)", prompt, flags=re.IGNORECASE)  # each second is the name
    total = sum(num_vectors if k % 2 else count_tokens(part) for k, part in enumerate(parts))
    if total <= CHUNK:
        return Budget(total, ())
    chunks = _Chunks()
    for k, part in enumerate(parts):
        if k % 2:
            chunks.put_embedding(name, num_vectors)
            continue
        for text in re.findall(r"[^,]*,|[^,]+", part):
            chunks.put_text(text, count_tokens(text), count_tokens(text.rstrip(",")))
    return Budget(total, tuple(label for label in chunks.later if label))


def check_budget(material: Material) -> list[Finding]:
    """The captions with which a prompt has more than 75 tokens, and what then falls into the second chunk."""
    target = material.target
    if target.count_tokens is None:
        return []
    count = cache(target.count_tokens)
    found = []
    for subject in material.subjects:
        budgets = [
            budget_of(prompt, target.name or NAME, target.num_vectors, count) for prompt in _prompts(subject, material)
        ]
        worst = max(budgets, key=lambda budget: budget.tokens, default=Budget(0, ()))
        if worst.later:
            found.append((subject, worst))
    return [_finding(found, material)] if found else []


def _finding(found: list[tuple[Subject, Budget]], material: Material) -> Finding:
    worst, budget = max(found, key=lambda pair: pair[1].tokens)
    name = material.target.name or NAME
    number = f"{len(found)} of {len(material.subjects)} prompts have more than {CHUNK} tokens"
    split = sum(name in of_prompt.later for _, of_prompt in found)
    embedding = f" In {split} of them the embedding itself is in the second chunk." if split else ""
    order = " With 'Shuffle tags' on these are others at each visit." if material.config.shuffle_tags else ""
    room = f"{CHUNK} minus {material.target.num_vectors} for the vectors and what the template takes"
    return Finding(
        "token_budget",
        "warning",
        f"{number}; the longest, of '{worst.name}', has {budget.tokens}: "
        f"{listed(budget.later)} in a second chunk, where it says little about the rest.{embedding}{order}",
        f"Shorten those captions if it matters: there are {room}.",
        paths([subject for subject, _ in found]),
        "review",
    )


def _prompts(subject: Subject, material: Material) -> Iterator[str]:
    """The prompt of each template, with all tags in their order."""
    config = dataclasses.replace(material.config, shuffle_tags=False, tag_dropout=0.0)
    for template in material.templates:
        prompt = render_prompt(template, material.target.name or NAME, subject.caption.text, config, random.Random(0))
        yield "".join(part.text for part in weigh(prompt)) if config.emphasis else prompt


@dataclass
class _Chunks:
    """Fills one chunk after the other; ``slots`` has for each token of the last one what it belongs to."""

    slots: list[str] = field(default_factory=list)
    number: int = 0
    last_comma: int = -CHUNK  # far away: there is none
    later: dict[str, None] = field(default_factory=dict)

    def put_embedding(self, name: str, num_vectors: int) -> None:
        self._make_room()
        if len(self.slots) + num_vectors > CHUNK:
            self._begin([])
        self._put([name] * num_vectors)

    def put_text(self, text: str, tokens: int, tokens_without_comma: int) -> None:
        label = text.strip(" ,")
        has_comma = text.endswith(",") and tokens > tokens_without_comma
        for k in range(tokens):
            if has_comma and k == tokens - 1:
                self.last_comma = len(self.slots)
                if len(self.slots) == CHUNK:
                    self._begin([])
                self._put([""])
            else:
                self._make_room()
                self._put([label])

    def _make_room(self) -> None:
        if len(self.slots) < CHUNK:
            return
        near = CHUNK - self.last_comma <= COMMA_BACKTRACK
        self._begin(self.slots[self.last_comma + 1 :] if near else [])

    def _begin(self, moved: list[str]) -> None:
        self.slots, self.number, self.last_comma = [], self.number + 1, -CHUNK
        self._put(moved)

    def _put(self, labels: list[str]) -> None:
        self.slots += labels
        if self.number:
            self.later.update(dict.fromkeys(labels))
