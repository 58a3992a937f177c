"""Empty models of the libraries, filled with weights: nothing is left at random."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from train_gamma.errors import UserError

FindWeight = Callable[[str], Tensor | None]
"""The weight of a parameter name, or None."""


def build(make: Callable[[], nn.Module], find: FindWeight, what: str, dtype: torch.dtype, device: torch.device) -> Any:
    """Make a model and give it its weights.

    Args:
        make: constructor; called on the meta device, so that no time is spent on random numbers.
        find: where the weights come from.
        what: names part and file in an error.
        dtype: precision of the model.
        device: where it goes.

    Returns:
        The model, frozen and in eval mode.

    Raises:
        UserError: if a weight is missing or has another shape.
    """
    with torch.device("meta"):
        model = make()
    weights = {
        name: _fitting(name, parameter, find(name), what).to(device, dtype)
        for name, parameter in model.named_parameters()
    }
    model.load_state_dict(weights, strict=False, assign=True)
    _fill_positions(model)
    return model.to(device).eval().requires_grad_(False)


def _fitting(name: str, parameter: Tensor, weight: Tensor | None, what: str) -> Tensor:
    if weight is None:
        raise UserError(f"{what} lacks the weight '{name}'. The file is not complete, or not of the model's shape.")
    # ldm writes some linear layers as 1 x 1 convolutions
    is_convolution = parameter.ndim == 2 and weight.ndim > 2 and weight.shape[2:].numel() == 1
    fitting = weight.flatten(1) if is_convolution else weight
    if fitting.shape != parameter.shape:
        raise UserError(
            f"{what}: the weight '{name}' has the shape {tuple(weight.shape)}, not {tuple(parameter.shape)}. "
            "A model that is not shaped like SD 1.5 needs its .yaml beside it, with the same name."
        )
    return fitting


def _fill_positions(model: nn.Module) -> None:
    """Make the one buffer that CLIP has: 0, 1, 2, ...; files do not have it, or have it damaged by merging."""
    for module in model.modules():
        positions: Any = module._buffers.get("position_ids")
        if positions is not None and positions.is_meta:
            module._buffers["position_ids"] = torch.arange(positions.shape[-1])[None]


def by_names(weights: Mapping[str, Tensor], keys: Callable[[str], tuple[str, ...]]) -> FindWeight:
    """Look a weight up under the first of its possible keys that is there."""

    def find(name: str) -> Tensor | None:
        return next((weights[key] for key in keys(name) if key in weights), None)

    return find
