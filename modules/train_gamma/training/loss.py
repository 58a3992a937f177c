"""The loss of a batch."""

from torch import Tensor


def squared_error(predicted: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared error of each sample: (B, C, h, w), (B, C, h, w) -> (B,) float32."""
    return (predicted.float() - wanted.float()).square().mean(dim=(1, 2, 3))
