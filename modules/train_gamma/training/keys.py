"""Random generators that are a pure function of what they are for.

Every draw of a run comes from a generator keyed by (seed, purpose, step, sample). So a draw does not depend on how many
were made before it: a resumed run, another batch size or a preview in between change nothing.
"""

import hashlib
import random

import torch
from torch import Tensor


def derive_seed(seed: int, purpose: str, *numbers: int) -> int:
    """A 63-bit seed from a run's seed, a purpose and any further numbers (BLAKE2b of their text)."""
    text = "/".join([str(seed), purpose, *map(str, numbers)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def text_generator(seed: int, purpose: str, *numbers: int) -> random.Random:
    """A Python generator for choices: templates, tag order, dropout, flips."""
    return random.Random(derive_seed(seed, purpose, *numbers))


def tensor_generator(seed: int, purpose: str, *numbers: int) -> torch.Generator:
    """A torch generator on the CPU, so that the same seed gives the same numbers on every device."""
    return torch.Generator("cpu").manual_seed(derive_seed(seed, purpose, *numbers))


def normal(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Standard normal numbers, float32 on the CPU."""
    return torch.randn(shape, generator=generator, dtype=torch.float32)
