"""The checkpoint that AUTOMATIC1111's WebUI has loaded, behind the ``Backbone`` contract."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from train_gamma.backbone import (
    Backbone,
    Checkpointing,
    Conditioning,
    LatentDistribution,
    ModelIdentity,
    Prediction,
    RenderRequest,
    Token,
    Vectors,
)
from train_gamma.errors import UserError, raise_all
from train_gamma.host import LoadedModel
from train_gamma.hosts import webui_leftovers, webui_render, webui_unet
from train_gamma.hosts.clip_tokenizer import ClipTokenizer
from train_gamma.hosts.embedding_fit import check_embeddings
from train_gamma.hosts.webui_attention import Attention
from train_gamma.hosts.webui_loan import Loan
from train_gamma.hosts.webui_model import (
    Pin,
    come_back,
    device,
    loaded_model,
    model_for_a_run,
    model_hash,
    model_name,
    problems,
    token_table,
    unet,
)
from train_gamma.hosts.webui_queue import Turn, our_turn
from train_gamma.hosts.webui_text import PromptReader, known
from train_gamma.hosts.webui_vae import RunVae, loaded_vae
from train_gamma.training.config import ModelConfig
from train_gamma.training.events import Control


def look(model: ModelConfig | None = None) -> Backbone:
    """The loaded model for looking only: identity, token tables, ``tokenize`` and ``token_text``. Waits for nobody.

    Raises:
        UserError: if no model is loaded, or it cannot be trained on.
    """
    sd_model = loaded_model()
    raise_all(problems(sd_model))
    return WebuiBackbone(sd_model, model or ModelConfig())


@contextmanager
def borrowed(model: ModelConfig, control: Control) -> Iterator[Backbone]:
    """The loaded model for one job, which waits for its turn in the WebUI's queue.

    Raises:
        UserError: if it cannot be trained on, or the job was stopped before it was its turn.
    """
    with our_turn(control) as turn:
        sd_model = model_for_a_run()
        raise_all(problems(sd_model))
        yield WebuiBackbone(sd_model, model, turn)


def describe_loaded() -> LoadedModel:
    """The loaded model for people to see. Loads nothing and waits for nobody."""
    from modules import shared

    sd_model, vae = loaded_model(), loaded_vae()
    return LoadedModel(
        title="" if sd_model is None else sd_model.sd_checkpoint_info.title,
        vae="" if vae is None else vae.stem,
        clip_skip=int(shared.opts.CLIP_stop_at_last_layers),
        problems=problems(sd_model),
        notes=[] if sd_model is None else webui_leftovers.found(sd_model),
    )


class WebuiBackbone:
    """Lends the model that the WebUI has loaded. The model's parts are looked up at each call: they may be replaced."""

    def __init__(self, sd_model: Any, model: ModelConfig, turn: Turn | None = None) -> None:
        """Remember which model it is; nothing of it is changed.

        Args:
            sd_model: the loaded model, which can be trained on.
            model: VAE and clip skip of the run; the rest is the WebUI's matter.
            turn: the time in which the run has the model; None for looking only.

        Raises:
            UserError: if the VAE does not exist, or clip skip leaves no layer.
        """
        self._pin = Pin.of(sd_model)
        self._turn = turn
        self._vae = RunVae(model.vae)
        self._identity = _identity(sd_model, self._vae, model.clip_skip)
        self._reader = PromptReader.now(model.clip_skip)
        self._alphas_cumprod = webui_unet.alphas_cumprod(sd_model)
        self._attention = Attention()
        self._loans: list[Loan] = []
        _check_clip_skip(model.clip_skip, sd_model)

    @property
    def identity(self) -> ModelIdentity:
        """See ``Backbone``."""
        return self._identity

    @property
    def prediction(self) -> Prediction:
        """See ``Backbone``."""
        return "v" if getattr(self._model(), "parameterization", "eps") == "v" else "epsilon"

    @property
    def alphas_cumprod(self) -> Tensor:
        """See ``Backbone``."""
        return self._alphas_cumprod

    @property
    def device(self) -> torch.device:
        """See ``Backbone``."""
        return device()

    @property
    def dtype(self) -> torch.dtype:
        """See ``Backbone``."""
        dtype: torch.dtype = next(unet(self._model()).parameters()).dtype
        return dtype

    def token_tables(self) -> Mapping[str, Tensor]:
        """See ``Backbone``."""
        return {"clip_l": token_table(self._model())}

    def tokenize(self, text: str) -> list[Token]:
        """See ``Backbone``."""
        return self._tokenizer().tokens(text)

    def token_text(self, token_id: int) -> str:
        """What a token of the vocabulary stands for, "" for a part of a character."""
        return self._tokenizer().text_of(token_id)

    def encode_images(self, pixels: Tensor) -> LatentDistribution:
        """See ``Backbone``."""
        try:
            return self._vae.encode(self._model(), pixels)
        finally:
            if not self._loans:
                self._vae.put_back()

    def encode_prompts(
        self,
        prompts: Sequence[str],
        embeddings: Mapping[str, Vectors],
        sizes: Sequence[tuple[int, int]] | None = None,  # noqa: ARG002 - SD 1.x is not conditioned on the size
        *,
        emphasis: bool = False,
    ) -> Conditioning:
        """See ``Backbone``. A name is found wherever its tokens are, as the WebUI finds it in prompts."""
        sd_model = self._model()
        check_embeddings(embeddings, self.token_tables(), self._identity.model_name)
        return Conditioning(self._reader.encode(sd_model, prompts, embeddings, emphasis=emphasis))

    def predict(self, x_t: Tensor, t: Tensor, conditioning: Conditioning) -> Tensor:
        """See ``Backbone``."""
        return webui_unet.predict(self._model(), x_t, t, conditioning.context)

    def render(self, request: RenderRequest, embeddings: Mapping[str, Vectors]) -> Image.Image:
        """See ``Backbone``. The prompt is read as txt2img reads it, and decoded with the VAE that the WebUI has loaded.

        Raises:
            UserError: if the request is impossible, or the picture was interrupted.
        """
        sd_model = self._model()
        check_embeddings(embeddings, self.token_tables(), self._identity.model_name)
        self._vae.put_back()
        try:
            with self._reader.pinned(emphasis=True), known(embeddings, sd_model):
                return webui_render.render(request, self._reader.clip_skip)
        finally:
            webui_leftovers.reset(sd_model)  # of this very picture

    @contextmanager
    def lend(self, checkpointing: Checkpointing = "auto") -> Iterator[None]:
        """See ``Backbone``. May be nested."""
        loan = Loan(checkpointing, self._attention)
        self._loans.append(loan)
        with ExitStack() as at_the_end:  # each of these, in reverse, whatever the others raise
            at_the_end.callback(self._loans.pop)
            at_the_end.callback(loan.end)
            at_the_end.callback(self._vae.put_back)
            loan.begin(self._model())
            yield

    def give_way(self) -> None:
        """See ``Backbone``."""
        come_back(self._model())
        if self._turn is None or not self._turn.is_over():
            return
        with ExitStack() as before_others:
            for loan in self._loans:
                before_others.callback(loan.end)
            before_others.callback(self._vae.put_back)
        self._turn.pass_on()
        sd_model = self._model()
        raise_all(problems(sd_model))
        for loan in self._loans:
            loan.begin(sd_model)

    def _model(self) -> Any:
        """The model of the run, as it is now."""
        sd_model = loaded_model()
        self._pin.check(sd_model)
        return sd_model

    def _tokenizer(self) -> ClipTokenizer:
        return ClipTokenizer(self._model().cond_stage_model.wrapped.tokenizer)


def _identity(sd_model: Any, vae: RunVae, clip_skip: int) -> ModelIdentity:
    vae_name, vae_hash = vae.identity(sd_model)
    return ModelIdentity("sd1", model_name(sd_model), model_hash(sd_model), vae_name, vae_hash, clip_skip)


def _check_clip_skip(clip_skip: int, sd_model: Any) -> None:
    layers = len(sd_model.cond_stage_model.wrapped.transformer.text_model.encoder.layers)
    if not 1 <= clip_skip <= layers:
        raise UserError(
            f"Clip skip must be between 1 and {layers}, the number of layers of the text encoder, got {clip_skip}."
        )
