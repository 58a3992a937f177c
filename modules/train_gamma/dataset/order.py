"""Which pictures a step visits: a pure function of the seed and the step."""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from train_gamma.dataset.buckets import Bucket

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Visit:
    """One picture in one step.

    Attributes:
        index: the picture.
        position: its place in the step, 0..samples_per_step-1; what noise, timestep and prompt are drawn by.
        epoch: how many times it was visited before.
    """

    index: int
    position: int
    epoch: int


class Order:
    """An endless stream of visits, epoch after epoch, cut into steps.

    In an epoch every picture comes exactly once. Step s takes the visits s * N to (s + 1) * N of the stream, where N is
    ``samples_per_step``, whether or not an epoch ends among them: nobody is repeated to fill a batch and nobody is left
    out. So every picture weighs the same, however the sizes are mixed.
    """

    def __init__(self, buckets: Sequence[Bucket], batch_size: int, samples_per_step: int, seed: int) -> None:
        """Describe the stream.

        Args:
            buckets: the bucket of each picture.
            batch_size: how many pictures go through the model at once, at most.
            samples_per_step: how many pictures are one step.
            seed: of the run.
        """
        if not buckets or batch_size < 1 or samples_per_step < 1:
            raise ValueError("an order needs pictures, a batch size and samples per step")
        self._buckets = tuple(buckets)
        self._batch_size = batch_size
        self._samples_per_step = samples_per_step
        self._seed = seed
        self._epochs: dict[int, tuple[int, ...]] = {}

    def microbatches(self, step: int) -> list[list[Visit]]:
        """The visits of a step, counted from 0, in batches of one bucket each and at most ``batch_size`` pictures."""
        groups: dict[Bucket, list[Visit]] = defaultdict(list)
        for visit in self._visits(step):
            groups[self._buckets[visit.index]].append(visit)
        return [batch for group in groups.values() for batch in _chunks(group, self._batch_size)]

    def epoch_of(self, step: int) -> int:
        """The epoch that a step begins in, counted from 0."""
        return step * self._samples_per_step // len(self._buckets)

    def _visits(self, step: int) -> list[Visit]:
        first = step * self._samples_per_step
        visits = []
        for position in range(self._samples_per_step):
            epoch, place = divmod(first + position, len(self._buckets))
            visits.append(Visit(self._epoch(epoch)[place], position, epoch))
        return visits

    def _epoch(self, epoch: int) -> tuple[int, ...]:
        if epoch not in self._epochs:
            self._epochs = {key: value for key, value in self._epochs.items() if key == epoch - 1}
            self._epochs[epoch] = self._permutation(epoch)
        return self._epochs[epoch]

    def _permutation(self, epoch: int) -> tuple[int, ...]:
        """One epoch: whole batches of one bucket wherever a batch of a step begins, the rests at the end.

        When the epoch begins in the middle of a batch, a piece that completes it comes first.
        """
        rng = random.Random(f"order/{self._seed}/{epoch}")
        size = min(self._batch_size, self._samples_per_step)
        groups = self._shuffled_groups(rng)
        missing = -(epoch * len(self._buckets) % self._samples_per_step) % size
        lead = _take_lead(groups, missing, size, rng)
        chunks = [chunk for group in groups for chunk in _chunks(group, size)]
        rng.shuffle(chunks)
        chunks.sort(key=lambda chunk: len(chunk) < size)  # stable: full ones first, each kind in drawn order
        return tuple(lead + [index for chunk in chunks for index in chunk])

    def _shuffled_groups(self, rng: random.Random) -> list[list[int]]:
        groups: dict[Bucket, list[int]] = defaultdict(list)
        for index, bucket in enumerate(self._buckets):
            groups[bucket].append(index)
        for group in groups.values():
            rng.shuffle(group)
        return list(groups.values())


def _take_lead(groups: list[list[int]], missing: int, size: int, rng: random.Random) -> list[int]:
    """Take ``missing`` pictures of one bucket out of ``groups``, if one has so many; rather from its rest."""
    spare = [group for group in groups if len(group) % size >= missing] or [g for g in groups if len(g) >= missing]
    if not missing or not spare:
        return []
    group = rng.choice(spare)
    lead = group[:missing]
    del group[:missing]
    return lead


def _chunks(items: list[T], size: int) -> list[list[T]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
