"""The contract between the trainer and whatever lends it a model.

A ``Backbone`` is a frozen Stable-Diffusion model seen through the few operations that textual inversion needs. The
training loop knows nothing else about the model: not its files, not its library, not its device management.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal, Protocol

import torch
from PIL import Image
from torch import Tensor

Prediction = Literal["epsilon", "v"]
Checkpointing = Literal["off", "on", "auto"]

Vectors = Mapping[str, Tensor]
"""The rows of one embedding, per text encoder: ``{"clip_l": (n, D)}``; SDXL adds ``"clip_g"``."""


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """What a run was trained on, as recorded in embeddings and run folders.

    ``model_hash`` and ``vae_hash`` are the full lower-case sha256 of the file (of all weight files in name order for a
    folder). ``vae_name`` is "" and ``vae_hash`` equals ``model_hash`` when the checkpoint's own VAE is used.
    """

    family: Literal["sd1", "sd2", "sdxl"]
    model_name: str
    model_hash: str
    vae_name: str
    vae_hash: str
    clip_skip: int


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a prompt: its vocabulary id and the text it stands for ("" for none)."""

    id: int
    text: str


@dataclass(frozen=True, slots=True)
class LatentDistribution:
    """The VAE's posterior for a batch, already multiplied by the model's latent scale.

    mean, std: (B, C, h, w) float32, with h = H / 8 and w = W / 8.
    """

    mean: Tensor
    std: Tensor


@dataclass(frozen=True, slots=True)
class Conditioning:
    """What the UNet is told about a batch of prompts.

    context: (B, T, D) text-encoder output, T a multiple of 77. extra: further inputs by name, SDXL's pooled text
    ``(B, D')`` and size ids ``(B, 6)``; empty for SD 1.x and 2.x.
    """

    context: Tensor
    extra: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RenderRequest:
    """One preview picture: prompt, size in pixels, sampling steps, guidance and seed."""

    prompt: str
    negative_prompt: str = ""
    width: int = 512
    height: int = 512
    steps: int = 20
    guidance_scale: float = 7.0
    seed: int = 0
    sampler: str = "ddim"


class Backbone(Protocol):
    """A frozen model on loan. Every method may be called many times and in any order inside ``lend``."""

    @property
    def identity(self) -> ModelIdentity:
        """Name and hashes of the checkpoint and its VAE, and the clip skip in force."""

    @property
    def prediction(self) -> Prediction:
        """What the UNet predicts: the noise ("epsilon") or the velocity ("v")."""

    @property
    def alphas_cumprod(self) -> Tensor:
        """(1000,) float32, on the CPU: the cumulative product of 1 - beta, called alpha-bar in Ho et al. 2020."""

    @property
    def device(self) -> torch.device:
        """Where latents, noise and vectors have to be."""

    @property
    def dtype(self) -> torch.dtype:
        """The precision the UNet computes in."""

    def token_tables(self) -> Mapping[str, Tensor]:
        """The frozen input embeddings of each text encoder: ``{"clip_l": (V, D)}``."""

    def tokenize(self, text: str) -> list[Token]:
        """The tokens of ``text`` without begin, end or padding, in the order of the prompt, never truncated."""

    def token_text(self, token_id: int) -> str:
        """The text a token of the vocabulary stands for, "" when it is only part of a character."""

    def encode_images(self, pixels: Tensor) -> LatentDistribution:
        """Encode ``pixels`` (B, 3, H, W) in [-1, 1] with the VAE, without gradients.

        Raises:
            UserError: if the latents are not finite even in float32.
        """

    def encode_prompts(
        self,
        prompts: Sequence[str],
        embeddings: Mapping[str, Vectors],
        sizes: Sequence[tuple[int, int]] | None = None,
        *,
        emphasis: bool = False,
    ) -> Conditioning:
        """Encode prompts, differentiably in the vectors.

        Wherever the name of an embedding stands in a prompt as a word of its own (any case), its n rows take the
        place of n tokens at the input-embedding layer. Prompts longer than 75 tokens become chunks of 75 with their
        own begin and end tokens, concatenated along T; shorter prompts of a batch are padded with empty chunks.

        Args:
            prompts: B texts.
            embeddings: vectors by name; names are matched longest first.
            sizes: (width, height) in pixels of each picture, for models that are conditioned on it.
            emphasis: read ``( )``, ``[ ]`` and ``BREAK`` as the WebUI does; otherwise every character is literal.

        Raises:
            UserError: if ``emphasis`` is asked for and the lender cannot read it.
        """

    def predict(self, x_t: Tensor, t: Tensor, conditioning: Conditioning) -> Tensor:
        """The UNet's output, float32, of the shape of ``x_t``: (B, C, h, w); ``t``: (B,) int64 timesteps."""

    def render(self, request: RenderRequest, embeddings: Mapping[str, Vectors]) -> Image.Image:
        """Make one preview picture. Uses a random generator of its own and leaves every global one as it was."""

    def lend(self, checkpointing: Checkpointing = "auto") -> AbstractContextManager[None]:
        """Freeze the model for a run and put every flag, hook, mode and device back afterwards.

        Inside, no parameter of the model requires a gradient, all modules are in eval mode, and gradient
        checkpointing is as asked.
        """

    def give_way(self) -> None:
        """Called between steps: let others who wait for the model use it, and go on when they are done.

        Raises:
            UserError: if the model is not the one of the run any more. What was trained so far is kept by the loop.
        """
