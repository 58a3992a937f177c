"""Dynamic loss scaling for fp16 (Micikevicius et al. 2018, section 3.2, arXiv:1710.03740).

Small gradients vanish in half precision on their way back through the model. So the loss is multiplied by a large
power of two before the backward pass and the gradients, which arrive in fp32, are divided by it afterwards. The scale
is halved when a gradient overflows and doubled after a while without. The schedule is torch's GradScaler's; that class
itself differs between the torch versions of the hosts and does not run on every device.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

INITIAL_SCALE = 2.0**16
GROWTH_INTERVAL = 2000


@dataclass(slots=True)
class LossScale:
    """The current scale and how many steps have gone well with it."""

    enabled: bool
    scale: float = INITIAL_SCALE
    good_steps: int = 0

    @property
    def factor(self) -> float:
        """What to multiply the loss with."""
        return self.scale if self.enabled else 1.0

    @torch.no_grad()
    def unscale(self, vectors: Sequence[Tensor]) -> None:
        """Divide the gradients by the factor, before they are measured or clipped."""
        if self.enabled:
            for v in vectors:
                if v.grad is not None:
                    v.grad.div_(self.scale)

    def grow(self) -> None:
        """Note a good step; double the scale after ``GROWTH_INTERVAL`` of them."""
        self.good_steps += 1
        if self.enabled and self.good_steps >= GROWTH_INTERVAL:
            self.scale, self.good_steps = self.scale * 2, 0

    def back_off(self) -> bool:
        """Halve the scale after an overflow; False when there is nothing left to halve."""
        if not self.enabled or self.scale <= 1:
            return False
        self.scale, self.good_steps = self.scale / 2, 0
        return True
