"""Lending by path, for Forge and reForge: our own copy of the checkpoint that the WebUI has chosen.

Their loaded model cannot be trained through (its weights are inference tensors), so the file is loaded once more with
the loader of the stand-alone program, and the WebUI's GPU work waits in its main thread meanwhile.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from train_gamma.backbone import Backbone
from train_gamma.errors import UserError
from train_gamma.host import LoadedModel
from train_gamma.hosts.load_checkpoint import load_backbone
from train_gamma.hosts.loaded_models import LoadedModels
from train_gamma.hosts.turns import with_turns
from train_gamma.hosts.webui_forge import turn_of, unload
from train_gamma.training.config import ModelConfig
from train_gamma.training.events import Control

if TYPE_CHECKING:
    from train_gamma.hosts.diffusers_backbone import DiffusersBackbone

LOOKED_AT = LoadedModels()
"""The checkpoint that was looked at last. One for the program, so that two looks at a time load one model."""


def describe_loaded() -> LoadedModel:
    """The checkpoint that is chosen; the VAE is always the checkpoint's own unless a run names another."""
    from modules import shared

    chosen = _chosen_checkpoint()
    if chosen is None:
        return LoadedModel("", problems=("No checkpoint is chosen. Choose one at the top of the page.",))
    return LoadedModel(str(chosen.title), clip_skip=int(getattr(shared.opts, "CLIP_stop_at_last_layers", 1)))


def look(model: ModelConfig) -> Backbone:
    """The chosen checkpoint for looking only, kept in the computer's memory.

    Raises:
        UserError: if none is chosen, or it cannot be read.
    """
    model = resolved(model)
    backbone = LOOKED_AT.get(replace(model, device="cpu", precision="fp32", clip_skip=1))
    return backbone if model.clip_skip == 1 else cast("DiffusersBackbone", backbone).with_clip_skip(model.clip_skip)


@contextmanager
def borrowed(model: ModelConfig, control: Control) -> Iterator[Backbone]:
    """Our own copy of the chosen checkpoint, with the WebUI's GPU work waiting.

    Raises:
        UserError: if none is chosen, it cannot be read, or the job is stopped before it is its turn.
    """
    model = resolved(model)
    with turn_of(control) as turn:
        unload()
        backbone = load_backbone(model)

        def give_way() -> None:
            if turn.is_over():
                turn.pass_on()
                unload()

        yield with_turns(backbone, give_way)


def resolved(model: ModelConfig) -> ModelConfig:
    """``model`` with the path of the chosen checkpoint, if it names none itself.

    Raises:
        UserError: if no checkpoint is chosen either.
    """
    if model.path:
        return model
    chosen = _chosen_checkpoint()
    if chosen is None:
        raise UserError("No checkpoint is chosen. Choose one at the top of the page.")
    return replace(model, path=str(chosen.filename))


def _chosen_checkpoint() -> Any:
    from modules import sd_models, shared

    title = getattr(shared.opts, "sd_model_checkpoint", None)
    found = sd_models.get_closet_checkpoint_match(title) if title else None
    return found or next(iter(sd_models.checkpoints_list.values()), None)
