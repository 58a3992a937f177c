"""The checkpoint that the WebUI has loaded: which one it is, and whether it can be trained on.

Read in AUTOMATIC1111/stable-diffusion-webui, modules/sd_models.py, v1.6.0 to v1.9.4, and the fork
lshqqytiger/stable-diffusion-webui-amdgpu v1.10.1.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from train_gamma.errors import UserError
from train_gamma.hosts.weight_files import sha256_of

NOTHING_LOADED = (
    "The WebUI has no checkpoint loaded. Choose one in the checkpoint dropdown and wait until it is loaded."
)


def loaded_model() -> Any | None:
    """The loaded model, or None. Loads nothing."""
    from modules import sd_models

    return sd_models.model_data.sd_model


def model_for_a_run() -> Any:
    """The loaded model; one that is about to be loaded is waited for, or loaded now.

    Raises:
        UserError: if there is none.
    """
    from modules import shared

    sd_model = shared.sd_model
    if sd_model is None:
        raise UserError(NOTHING_LOADED)
    return sd_model


@dataclass(frozen=True, slots=True)
class Pin:
    """Which checkpoint it is that a run is made with. The WebUI may load another one into the very same object."""

    filename: str
    sha256: str | None

    @classmethod
    def of(cls, sd_model: Any) -> "Pin":
        """Remember the checkpoint that is loaded now."""
        info = sd_model.sd_checkpoint_info
        return cls(info.filename, info.sha256)

    def check(self, sd_model: Any | None) -> None:
        """See that it is still the same.

        Raises:
            UserError: if it is another one, or none.
        """
        if sd_model is not None and self._is_of(sd_model):
            return
        now = "none" if sd_model is None else f"'{Path(sd_model.sd_checkpoint_info.filename).name}'"
        raise UserError(
            f"The checkpoint was changed during the run: it was begun with '{Path(self.filename).name}', now {now} is "
            "loaded. What was trained is saved; load the first checkpoint again and resume the run."
        )

    def _is_of(self, sd_model: Any) -> bool:
        now = Pin.of(sd_model)
        hashes = {self.sha256, now.sha256} - {None}  # unknown as long as the WebUI has not taken it
        return now.filename == self.filename and len(hashes) < 2


def model_name(sd_model: Any) -> str:
    """The checkpoint's name: its file's, without the ending."""
    return Path(sd_model.sd_checkpoint_info.filename).stem


def model_hash(sd_model: Any) -> str:
    """The full sha256 of the checkpoint's file: as the WebUI knows it, or taken now when it runs with --no-hashing."""
    info = sd_model.sd_checkpoint_info
    return str(info.sha256) if info.sha256 else file_hash(Path(info.filename))


def file_hash(path: Path) -> str:
    """The full sha256 of a file; taken once as long as the file does not change."""
    found = path.stat()
    return _file_hash(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=16)
def _file_hash(path: Path, _mtime: int, _size: int) -> str:
    return sha256_of([path])


def problems(sd_model: Any | None) -> list[str]:
    """Why a model cannot be trained on: complete sentences, none when it can."""
    if sd_model is None:
        return [NOTHING_LOADED]
    kind = _kind_problem(sd_model)
    if kind:
        return [kind]  # what follows is about the parts of an SD 1.x model
    return [*_memory_problems(sd_model), *_precision_problems(sd_model), *_objective_problems(sd_model)]


def _kind_problem(sd_model: Any) -> str | None:
    name = model_name(sd_model)
    kinds = {"is_sdxl": "an SDXL", "is_sd2": "an SD 2.x", "is_sd3": "an SD 3"}
    kind = next((word for attribute, word in kinds.items() if getattr(sd_model, attribute, False)), None)
    text_encoder = type(getattr(sd_model, "cond_stage_model", None)).__name__
    if kind is None and text_encoder == _BEFORE_THE_HIJACK:
        return f"'{name}' is being loaded. Wait until it is there."
    if kind is None and text_encoder != _TEXT_ENCODER:
        kind = "no SD 1.x"
    if kind:
        return f"'{name}' is {kind} checkpoint; only SD 1.x can be trained on so far. Load an SD 1.x checkpoint."
    if getattr(sd_model.model, "conditioning_key", "crossattn") != "crossattn":
        return (
            f"'{name}' is an inpainting, depth or editing checkpoint: its UNet wants a picture besides the prompt. "
            "Train on the plain checkpoint it was made from; the embedding works in both."
        )
    return None


_TEXT_ENCODER = "FrozenCLIPEmbedderWithCustomWords"
_BEFORE_THE_HIJACK = "FrozenCLIPEmbedder"
"""The class of the text encoder as the WebUI wraps it, and as it is for a moment while weights are exchanged."""


def _memory_problems(sd_model: Any) -> Iterator[str]:
    from modules import shared

    if shared.cmd_opts.lowvram:
        yield (
            "The WebUI runs with --lowvram, which takes the UNet apart while it computes, so no gradient comes back. "
            "Start it with --medvram instead."
        )
    if any(parameter.device.type == "meta" for parameter in sd_model.parameters()):
        yield f"'{model_name(sd_model)}' was unloaded. Choose it in the checkpoint dropdown again."


def _precision_problems(sd_model: Any) -> Iterator[str]:
    dtypes = {parameter.dtype for parameter in sd_model.parameters()}
    odd = sorted(str(dtype).removeprefix("torch.") for dtype in dtypes if dtype not in _TRAINABLE)
    if odd:
        yield (
            f"The weights of '{model_name(sd_model)}' are kept as {', '.join(odd)}, too coarse for gradients. "
            "Turn 'FP8 weight' off in Settings > Optimizations, and load the checkpoint again."
        )


_TRAINABLE = (torch.float32, torch.float16, torch.bfloat16)


def _objective_problems(sd_model: Any) -> Iterator[str]:
    parameterization = getattr(sd_model, "parameterization", "eps")
    if parameterization not in ("eps", "v"):
        yield f"'{model_name(sd_model)}' predicts '{parameterization}'; only 'eps' and 'v' can be trained on."


def unet(sd_model: Any) -> Any:
    """The UNet itself."""
    return sd_model.model.diffusion_model


def token_table(sd_model: Any) -> Tensor:
    """(V, D) the text encoder's input embeddings, detached."""
    embeddings = sd_model.cond_stage_model.wrapped.transformer.text_model.embeddings
    table: Tensor = embeddings.token_embedding.wrapped.weight
    return table.detach()


def device() -> torch.device:
    """Where the WebUI computes, with an index, so that it equals the device of the tensors there."""
    from modules import devices

    found: torch.device = devices.device
    if found == torch.device("cuda"):
        return torch.device("cuda", torch.cuda.current_device())
    return found


def come_back(sd_model: Any) -> None:
    """Bring a model back that 'Unload SD checkpoint to RAM' has taken off the device."""
    from modules import sd_models

    if not getattr(sd_model, "lowvram", False) and next(unet(sd_model).parameters()).device.type != device().type:
        sd_models.send_model_to_device(sd_model)
