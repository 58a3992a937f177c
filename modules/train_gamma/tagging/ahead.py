"""Work that is done ahead of whoever takes its results."""

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def ahead(items: Generator[T, None, None], most: int) -> Iterator[Iterator[T]]:
    """Let ``items`` be made in a thread of their own, at most ``most`` of them waiting to be taken.

    When the context ends, the one in the making is finished and the generator is closed.

    Yields:
        The items. What the generator raises is raised here, when its turn comes.
    """
    pool = ThreadPoolExecutor(1, "train_gamma ahead")
    over = object()

    def taken() -> Iterator[T]:
        waiting: deque[Future[T | object]] = deque(pool.submit(next, items, over) for _ in range(most))
        while (item := waiting.popleft().result()) is not over:
            waiting.append(pool.submit(next, items, over))
            yield item  # type: ignore[misc]

    try:
        yield taken()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        items.close()
