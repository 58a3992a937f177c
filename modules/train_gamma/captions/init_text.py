"""Proposes an initialization text from the tags that are taken out of the captions.

The vectors of an embedding start as the tokens of that text. A text with more tokens than vectors is cut, so its last
words are lost; one with fewer is repeated. The best text has as many tokens as there are vectors.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

CountTokens = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class InitText:
    """A proposal.

    Attributes:
        text: the initialization text.
        tokens: of that text.
        kept: the tags in it.
        dropped: the tags there is no room for.
        with_commas: the same tags with commas between them, each of which costs a vector.
        with_commas_tokens: tokens of that.
        least_vectors: so many vectors hold all tags, without commas.
    """

    text: str
    tokens: int
    kept: tuple[str, ...]
    dropped: tuple[str, ...]
    with_commas: str
    with_commas_tokens: int
    least_vectors: int


def propose(subject: str, tags: Sequence[str], num_vectors: int, count_tokens: CountTokens) -> InitText:
    """The most important tags that fit, without commas.

    Args:
        subject: the tag for who is in the pictures, "" for none; it comes first.
        tags: those taken out, the most important first.
        num_vectors: of the embedding.
        count_tokens: tokens of a text, without begin and end.
    """
    wanted = [tag.replace("_", " ") for tag in ([subject] if subject else []) + [tag for tag in tags if tag != subject]]
    kept: list[str] = []
    for tag in wanted:
        if count_tokens(" ".join([*kept, tag])) <= num_vectors:
            kept.append(tag)
    text, commas = " ".join(kept), ", ".join(kept)
    dropped = tuple(tag for tag in wanted if tag not in kept)
    return InitText(
        text,
        count_tokens(text) if text else 0,
        tuple(kept),
        dropped,
        commas,
        count_tokens(commas) if commas else 0,
        count_tokens(" ".join(wanted)) if wanted else 0,
    )
