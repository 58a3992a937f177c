"""Generators are a function of what they are for."""

import numpy
import torch

from train_gamma.training.keys import derive_seed, normal, tensor_generator, text_generator


def test_the_same_key_gives_the_same_draws() -> None:
    assert text_generator(1, "flip", 2, 3).random() == text_generator(1, "flip", 2, 3).random()
    a, b = (normal((4, 3), tensor_generator(1, "noise", 2, 3)) for _ in range(2))
    assert a.equal(b)
    assert (a.dtype, a.device) == (torch.float32, torch.device("cpu"))


def test_every_part_of_a_key_counts() -> None:
    keys = [
        (1, "flip", 2, 3),
        (2, "flip", 2, 3),
        (1, "noise", 2, 3),
        (1, "flip", 3, 2),
        (1, "flip", 23),
    ]
    seeds = [derive_seed(*key) for key in keys]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_draws_do_not_touch_the_global_generator() -> None:
    before = torch.get_rng_state()
    normal((10,), tensor_generator(0, "noise"))
    assert torch.get_rng_state().equal(before)


def test_neighbouring_keys_are_unrelated() -> None:
    """The first draws of 2000 neighbouring keys are uniform: their deciles are even, and neighbours do not follow."""
    draws = numpy.array([text_generator(0, "flip", k // 4, k % 4).random() for k in range(2000)])
    counts = numpy.histogram(draws, bins=10, range=(0, 1))[0]
    assert ((counts - 200) ** 2 / 200).sum() < 33.7  # chi-square, 9 degrees of freedom, 1 in 10,000
    assert abs(numpy.corrcoef(draws[:-1], draws[1:])[0, 1]) < 0.1
