"""What is needed to go on with a run exactly where it was: one small safetensors file."""

import json
import struct
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
from torch import Tensor

from train_gamma import atomic
from train_gamma.errors import UserError


@dataclass(frozen=True, slots=True)
class State:
    """A run after ``step`` optimizer steps.

    vectors: (n, D) per text encoder. optimizer: the optimizer's memory by name. skipped: steps that were drawn but
    not done because their loss was not finite. nonfinite: how many of these in a row just now. scale, good_steps: of
    the loss scale. seconds: time spent so far.
    """

    step: int
    skipped: int
    nonfinite: int
    scale: float
    good_steps: int
    seconds: float
    vectors: dict[str, Tensor]
    optimizer: dict[str, Tensor]


_NUMBERS = ("step", "skipped", "nonfinite", "scale", "good_steps", "seconds")


def save_state(path: Path, state: State) -> None:
    """Write the state atomically.

    Raises:
        OSError: if it cannot be written; the state before is then still there.
    """
    tensors = {f"vectors.{key}": value.detach().cpu().contiguous() for key, value in state.vectors.items()}
    tensors |= {f"optimizer.{key}": value.detach().cpu().contiguous() for key, value in state.optimizer.items()}
    numbers = {name: getattr(state, name) for name in _NUMBERS}
    atomic.write_bytes(path, safetensors.torch.save(tensors, {"state": json.dumps(numbers)}))


def load_state(path: Path) -> State:
    """Read a state.

    Raises:
        UserError: if there is none or it cannot be read.
    """
    if not path.is_file():
        raise UserError(f"'{path.parent}' has no saved state, so it cannot be resumed. Start the run again.")
    try:
        data = path.read_bytes()
        (header_size,) = struct.unpack("<Q", data[:8])
        content = json.loads(json.loads(data[8 : 8 + header_size])["__metadata__"]["state"])
        numbers = {name: content[name] for name in _NUMBERS}
        tensors = safetensors.torch.load(data)
    except (OSError, ValueError, KeyError, TypeError, struct.error, safetensors.SafetensorError) as error:
        raise UserError(f"'{path}' is damaged ({error}). Use a copy from the folder 'copies' beside it.") from error
    return State(
        **numbers,
        vectors=_below("vectors.", tensors),
        optimizer=_below("optimizer.", tensors),
    )


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
