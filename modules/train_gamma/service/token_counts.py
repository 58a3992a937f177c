"""Tokens of tags and captions, each text counted once."""

import threading
from functools import lru_cache

from train_gamma.captions.filters import CountTokens
from train_gamma.host import Host

MOST_TEXTS = 200_000


class TokenCounts:
    """See the module. Every method may be called from any thread."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._lock = threading.Lock()
        self._count: CountTokens | None = None

    @property
    def count(self) -> CountTokens | None:
        """Tokens of a text, without begin and end; None where they cannot be counted."""
        with self._lock:
            if self._count is None:
                counter = self._host.token_counter()
                self._count = None if counter is None else lru_cache(MOST_TEXTS)(counter)
            return self._count
