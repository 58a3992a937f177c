"""The loaded model on loan: made ready for a run, and given back."""

from contextlib import ExitStack
from typing import Any

from train_gamma.backbone import Checkpointing
from train_gamma.hosts import webui_leftovers
from train_gamma.hosts.loan import frozen, wants_checkpointing
from train_gamma.hosts.webui_attention import Attention
from train_gamma.hosts.webui_model import come_back, device, unet
from train_gamma.hosts.webui_unet import blocks_checkpointed, on_the_device


class Loan:
    """One ``lend`` of a backbone. It can be interrupted to let others use the model, and taken up again."""

    def __init__(self, checkpointing: Checkpointing, attention: Attention) -> None:
        """Change nothing yet.

        Args:
            checkpointing: of the UNet.
            attention: of the run.
        """
        self._checkpointing = checkpointing
        self._attention = attention
        self._held = ExitStack()

    def begin(self, sd_model: Any) -> None:
        """Freeze the model, as it is in its file, and have it compute in a way that gives gradients.

        Raises:
            UserError: if no gradient comes back through it.
        """
        with ExitStack() as stack:
            come_back(sd_model)
            webui_leftovers.reset(sd_model)
            stack.enter_context(frozen([sd_model]))
            stack.enter_context(on_the_device(sd_model))
            parameter = next(unet(sd_model).parameters())
            recompute = wants_checkpointing(self._checkpointing, device(), parameter.dtype)
            stack.enter_context(blocks_checkpointed(sd_model, recompute))
            stack.enter_context(self._attention.with_gradient(sd_model))
            self._held = stack.pop_all()

    def end(self) -> None:
        """Put everything back. May be called again."""
        self._held.close()
