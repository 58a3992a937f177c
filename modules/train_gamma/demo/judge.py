"""Says which attributes a picture shows, so that what a model paints can be measured.

A small convolutional network looks at the picture in 64 pixels along its shorter side and names the value of each
attribute. It was trained by ``tools/miniature/train_judge.py`` on drawings, also blurred, noisy and sent through the
autoencoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from train_gamma.demo.world import ATTRIBUTES, IDENTITY, Character
from train_gamma.errors import UserError

WEIGHTS = Path(__file__).with_name("judge.safetensors")

_SHORT_SIDE = 64


def _stage(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=2, padding=1),
        nn.GroupNorm(8, outputs),
        nn.SiLU(),
        nn.Conv2d(outputs, outputs, 3, padding=1, groups=8),
        nn.GroupNorm(8, outputs),
        nn.SiLU(),
    )


class Network(nn.Module):
    """The judge's network: pictures between -1 and 1 in, scores of all values of all attributes out."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.Sequential(_stage(5, 32), _stage(32, 64), _stage(64, 96), _stage(96, 128))
        self.narrow = nn.Conv2d(128, 24, 1)
        self.mix = nn.Linear(2 * 128 + 24 * 16, 192)
        self.heads = nn.ModuleDict({name: nn.Linear(192, len(each.values)) for name, each in ATTRIBUTES.items()})

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return for each attribute the scores of its values."""
        height, width = images.shape[-2:]
        short = min(height, width)
        # Where a pixel is tells a scarf from a hat: two channels count from the middle, in units of the shorter side.
        down = (torch.arange(height, device=images.device, dtype=images.dtype) - (height - 1) / 2) / short
        across = (torch.arange(width, device=images.device, dtype=images.dtype) - (width - 1) / 2) / short
        place = torch.stack(torch.meshgrid(down, across, indexing="ij")).expand(len(images), -1, -1, -1)
        seen = self.stages(torch.cat([images, 2 * place], dim=1))
        # What is somewhere in the picture, and roughly where: a head is tilted when one side is higher than the other.
        grid = nn.functional.adaptive_avg_pool2d(self.narrow(seen), 4)
        found = torch.cat([seen.mean((2, 3)), seen.amax((2, 3)), grid.flatten(1)], dim=1)
        mixed = nn.functional.silu(self.mix(found))
        return {name: head(mixed) for name, head in self.heads.items()}


def as_input(image: Image.Image) -> torch.Tensor:
    """Turn a picture of any size into the network's input, (3, height, width) between -1 and 1."""
    width, height = image.size
    if min(width, height) < 1:
        raise UserError("A picture without pixels cannot be judged.")
    factor = _SHORT_SIDE / min(width, height)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    image = image.convert("RGB")
    if size != image.size:
        image = image.resize(size, Image.Resampling.BOX if factor < 1 else Image.Resampling.BICUBIC)
    pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    return pixels.view(size[1], size[0], 3).permute(2, 0, 1).float() / 127.5 - 1


class Judge:
    """Names the attributes of pictures."""

    def __init__(self, network: Network) -> None:
        self._network = network.eval()

    @classmethod
    def load(cls, weights: Path = WEIGHTS) -> Judge:
        """Load the trained judge."""
        if not weights.is_file():
            raise UserError(f"The judge's weights are missing: {weights}")
        network = Network()
        network.load_state_dict({key: value.float() for key, value in load_file(weights).items()})
        return cls(network)

    @torch.no_grad()
    def attributes(self, images: Sequence[Image.Image]) -> list[dict[str, str]]:
        """Name the value of every attribute in each picture."""
        found: list[dict[str, str]] = [{} for _ in images]
        by_shape: dict[tuple[int, ...], list[tuple[int, torch.Tensor]]] = {}
        for index, image in enumerate(images):
            given = as_input(image)
            by_shape.setdefault(tuple(given.shape), []).append((index, given))
        for group in by_shape.values():
            for first in range(0, len(group), 64):
                part = group[first : first + 64]
                scores: dict[str, torch.Tensor] = self._network(torch.stack([given for _, given in part]))
                for name, attribute in ATTRIBUTES.items():
                    best = scores[name].argmax(1).tolist()
                    for (index, _), value in zip(part, best, strict=True):
                        found[index][name] = attribute.values[value]
        return found

    def identity(self, images: Sequence[Image.Image], character: Character) -> float:
        """Return the share of a character's identity that the pictures show, between 0 and 1."""
        if not images:
            raise UserError("There are no pictures to judge.")
        found = self.attributes(images)
        right = sum(shown[name] == character[name] for shown in found for name in IDENTITY)
        return right / (len(found) * len(IDENTITY))
