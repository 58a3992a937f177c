from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from train_gamma.dataset.buckets import Bucket
from train_gamma.dataset.order import Order

BUCKETS = [Bucket(64, 64), Bucket(64, 128), Bucket(128, 64), Bucket(96, 80)]
MIXES = st.lists(st.sampled_from(BUCKETS), min_size=1, max_size=25)


def mix(*counts):
    return [bucket for bucket, count in zip(BUCKETS, counts, strict=False) for _ in range(count)]


def stream(order, steps):
    """All visits of the first steps, in the order of the stream."""
    visits = []
    for step in range(steps):
        visits += sorted(
            (visit for batch in order.microbatches(step) for visit in batch), key=lambda visit: visit.position
        )
    return visits


@given(MIXES, st.integers(1, 6), st.integers(1, 30), st.integers(0, 9))
def test_every_picture_comes_exactly_once_an_epoch(buckets, batch_size, samples, seed):
    order = Order(buckets, batch_size, samples, seed)
    visits = stream(order, 3 * len(buckets) // samples + 1)
    for start in range(0, len(visits) - len(buckets) + 1, len(buckets)):
        epoch = visits[start : start + len(buckets)]
        assert sorted(visit.index for visit in epoch) == list(range(len(buckets)))
        assert {visit.epoch for visit in epoch} == {start // len(buckets)}


@given(MIXES, st.integers(1, 6), st.integers(1, 30), st.integers(0, 9), st.integers(0, 20))
def test_a_step_has_all_its_samples_in_batches_of_one_bucket(buckets, batch_size, samples, seed, step):
    batches = Order(buckets, batch_size, samples, seed).microbatches(step)
    assert sorted(visit.position for batch in batches for visit in batch) == list(range(samples))
    assert all(1 <= len(batch) <= batch_size for batch in batches)
    assert all(len({buckets[visit.index] for visit in batch}) == 1 for batch in batches)
    counts = Counter(buckets[visit.index] for batch in batches for visit in batch)
    assert len(batches) == sum(-(-count // batch_size) for count in counts.values())  # as few as there can be


@given(MIXES, st.integers(1, 6), st.integers(1, 12), st.integers(0, 9))
def test_the_epoch_of_a_step_is_that_of_its_first_sample(buckets, batch_size, samples, seed):
    order = Order(buckets, batch_size, samples, seed)
    for step in (0, 1, 5):
        first = next(visit for batch in order.microbatches(step) for visit in batch if visit.position == 0)
        assert order.epoch_of(step) == first.epoch


def test_a_step_depends_on_nothing_but_seed_and_number():
    buckets = mix(7, 5, 3, 1)
    forward = [Order(buckets, 4, 4, 1).microbatches(step) for step in range(12)]
    order = Order(buckets, 4, 4, 1)
    assert [order.microbatches(step) for step in reversed(range(12))] == forward[::-1]
    assert [Order(buckets, 4, 4, 2).microbatches(step) for step in range(12)] != forward


def test_epochs_differ_from_each_other():
    visits = stream(Order(mix(12), 4, 12, 0), 3)
    orders = {tuple(visit.index for visit in visits[start : start + 12]) for start in (0, 12, 24)}
    assert len(orders) == 3


@pytest.mark.parametrize("counts", [(9,), (8, 4, 12), (1,), (3,)])
def test_batches_are_full_where_the_numbers_allow_it(counts):
    order = Order(mix(*counts), 4, 4, 0)
    assert all([len(batch) for batch in order.microbatches(step)] == [4] for step in range(40))


def test_most_batches_are_full_in_an_ugly_mix():
    order = Order(mix(11, 9, 6, 1), 4, 4, 0)  # 27 pictures: epochs begin in the middle of a step
    sizes = [len(batch) for step in range(270) for batch in order.microbatches(step)]
    assert sum(sizes) == 270 * 4
    assert sizes.count(4) > len(sizes) / 2


def test_a_full_batch_step_is_one_pass_over_the_pictures():
    buckets = mix(7, 3, 1)
    order = Order(buckets, 4, len(buckets), 0)
    for step in range(5):
        batches = order.microbatches(step)
        assert sorted(visit.index for batch in batches for visit in batch) == list(range(11))
        assert sorted(len(batch) for batch in batches) == [1, 3, 3, 4]
        assert order.epoch_of(step) == step


def test_accumulation_crosses_epochs():
    visits = stream(Order(mix(3), 2, 5, 0), 3)
    assert [visit.epoch for visit in visits] == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3 + [4] * 3


def test_first_places_are_shared_evenly():
    buckets = mix(6, 2)
    firsts = Counter(stream(Order(buckets, 1, 8, seed), 1)[0].index for seed in range(800))
    assert len(firsts) == 8
    assert all(60 <= count <= 140 for count in firsts.values())  # 100 expected, standard deviation 9.4
