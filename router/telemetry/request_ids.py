"""Ids of requests, in the answer's header, in the history and in the log."""

import itertools
import secrets
import time

_BITS = 36


class RequestIds:
    """Makes the ids of one proxy. Other proxies of the home have other numbers, also where they were forked from one
    process, as the workers of a server are: an id that two have is one row too few."""

    def __init__(self) -> None:
        self._numbers = itertools.count(secrets.randbits(_BITS))

    def make(self) -> str:
        """A new id, which begins with the time: the history's index then grows at its end, where unordered ids would
        write another page for every request."""
        number = next(self._numbers) & ((1 << _BITS) - 1)
        return f"req_{(time.time_ns() // 1_000_000 << _BITS) + number:020x}"
