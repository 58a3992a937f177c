"""Prompts through the WebUI's own text encoding, with gradients to the learned rows.

Everything between the text and the UNet is the host's: its prompt parser, its chunks of 75, other embeddings, clip
skip (AUTOMATIC1111/stable-diffusion-webui v1.9.4, modules/sd_hijack_clip.py and modules/sd_hijack.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from train_gamma.backbone import Vectors
from train_gamma.hosts.webui_overrides import attributes, settings_seen_by

_LITERAL = {"emphasis": "None", "enable_emphasis": False, "use_old_emphasis_implementation": False}
"""Brackets are characters like others. The first is of 1.9 and later, the second of earlier versions."""

_READING = (*_LITERAL, "comma_padding_backtrack")
"""The settings that say how a prompt is read."""


@dataclass(frozen=True, slots=True)
class PromptReader:
    """How a run reads prompts: with the settings of its beginning, whatever is changed in the meantime.

    settings: the WebUI's settings that say how a prompt is read. clip_skip: of the run.
    """

    settings: Mapping[str, Any]
    clip_skip: int

    @classmethod
    def now(cls, clip_skip: int) -> "PromptReader":
        """Read prompts as the WebUI is set to now."""
        from modules import shared

        names = [name for name in _READING if name in shared.opts.data or name in shared.opts.data_labels]
        return cls({name: getattr(shared.opts, name) for name in names}, clip_skip)

    def encode(
        self, sd_model: Any, prompts: Sequence[str], embeddings: Mapping[str, Vectors], *, emphasis: bool
    ) -> Tensor:
        """Encode prompts, differentiably in the rows: (B, T, D), T a multiple of 77.

        Args:
            sd_model: the loaded model.
            prompts: B texts.
            embeddings: rows by name.
            emphasis: read brackets and BREAK as the WebUI is set to; otherwise they are characters like others.
        """
        from modules import devices

        # the host's mean-keeping emphasis would let the prompts of a batch weigh upon each other
        one_by_one = emphasis and len(prompts) > 1 and any("(" in prompt or "[" in prompt for prompt in prompts)
        with self.pinned(emphasis=emphasis), known(embeddings, sd_model), _no_traces(), devices.autocast():
            if one_by_one:
                return _stacked([_conditioning(sd_model, [prompt]) for prompt in prompts], sd_model)
            return _conditioning(sd_model, prompts)

    def pinned(self, *, emphasis: bool) -> AbstractContextManager[None]:
        """Hold the settings for whatever the text encoder does inside."""
        from modules import sd_hijack_clip

        literal = {} if emphasis else {name: value for name, value in _LITERAL.items() if name in self.settings}
        values = {**self.settings, **literal, "CLIP_stop_at_last_layers": self.clip_skip}
        return settings_seen_by(sd_hijack_clip, values)


@contextmanager
def known(embeddings: Mapping[str, Vectors], sd_model: Any) -> Iterator[None]:
    """Let the WebUI find our embeddings in prompts, before others of the same name.

    Its database stays as it is: only the question that the prompt reader asks it is answered by us first. So nothing
    is lost when the database is read anew in the meantime, which the refresh button does without waiting for anybody.
    """
    from modules import sd_hijack

    database = sd_hijack.model_hijack.embedding_db
    ours = [_as_embedding(name, vectors, sd_model) for name, vectors in embeddings.items()]
    ours.sort(key=lambda known_as: len(known_as[0]), reverse=True)
    ask = database.find_embedding_at_position

    def find(tokens: list[int], position: int) -> tuple[Any, int | None]:
        theirs, length = ask(tokens, position)
        for ids, embedding in ours:
            if len(ids) >= (length or 1) and tokens[position : position + len(ids)] == ids:
                return embedding, len(ids)
        return theirs, length

    with attributes(database, {"find_embedding_at_position": find}):
        yield


def _as_embedding(name: str, vectors: Vectors, sd_model: Any) -> tuple[list[int], Any]:
    """The tokens a name is found by, and the host's object for an embedding."""
    from modules.textual_inversion.textual_inversion import Embedding

    rows = vectors["clip_l"]
    embedding = Embedding(rows, name, step=0)
    embedding.vectors, embedding.shape = rows.shape
    embedding.cached_checksum = "0000"  # versions before 1.7 take one at each use, number by number
    return list(sd_model.cond_stage_model.tokenize([name])[0]), embedding


def _no_traces() -> AbstractContextManager[None]:
    """Keep what the text encoder notes for the description of a picture out of the next picture's."""
    from modules import sd_hijack

    return attributes(sd_hijack.model_hijack, {"comments": [], "extra_generation_params": {}, "fixes": None})


def _conditioning(sd_model: Any, prompts: Sequence[str]) -> Tensor:
    conditioning: Tensor = sd_model.get_learned_conditioning(list(prompts))
    return conditioning


def _stacked(encoded: Sequence[Tensor], sd_model: Any) -> Tensor:
    """Put prompts of one batch together, shorter ones filled up with empty chunks as the host does it."""
    longest = max(part.shape[1] for part in encoded)
    if all(part.shape[1] == longest for part in encoded):
        return torch.cat(list(encoded))
    empty = _conditioning(sd_model, [""]).detach()  # (1, 77, D)
    return torch.cat([torch.cat([part, *[empty] * ((longest - part.shape[1]) // 77)], dim=1) for part in encoded])
