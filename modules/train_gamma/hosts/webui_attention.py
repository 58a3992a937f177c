"""Whether the attention that the WebUI has chosen gives the right gradient, and plain attention where it does not.

Some optimised attentions give no gradient, or one that is far too small, on some cards (issues 7264, 7567, 6483 of
AUTOMATIC1111/stable-diffusion-webui). They are tried out on a small input before a run, against plain attention.
"""

import importlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from train_gamma.errors import UserError
from train_gamma.hosts.webui_model import device, token_table
from train_gamma.hosts.webui_unet import predict

_PATCHED = (
    ("ldm.modules.attention", "CrossAttention.forward"),
    ("ldm.modules.diffusionmodules.model", "AttnBlock.forward"),
    ("ldm.modules.diffusionmodules.model", "nonlinearity"),
    ("sgm.modules.attention", "CrossAttention.forward"),
    ("sgm.modules.diffusionmodules.model", "AttnBlock.forward"),
    ("sgm.modules.diffusionmodules.model", "nonlinearity"),
)
"""What ``undo_optimizations`` of modules/sd_hijack.py sets to plain functions, in v1.6.0 to v1.10.1."""

_log = logging.getLogger("train_gamma")

_LEAST_COSINE = 0.95
_NORM_RATIO = (0.5, 2.0)
"""How far the gradient may be from that of plain attention: room for fp16, none for a wrong direction or size."""


class Attention:
    """The attention of a run: the WebUI's own where its gradient is right, plain elsewhere."""

    def __init__(self) -> None:
        self._verdicts: dict[tuple[Any, ...], bool] = {}

    @contextmanager
    def with_gradient(self, sd_model: Any) -> Iterator[None]:
        """Have an attention that gives the right gradient; the WebUI's own is back at the end.

        Raises:
            UserError: if there is none.
        """
        chosen = tuple(_patched())
        if chosen not in self._verdicts:
            wrong = _what_is_wrong(sd_model)
            self._verdicts[chosen] = not wrong
            if wrong:
                _log.warning("The run uses plain attention, as the WebUI's cross attention optimization %s.", wrong)
        if self._verdicts[chosen]:
            yield
            return
        with plain_attention():
            yield


@contextmanager
def plain_attention() -> Iterator[None]:
    """Take the WebUI's attention optimisation away for a while."""
    from modules import sd_hijack

    before = _patched()
    try:
        sd_hijack.undo_optimizations()
        yield
    finally:
        for (module, path), value in zip(_PATCHED, before, strict=True):
            owner, name = _owner(module, path)
            setattr(owner, name, value)


def _what_is_wrong(sd_model: Any) -> str:
    """Compare the gradient with that of plain attention, whose own has to be one: what is wrong with it, "" if nothing.

    Raises:
        UserError: if plain attention gives no gradient either.
    """
    with plain_attention():
        plain = _gradient(sd_model)
    if not _is_gradient(plain):
        raise UserError(
            "No gradient comes back through the loaded model, even without attention optimisation. Another extension "
            "may have patched it: restart the WebUI without other extensions (--disable-all-extensions) and try again."
        )
    try:
        optimised = _gradient(sd_model)
    except RuntimeError as error:  # whatever torch or the optimisation raises that has no way back
        if _is_out_of_memory(error):
            raise
        return f"fails ({type(error).__name__}: {error})"
    if not _is_gradient(optimised):
        return "gives no gradient"
    ratio = float(optimised.norm() / plain.norm())
    cosine = float(torch.nn.functional.cosine_similarity(optimised, plain, dim=0))
    if cosine > _LEAST_COSINE and _NORM_RATIO[0] < ratio < _NORM_RATIO[1]:
        return ""
    return f"gives a wrong gradient ({ratio:.3g} times as long as the right one, at a cosine of {cosine:.3g} to it)"


def _gradient(sd_model: Any) -> Tensor:
    """The gradient of a small picture's prediction with respect to what the UNet is told, flat and in float32.

    A single zero if nothing leads back.
    """
    generator = torch.Generator().manual_seed(0)
    told = torch.randn(1, 77, token_table(sd_model).shape[1], generator=generator).to(device()).requires_grad_(True)
    x_t = torch.randn(1, 4, 16, 16, generator=generator).to(device())
    probe = torch.randn(1, 4, 16, 16, generator=generator).to(device())
    with torch.enable_grad():
        predicted = predict(sd_model, x_t, torch.tensor([500], device=device()), told)
        if not predicted.requires_grad:
            return torch.zeros(1)
        found = torch.autograd.grad((predicted * probe).sum(), told, allow_unused=True)[0]
    return torch.zeros(1) if found is None else found.detach().float().flatten()


def _is_out_of_memory(error: RuntimeError) -> bool:
    """Known by its class on CUDA, and by its words elsewhere."""
    cuda = getattr(torch.cuda, "OutOfMemoryError", None)
    return (cuda is not None and isinstance(error, cuda)) or "out of memory" in str(error).lower()


def _is_gradient(gradient: Tensor) -> bool:
    return bool(gradient.isfinite().all()) and float(gradient.abs().max()) > 0


def _patched() -> list[Any]:
    found = []
    for module, path in _PATCHED:
        owner, name = _owner(module, path)
        found.append(vars(owner)[name])
    return found


def _owner(module: str, path: str) -> tuple[Any, str]:
    """The class or module that an attribute belongs to, and the attribute's own name."""
    owner = importlib.import_module(module)
    *classes, name = path.split(".")
    for cls in classes:
        owner = getattr(owner, cls)
    return owner, name
