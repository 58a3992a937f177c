"""A model small enough to be computed by hand, behind the whole ``Backbone`` contract.

Prompt p has the context c(p): the mean of its tokens' rows, to which the rows of every embedding in it are added. The
prediction is ``gain * W c`` at every pixel, plus ``carry * x_t``. So the gradient of a loss has a closed form, and a
step takes a millisecond. Tests of what the loop does around the model use it; what depends on a real model uses
``tests.tiny``.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from tests.tiny import tiny_tokenizer
from train_gamma.backbone import Conditioning, LatentDistribution, ModelIdentity, RenderRequest, Token, Vectors

CHANNELS = 4
WIDTH = 4


class PlainBackbone:
    """See the module. ``encodings``, ``predictions``, ``loans`` and ``requests`` tell what it was asked for."""

    def __init__(
        self,
        prediction: Any = "epsilon",
        dtype: torch.dtype = torch.float32,
        gain: float = 1.0,
        encoders: Sequence[str] = ("clip_l",),
        **identity: Any,
    ) -> None:
        generator = torch.Generator().manual_seed(7)
        self.tables = {name: torch.randn(49408, WIDTH, generator=generator) * 0.3 for name in encoders}
        self.weight = torch.randn(CHANNELS, WIDTH * len(encoders), generator=generator)  # (C, E D)
        self.gain, self.carry = gain, 0.5
        self.prediction, self.dtype, self.device = prediction, dtype, torch.device("cpu")
        betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
        self.alphas_cumprod = (1 - betas).cumprod(0).float()
        facts = {"model_name": "plain", "model_hash": "1" * 64, "vae_name": "", "vae_hash": "1" * 64, "clip_skip": 1}
        self.identity = ModelIdentity(family="sd1", **{**facts, **identity})
        self.encodings, self.predictions, self.loans = 0, 0, 0
        self.requests: list[RenderRequest] = []

    def token_tables(self) -> Mapping[str, Tensor]:
        return self.tables

    def tokenize(self, text: str) -> list[Token]:
        return tiny_tokenizer().tokens(text)

    def token_text(self, token_id: int) -> str:
        return tiny_tokenizer().text_of(token_id)

    def encode_images(self, pixels: Tensor) -> LatentDistribution:
        self.encodings += 1
        small = torch.nn.functional.avg_pool2d(pixels, 8)  # (B, 3, h, w)
        mean = torch.cat([small, small.mean(dim=1, keepdim=True)], dim=1)
        return LatentDistribution(mean, torch.full_like(mean, 0.1))

    def encode_prompts(
        self,
        prompts: Sequence[str],
        embeddings: Mapping[str, Vectors],
        sizes: Sequence[tuple[int, int]] | None = None,
        *,
        emphasis: bool = False,
    ) -> Conditioning:
        contexts = [
            torch.cat([self._context(prompt, encoder, embeddings) for encoder in self.tables]) for prompt in prompts
        ]
        return Conditioning(torch.stack(contexts).unsqueeze(1))  # (B, 1, E D)

    def _context(self, prompt: str, encoder: str, embeddings: Mapping[str, Vectors]) -> Tensor:
        context, rest = torch.zeros(WIDTH), prompt
        for name, vectors in embeddings.items():
            rest, count = re.subn(re.escape(name), "", rest, flags=re.IGNORECASE)
            context = context + count * vectors[encoder].sum(dim=0)
        ids = [token.id for token in self.tokenize(rest)]
        return context + self.tables[encoder][ids].mean(dim=0) if ids else context

    def predict(self, x_t: Tensor, t: Tensor, conditioning: Conditioning) -> Tensor:
        self.predictions += 1
        colour = conditioning.context[:, 0].to(self.dtype) @ self.weight.to(self.dtype).T * self.gain  # (B, C)
        return (colour[:, :, None, None] + self.carry * x_t.to(self.dtype)).float()

    @torch.no_grad()
    def render(self, request: RenderRequest, embeddings: Mapping[str, Vectors]) -> Image.Image:
        self.requests.append(request)
        context = self.encode_prompts([request.prompt], embeddings).context[0, 0]
        colour = tuple(int(v) for v in (context[:3].sigmoid() * 255))
        return Image.new("RGB", (request.width, request.height), colour)

    def give_way(self) -> None:
        pass

    @contextmanager
    def lend(self, checkpointing: str = "auto") -> Iterator[None]:
        self.loans += 1
        yield
