"""Chunks of tokens through a CLIP text encoder, with the learned rows in their places."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from train_gamma.hosts.prompt_chunks import Chunk


def text_model(encoder: nn.Module) -> Any:
    """The transformer inside of a ``CLIPTextModel``: wrapped up to transformers 5.5, the model itself since 5.6."""
    return getattr(encoder, "text_model", encoder)


def token_table(encoder: nn.Module) -> Tensor:
    """(V, D) the input embeddings, detached."""
    return torch.Tensor.detach(text_model(encoder).embeddings.token_embedding.weight)


def encode_chunks(encoder: nn.Module, chunks: Sequence[Chunk], vectors: Mapping[str, Tensor], clip_skip: int) -> Tensor:
    """Encode chunks, differentiably in the vectors and in nothing else.

    Args:
        encoder: a ``CLIPTextModel``.
        chunks: N chunks.
        vectors: (n, D) rows of each embedding that the chunks name.
        clip_skip: 1 for the output of the last layer, 2 for that of the last but one, ...

    Returns:
        (N, 77, D): the output of the chosen layer after the final layer norm.
    """
    device = token_table(encoder).device
    ids = torch.tensor([chunk.ids for chunk in chunks], device=device)
    with _spliced(encoder, chunks, vectors), _without_last_layers(encoder, clip_skip - 1):
        output: Tensor = encoder(input_ids=ids).last_hidden_state
    return output


@contextmanager
def _spliced(encoder: nn.Module, chunks: Sequence[Chunk], vectors: Mapping[str, Tensor]) -> Iterator[None]:
    """Put the rows over what the embedding layer looks up, by a hook that is there for one call."""
    rows: list[int] = []
    columns: list[int] = []
    pieces: list[Tensor] = []
    for number, chunk in enumerate(chunks):
        for splice in chunk.splices:
            piece = vectors[splice.name]
            rows += [number] * len(piece)
            columns += range(splice.start, splice.start + len(piece))
            pieces.append(piece)

    def replace(_module: nn.Module, _inputs: Any, looked_up: Tensor) -> Tensor:
        frozen = looked_up.detach()
        if not pieces:
            return frozen
        where = (torch.tensor(rows, device=frozen.device), torch.tensor(columns, device=frozen.device))
        return frozen.index_put(where, torch.cat(pieces).to(frozen))

    handle = text_model(encoder).embeddings.token_embedding.register_forward_hook(replace)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _without_last_layers(encoder: nn.Module, count: int) -> Iterator[None]:
    """Leave out the last layers for one call: what comes out is the earlier layer after the final layer norm."""
    inner = text_model(encoder).encoder
    layers = inner.layers
    if count == 0:
        yield
        return
    inner.layers = layers[: len(layers) - count]
    try:
        yield
    finally:
        inner.layers = layers
