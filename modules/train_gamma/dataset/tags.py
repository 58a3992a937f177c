"""The tags of a dataset's captions, counted."""

import re
from collections import Counter
from collections.abc import Iterable

from train_gamma.dataset.templates import NAME, split_tags


def frequent_tags(captions: Iterable[str], name: str) -> list[str]:
    """The distinct tags of captions by the number of captions that have them, the most frequent first.

    Tags that differ only in case count as one, in the way they are written first; those that are as frequent as each
    other keep the order in which they come up. The embedding's own name is no tag.

    Args:
        captions: comma-separated, one per picture.
        name: of the embedding.
    """
    counts: Counter[str] = Counter()
    written: dict[str, str] = {}
    for caption in captions:
        of_picture = {tag.lower(): tag for tag in reversed(split_tags(caption))}
        for key, tag in reversed(of_picture.items()):
            written.setdefault(key, tag)
            counts[key] += 1
    own = {NAME, name.lower()}
    return [written[key] for key, _ in counts.most_common() if key not in own and re.search(r"\w", key)]
