"""What the vectors are before training."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import torch
from torch import Tensor

from train_gamma.backbone import Token
from train_gamma.embedding.embedding import Embedding
from train_gamma.embedding.files import read_embedding
from train_gamma.errors import UserError
from train_gamma.training.config import EmbeddingConfig

NOISE_SHARE = 0.1
"""Length of the noise on a repeated vector, as a share of the vocabulary's mean norm. Enough to part the twins, and
little enough to keep the word: a row of mean norm keeps a cosine of 0.995 with itself (1 / sqrt(1 + 0.1 ** 2))."""

Tokenize = Callable[[str], Sequence[Token]]
Fill = Literal["none", "repeat", "repeat_noise", "mean"]
_FILLED = {
    "repeat": "repeated from the start",
    "repeat_noise": "repeated from the start with a little noise",
    "mean": "the mean of the text's",
}


class Vocabulary(Protocol):
    """The part of a ``Backbone`` that a start needs."""

    def token_tables(self) -> Mapping[str, Tensor]:
        """The frozen input embeddings of each text encoder: ``{"clip_l": (V, D)}``."""

    def tokenize(self, text: str) -> list[Token]:
        """The tokens of ``text`` without begin, end or padding."""


@dataclass(frozen=True, slots=True)
class TextPlan:
    """How a text fits into a number of vectors.

    Attributes:
        kept: the tokens that become vectors, in order.
        dropped: the tokens there was no room for.
        num_filled: how many vectors the text does not reach.
        fill: what those are.
        summary: all of it in one sentence.
    """

    kept: tuple[Token, ...]
    dropped: tuple[Token, ...]
    num_filled: int
    fill: Fill
    summary: str


def plan_text(tokens: Sequence[Token], num_vectors: int, long_text: str, short_text: str) -> TextPlan:
    """Fit the tokens of an initialization text into ``num_vectors`` vectors.

    Args:
        tokens: of the text, in order.
        num_vectors: at least 1.
        long_text: "refuse" or "cut".
        short_text: "repeat", "repeat_noise" or "mean".

    Raises:
        UserError: if the text has no token, or is longer than the vectors and must not be cut.
    """
    if not tokens:
        raise UserError(
            "Initialization text is empty, and the start 'text' needs at least one word. Give words near to what is "
            "learned, or choose the start 'random'."
        )
    kept, dropped = tuple(tokens[:num_vectors]), tuple(tokens[num_vectors:])
    if dropped and long_text == "refuse":
        raise UserError(
            f"Initialization text has {len(tokens)} tokens ({_words(tokens)}), and Vectors per token is {num_vectors}. "
            f"The text must fit. Set Vectors per token to {len(tokens)}, shorten the text, or set 'Text longer than "
            "the vectors' to cut."
        )
    num_filled = num_vectors - len(kept)
    fill: Fill = "none"
    if num_filled:
        fill = _fill(short_text)
    return TextPlan(kept, dropped, num_filled, fill, _summary(kept, dropped, num_filled, fill))


def plan_tags(tags: Sequence[str], tokenize: Tokenize, num_vectors: int, short_text: str) -> TextPlan:
    """Fit the most frequent tags into ``num_vectors`` vectors, one vector a token.

    Whole tags only, from the first on: a tag with more tokens than there is room left is passed over, and so is one
    whose tokens are all there already.

    Args:
        tags: distinct, the most frequent first.
        tokenize: the model's tokenizer.
        num_vectors: at least 1.
        short_text: "repeat", "repeat_noise" or "mean", for what the tags do not fill.

    Raises:
        UserError: if none of the tags fits.
    """
    kept: list[Token] = []
    for tag in tags:
        tokens = tokenize(tag)
        known = {token.id for token in kept}
        if len(kept) + len(tokens) <= num_vectors and any(token.id not in known for token in tokens):
            kept += tokens
    if not kept:
        raise UserError(_no_tags(tags, num_vectors))
    return plan_text(kept, num_vectors, "refuse", short_text)


def start_vectors(
    config: EmbeddingConfig, backbone: Vocabulary, seed: int, tags: Sequence[str] = ()
) -> dict[str, Tensor]:
    """The vectors a run starts from.

    Args:
        config: where they start and how many there are.
        backbone: lends the vocabulary and the tokenizer.
        seed: of what is random in them.
        tags: of the dataset, the most frequent first, for the start "tags".

    Returns:
        (n, D) float32 on the CPU per text encoder.

    Raises:
        UserError: if the text or the embedding to start from does not fit.
    """
    tables = backbone.token_tables()
    if config.start == "zero":
        return {name: torch.zeros(config.num_vectors, table.shape[1]) for name, table in tables.items()}
    generators = {name: torch.Generator().manual_seed(seed + index) for index, name in enumerate(tables)}
    if config.start == "random":
        return {
            name: _directions(config.num_vectors, table.shape[1], generators[name]) * mean_norm(table)
            for name, table in tables.items()
        }
    if config.start == "embedding":
        rows, fill = _rows_of_embedding(config, tables)
    else:
        plan = _plan(config, backbone, tags)
        ids = torch.tensor([token.id for token in plan.kept])
        rows = {name: _picked(table, ids) for name, table in tables.items()}
        fill = plan.fill
    return {
        name: _filled(rows[name], config.num_vectors, fill, mean_norm(table), generators[name])
        for name, table in tables.items()
    }


def _plan(config: EmbeddingConfig, backbone: Vocabulary, tags: Sequence[str]) -> TextPlan:
    if config.start == "tags":
        return plan_tags(tags, backbone.tokenize, config.num_vectors, config.short_text)
    return plan_text(backbone.tokenize(config.init_text), config.num_vectors, config.long_text, config.short_text)


def _no_tags(tags: Sequence[str], num_vectors: int) -> str:
    if not tags:
        return (
            "The captions have no tags, and the start 'tags' takes the most frequent ones. Write captions, or choose "
            "the start 'text'."
        )
    return (
        f"None of the tags of the captions ('{tags[0]}' is the most frequent) fits into {num_vectors} vectors. Raise "
        "Vectors per token, or choose the start 'text'."
    )


def mean_norm(table: Tensor) -> float:
    """The mean length of the rows of a vocabulary (V, D)."""
    return float(table.detach().float().norm(dim=1).mean())


def _picked(table: Tensor, ids: Tensor) -> Tensor:
    return table.detach()[ids.to(table.device)].to(device="cpu", dtype=torch.float32)


def _filled(rows: Tensor, num_vectors: int, fill: Fill, norm: float, generator: torch.Generator) -> Tensor:
    """``rows`` (k, D) and ``num_vectors`` - k more, made as ``fill`` says."""
    missing = num_vectors - rows.shape[0]
    if missing <= 0:
        return rows.clone()
    if fill == "mean":
        more = rows.mean(dim=0, keepdim=True).expand(missing, -1)
    else:
        more = rows[torch.arange(rows.shape[0], num_vectors) % rows.shape[0]]
    if fill == "repeat_noise":
        more = more + NOISE_SHARE * norm * _directions(missing, rows.shape[1], generator)
    return torch.cat([rows, more])


def _directions(num_vectors: int, width: int, generator: torch.Generator) -> Tensor:
    """(n, D) vectors of length 1, uniform on the sphere."""
    drawn = torch.randn(num_vectors, width, generator=generator, dtype=torch.float64)
    unit: Tensor = drawn / drawn.norm(dim=1, keepdim=True)
    return unit.float()


def _rows_of_embedding(config: EmbeddingConfig, tables: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], Fill]:
    if not config.init_embedding.strip():
        raise UserError(
            "Embedding to start from is empty, and the start 'embedding' needs a file. Choose one, or start from text."
        )
    embedding = read_embedding(Path(config.init_embedding))
    rows = _matched(embedding, tables)
    if embedding.num_vectors > config.num_vectors and config.long_text == "refuse":
        raise UserError(
            f"Embedding '{embedding.name}' has {embedding.num_vectors} vectors, and Vectors per token is "
            f"{config.num_vectors}. They must fit. Set Vectors per token to {embedding.num_vectors}, or set 'Text "
            "longer than the vectors' to cut, which keeps the first ones."
        )
    return {name: rows[name][: config.num_vectors] for name in tables}, _fill(config.short_text)


def _matched(embedding: Embedding, tables: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The embedding's rows by the names of the model's encoders; a single encoder's name does not matter."""
    rows = dict(embedding.vectors)
    if len(rows) == 1 and len(tables) == 1:
        rows = {next(iter(tables)): next(iter(rows.values()))}
    ours = {name: table.shape[1] for name, table in tables.items()}
    theirs = {name: tensor.shape[1] for name, tensor in rows.items()}
    if ours != theirs:
        raise UserError(
            f"Embedding '{embedding.name}' was made for another kind of model: its vectors have {_widths(theirs)}, and "
            f"the checkpoint takes {_widths(ours)}. Use an embedding made for this kind of model, or start from text."
        )
    return rows


def _fill(short_text: str) -> Fill:
    if short_text == "repeat":
        return "repeat"
    if short_text == "mean":
        return "mean"
    return "repeat_noise"


def _summary(kept: Sequence[Token], dropped: Sequence[Token], num_filled: int, fill: Fill) -> str:
    count = len(kept)
    told = f"{_words(kept)} {'starts' if count == 1 else 'start'} {count} vector{'' if count == 1 else 's'}"
    if dropped:
        told += f"; {_words(dropped)} {'is' if len(dropped) == 1 else 'are'} cut off"
    if num_filled:
        told += f"; {num_filled} more {'is' if num_filled == 1 else 'are'} {_FILLED[fill]}"
    return told + "."


def _words(tokens: Sequence[Token]) -> str:
    return ", ".join(f"'{token.text or f'#{token.id}'}'" for token in tokens)


def _widths(widths: Mapping[str, int]) -> str:
    return " and ".join(f"{width} values for {name}" for name, width in widths.items())
