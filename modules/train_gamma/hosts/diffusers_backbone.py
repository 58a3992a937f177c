"""A model of the diffusers library behind the ``Backbone`` contract."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from train_gamma.backbone import (
    Checkpointing,
    Conditioning,
    LatentDistribution,
    ModelIdentity,
    Prediction,
    RenderRequest,
    Token,
    Vectors,
)
from train_gamma.errors import UserError
from train_gamma.hosts.clip_tokenizer import ClipTokenizer
from train_gamma.hosts.embedding_fit import check_embeddings
from train_gamma.hosts.loan import lend_modules, wants_checkpointing
from train_gamma.hosts.prompt_chunks import Chunk, chunk_prompt, pad_chunks
from train_gamma.hosts.render import check_request, make_scheduler, sample
from train_gamma.hosts.text_encoding import encode_chunks, text_model, token_table
from train_gamma.hosts.vae import Vae

_SCHEDULE_KEYS = (
    "num_train_timesteps",
    "beta_start",
    "beta_end",
    "beta_schedule",
    "trained_betas",
    "prediction_type",
    "rescale_betas_zero_snr",
)


class DiffusersBackbone:
    """Lends a UNet, a VAE and text encoders of the diffusers and transformers libraries."""

    def __init__(
        self,
        unet: Any,
        vae: Any,
        text_encoders: Mapping[str, nn.Module],
        tokenizer: ClipTokenizer,
        scheduler_config: Mapping[str, Any],
        identity: ModelIdentity,
    ) -> None:
        """Put the parts together; nothing of them is changed.

        Args:
            unet: a ``UNet2DConditionModel``. Its device and dtype are those of the backbone.
            vae: an ``AutoencoderKL``, on the same device, in any dtype.
            text_encoders: ``CLIPTextModel`` by name: "clip_l", and for SDXL "clip_g".
            tokenizer: the vocabulary that all text encoders share.
            scheduler_config: betas and prediction type, in diffusers' words; other keys are ignored.
            identity: what is recorded of the model.

        Raises:
            UserError: if clip skip leaves no layer, or the UNet predicts something else than noise or velocity.
        """
        self._unet = unet
        self._vae = Vae(vae)
        self._text_encoders = dict(text_encoders)
        self._tokenizer = tokenizer
        self._identity = identity
        self._schedule = {key: scheduler_config[key] for key in _SCHEDULE_KEYS if scheduler_config.get(key) is not None}
        self._prediction = _prediction(self._schedule)
        self._alphas_cumprod = _alphas_cumprod(self._schedule)
        _check_clip_skip(identity.clip_skip, self._text_encoders)

    @property
    def identity(self) -> ModelIdentity:
        """See ``Backbone``."""
        return self._identity

    def with_clip_skip(self, clip_skip: int) -> "DiffusersBackbone":
        """The same model, sharing all of its parts, with another clip skip.

        Raises:
            UserError: if it leaves no layer.
        """
        identity = replace(self._identity, clip_skip=clip_skip)
        parts = self._unet, self._vae.model, self._text_encoders, self._tokenizer
        return DiffusersBackbone(*parts, self._schedule, identity)

    @property
    def prediction(self) -> Prediction:
        """See ``Backbone``."""
        return self._prediction

    @property
    def alphas_cumprod(self) -> Tensor:
        """See ``Backbone``."""
        return self._alphas_cumprod

    @property
    def device(self) -> torch.device:
        """See ``Backbone``."""
        return torch.device(self._unet.device)

    @property
    def dtype(self) -> torch.dtype:
        """See ``Backbone``."""
        dtype: torch.dtype = self._unet.dtype
        return dtype

    def token_tables(self) -> Mapping[str, Tensor]:
        """See ``Backbone``."""
        return {name: token_table(encoder) for name, encoder in self._text_encoders.items()}

    def tokenize(self, text: str) -> list[Token]:
        """See ``Backbone``."""
        return self._tokenizer.tokens(text)

    def token_text(self, token_id: int) -> str:
        """What a token of the vocabulary stands for, "" for a part of a character."""
        return self._tokenizer.text_of(token_id)

    def encode_images(self, pixels: Tensor) -> LatentDistribution:
        """See ``Backbone``."""
        return self._vae.encode(pixels)

    def encode_prompts(
        self,
        prompts: Sequence[str],
        embeddings: Mapping[str, Vectors],
        sizes: Sequence[tuple[int, int]] | None = None,  # noqa: ARG002 - SD 1.x is not conditioned on the size
        *,
        emphasis: bool = False,
    ) -> Conditioning:
        """See ``Backbone``.

        Raises:
            UserError: if emphasis is asked for, an embedding is longer than a chunk, or its vectors have not the
                width of this model's.
        """
        if emphasis:
            raise UserError(
                "Emphasis in captions is read by the WebUI's own prompt parser, and this model was loaded without it. "
                "Train in the WebUI, or turn 'Emphasis in captions' off."
            )
        check_embeddings(embeddings, self.token_tables(), self._identity.model_name)
        chunks = self._chunks(prompts, embeddings)
        flat = [chunk for of_prompt in chunks for chunk in of_prompt]
        contexts = []
        for name, encoder in self._text_encoders.items():
            vectors = {embedding: of_encoders[name] for embedding, of_encoders in embeddings.items()}
            encoded = encode_chunks(encoder, flat, vectors, self._identity.clip_skip)  # (B * K, 77, D)
            contexts.append(encoded.reshape(len(prompts), -1, encoded.shape[-1]))  # (B, K * 77, D)
        return Conditioning(torch.cat(contexts, dim=-1))

    def predict(self, x_t: Tensor, t: Tensor, conditioning: Conditioning) -> Tensor:
        """See ``Backbone``."""
        context = conditioning.context.to(self.dtype)
        output: Tensor = self._unet(x_t.to(self.dtype), t, encoder_hidden_states=context, return_dict=False)[0]
        return output.float()

    @torch.no_grad()
    def render(self, request: RenderRequest, embeddings: Mapping[str, Vectors]) -> Image.Image:
        """See ``Backbone``.

        Raises:
            UserError: if the size, the steps or the sampler is impossible, or the picture is not finite.
        """
        scale = self._vae.downscale
        check_request(request, scale, len(self._alphas_cumprod))
        prompts = [request.prompt] if request.guidance_scale == 1 else [request.negative_prompt, request.prompt]
        conditioning = self.encode_prompts(prompts, embeddings, [(request.width, request.height)] * len(prompts))
        scheduler = make_scheduler(request.sampler, self._schedule)
        shape = (self._unet.config.in_channels, request.height // scale, request.width // scale)
        return self._vae.decode(sample(self.predict, request, conditioning, scheduler, shape))

    def lend(self, checkpointing: Checkpointing = "auto") -> AbstractContextManager[None]:
        """See ``Backbone``. May be nested."""
        models = [self._unet, self._vae.model, *self._text_encoders.values()]
        return lend_modules(models, self._unet, wants_checkpointing(checkpointing, self.device, self.dtype))

    def give_way(self) -> None:
        """See ``Backbone``. Nobody else uses this model."""

    def _chunks(self, prompts: Sequence[str], embeddings: Mapping[str, Vectors]) -> list[list[Chunk]]:
        lengths = {name: len(next(iter(vectors.values()))) for name, vectors in embeddings.items()}
        return pad_chunks([chunk_prompt(prompt, lengths, self._tokenizer) for prompt in prompts], self._tokenizer)


def _prediction(schedule: Mapping[str, Any]) -> Prediction:
    names: dict[str, Prediction] = {"epsilon": "epsilon", "v_prediction": "v"}
    kind = schedule.get("prediction_type", "epsilon")
    if kind not in names:
        raise UserError(
            f"The model predicts '{kind}'; only 'epsilon' and 'v_prediction' can be trained. Use another model."
        )
    return names[kind]


def _alphas_cumprod(schedule: Mapping[str, Any]) -> Tensor:
    import diffusers

    scheduler: Any = diffusers.DDPMScheduler
    alphas: Tensor = scheduler(**schedule).alphas_cumprod
    return alphas.detach().to("cpu", torch.float32)


def _check_clip_skip(clip_skip: int, text_encoders: Mapping[str, nn.Module]) -> None:
    for name, encoder in text_encoders.items():
        layers = len(text_model(encoder).encoder.layers)
        if not 1 <= clip_skip <= layers:
            raise UserError(
                f"Clip skip must be between 1 and {layers}, the number of layers of text encoder '{name}', "
                f"got {clip_skip}."
            )
