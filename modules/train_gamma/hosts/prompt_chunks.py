"""Prompts as the text encoder gets them: names of embeddings found, tokens counted, cut into chunks of 75.

The rules are those of the WebUI, so that what is trained is what is prompted later: ``tokenize_line`` in
AUTOMATIC1111/stable-diffusion-webui, modules/sd_hijack_clip.py (v1.9.4), with emphasis "None" and the default for
``comma_padding_backtrack``. Two things differ: names are words of their own (the WebUI also finds ``cat`` in
``xcat``), and an embedding that is moved to the next chunk because of a comma takes its vectors along (the WebUI
leaves them behind).
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

CHUNK_LENGTH = 75
"""Tokens of the prompt in a chunk; with the begin and the end token that makes 77."""

COMMA_BACKTRACK = 20
"""So many tokens after the last comma are moved to the next chunk rather than torn apart."""


class PromptTokenizer(Protocol):
    """What is needed to know about the vocabulary."""

    @property
    def begin_id(self) -> int:
        """The token in front of every chunk."""

    @property
    def end_id(self) -> int:
        """The token behind every chunk; what is left of a chunk is filled with it as well."""

    @property
    def comma_id(self) -> int | None:
        """The token of a comma that ends a word."""

    def encode(self, text: str) -> list[int]:
        """The ids of ``text``, without begin and end."""


@dataclass(frozen=True, slots=True)
class Named:
    """The place of an embedding in a prompt."""

    name: str


@dataclass(frozen=True, slots=True)
class Splice:
    """The rows of embedding ``name`` take the place of the tokens from ``start`` on; 0 is the begin token."""

    start: int
    name: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """One pass through the text encoder: 77 token ids and what is spliced over them."""

    ids: tuple[int, ...]
    splices: tuple[Splice, ...]


def find_names(prompt: str, names: Iterable[str]) -> list[str | Named]:
    """Split a prompt into literal texts and names of embeddings.

    A name is found in any case where no letter, digit or underscore touches it; the longest name wins.
    """
    ordered = sorted((name for name in names if name), key=len, reverse=True)
    if not ordered:
        return [prompt]
    # one group for each name: which group matched says which name it is, whatever case it was written in
    pattern = "|".join(f"({re.escape(name)})" for name in ordered)
    parts: list[str | Named] = []
    end = 0
    for match in re.finditer(rf"(?<!\w)(?:{pattern})(?!\w)", prompt, re.IGNORECASE):
        parts += [prompt[end : match.start()], Named(ordered[(match.lastindex or 1) - 1])]
        end = match.end()
    return [part for part in [*parts, prompt[end:]] if part != ""]


def chunk_prompt(prompt: str, lengths: Mapping[str, int], tokenizer: PromptTokenizer) -> list[Chunk]:
    """Cut a prompt into chunks, at least one.

    Args:
        prompt: the text, taken literally.
        lengths: number of vectors of each embedding, at most 75.
        tokenizer: the vocabulary.
    """
    return _Chunker(lengths, tokenizer).chunks(_items(prompt, lengths, tokenizer))


def pad_chunks(prompts: Sequence[list[Chunk]], tokenizer: PromptTokenizer) -> list[list[Chunk]]:
    """Give every prompt as many chunks as the longest has, with empty ones at the end."""
    count = max((len(chunks) for chunks in prompts), default=0)
    empty = Chunk((tokenizer.begin_id,) + (tokenizer.end_id,) * (CHUNK_LENGTH + 1), ())
    return [chunks + [empty] * (count - len(chunks)) for chunks in prompts]


def _items(prompt: str, lengths: Mapping[str, int], tokenizer: PromptTokenizer) -> Iterator[int | Named]:
    for part in find_names(prompt, lengths):
        if isinstance(part, Named):
            yield part
        else:
            yield from tokenizer.encode(part)


@dataclass
class _Chunker:
    """Fills one chunk after the other; ``slots`` has the id of each place, or the name whose vector goes there."""

    lengths: Mapping[str, int]
    tokenizer: PromptTokenizer
    done: list[Chunk] = field(default_factory=list)
    slots: list[int | Named] = field(default_factory=list)
    starts: dict[int, str] = field(default_factory=dict)
    last_comma: int = -CHUNK_LENGTH  # far away: there is none

    def chunks(self, items: Iterable[int | Named]) -> list[Chunk]:
        for item in items:
            self._make_room(item)
            self._place(item)
        if self.slots or not self.done:
            self._close()
        return self.done

    def _make_room(self, item: int | Named) -> None:
        if item == self.tokenizer.comma_id:
            self.last_comma = len(self.slots)
        elif len(self.slots) == CHUNK_LENGTH and CHUNK_LENGTH - self.last_comma <= COMMA_BACKTRACK:
            self._close(after=self.last_comma + 1)
        if len(self.slots) == CHUNK_LENGTH:
            self._close()

    def _place(self, item: int | Named) -> None:
        if not isinstance(item, Named):
            self.slots.append(item)
            return
        length = self.lengths[item.name]
        if len(self.slots) + length > CHUNK_LENGTH:
            self._close()
        self.starts[len(self.slots)] = item.name
        self.slots += [item] * length

    def _close(self, after: int = CHUNK_LENGTH) -> None:
        """End the chunk behind place ``after``; what stands there begins the next one."""
        kept, moved = self.slots[:after], self.slots[after:]
        end = self.tokenizer.end_id
        ids = [end if isinstance(slot, Named) else slot for slot in kept]
        ids += [end] * (CHUNK_LENGTH - len(ids))
        splices = tuple(Splice(start + 1, name) for start, name in self.starts.items() if start < after)
        self.done.append(Chunk((self.tokenizer.begin_id, *ids, end), splices))
        self.slots = moved
        self.starts = {start - after: name for start, name in self.starts.items() if start >= after}
        self.last_comma = -CHUNK_LENGTH
