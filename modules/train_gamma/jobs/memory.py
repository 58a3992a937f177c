"""How much memory is in use: the GPU's when there is one, else that of this process."""

import os
from pathlib import Path

import torch

_STATM = Path("/proc/self/statm")


def memory_in_use() -> int | None:
    """Bytes held by tensors on the GPU, or by this process on Linux; None where it is not known."""
    if _gpu_is_used():
        return torch.cuda.memory_allocated()
    try:
        resident = int(_STATM.read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return resident * os.sysconf("SC_PAGE_SIZE")


def begin_peak() -> None:
    """Let the GPU's peak begin at what is in use now."""
    if _gpu_is_used():
        torch.cuda.reset_peak_memory_stats()


def gpu_peak() -> int | None:
    """The most bytes held by tensors on the GPU since ``begin_peak``; None without a GPU."""
    if _gpu_is_used():
        return torch.cuda.max_memory_allocated()
    return None


def gpu_is_there() -> bool:
    """Whether torch finds a GPU in this machine."""
    return torch.cuda.is_available() or torch.backends.mps.is_available()


def _gpu_is_used() -> bool:
    """Whether this program has begun to use a GPU; asking does not begin it."""
    return torch.cuda.is_available() and bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]
