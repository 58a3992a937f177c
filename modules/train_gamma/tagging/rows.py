"""What a model says of one picture, as little as is needed of it.

Of ten thousand labels a picture shows some fifty. Only those that were seen at all are kept, with their exact
probability, so that captions from the cache are those of the model itself.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train_gamma.tagging.interrogator import Floats
from train_gamma.tagging.thresholds import SEEN

_INDEX, _VALUE = np.dtype("<u4"), np.dtype("<f4")
_BYTES = _INDEX.itemsize + _VALUE.itemsize


@dataclass(frozen=True, slots=True)
class Row:
    """The labels of one picture: ascending ``indices`` (K,) and their ``values`` (K,), 0..1."""

    indices: NDArray[np.uint32]
    values: Floats

    def dense(self, num_labels: int) -> Floats:
        """(T,) probabilities, 0 for what is not kept."""
        full = np.zeros(num_labels, np.float32)
        full[self.indices] = self.values
        return full


def row_of(probabilities: Floats) -> Row:
    """Keep what was seen at all of (T,) probabilities."""
    (indices,) = np.nonzero(probabilities >= np.float32(SEEN))
    return Row(indices.astype(np.uint32), probabilities[indices].astype(np.float32))


def packed(row: Row) -> bytes:
    """As bytes: the indices, then the values."""
    return row.indices.astype(_INDEX).tobytes() + row.values.astype(_VALUE).tobytes()


def unpacked(data: bytes, num_labels: int) -> Row | None:
    """From bytes; None if they are no row of so many labels."""
    count, rest = divmod(len(data), _BYTES)
    if rest:
        return None
    indices = np.frombuffer(data, _INDEX, count)
    values: Floats = np.frombuffer(data, _VALUE, count, offset=count * _INDEX.itemsize)
    ascending = bool((indices[1:] > indices[:-1]).all()) and (count == 0 or int(indices[-1]) < num_labels)
    if not ascending or not bool(((values >= np.float32(SEEN)) & (values <= 1)).all()):
        return None
    return Row(indices.astype(np.uint32), values.astype(np.float32))
