"""What every test starts with: one thread, and global random states that no test can leave changed."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait by spinning slow everything beside them down

import random
from collections.abc import Iterator

import numpy
import pytest
import torch

torch.set_num_threads(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--webui", default=None, help="folder of a WebUI, for the tests in tests/host")
    parser.addoption("--path-python", default=None, help="a Python with diffusers, to compare tests/host with")
    parser.addoption("--shots", default=None, help="folder for the screenshots of browser tests")


@pytest.fixture(autouse=True)
def _global_state() -> Iterator[None]:
    """Give every test the same global generators, and put generators, dtype and gradient mode back after it."""
    before = torch.get_rng_state(), numpy.random.get_state(), random.getstate()
    dtype, grad = torch.get_default_dtype(), torch.is_grad_enabled()
    torch.manual_seed(0)
    numpy.random.seed(0)
    random.seed(0)
    yield
    torch.set_rng_state(before[0])
    numpy.random.set_state(before[1])
    random.setstate(before[2])
    torch.set_default_dtype(dtype)
    torch.set_grad_enabled(grad)
