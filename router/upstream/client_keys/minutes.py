"""Counts in the limits of keys what a proxy served in the minute before this one started."""

import time

import trio

from router.errors import CommandError
from router.store.history import reader
from router.store.home.home import Home
from router.store.shared.key_books import KeyedRequest, read_latest_keyed
from router.upstream.client_keys.registry import ClientKeys

# As long as a limit counts (policy/accounts/rate_limit.py).
_SECONDS = 61.0


async def count_last_minute(keys: ClientKeys, home: Home) -> None:
    """Count what the history has of the last minute, where a key has a limit a minute."""
    if not keys.counts_minutes:
        return
    now = time.time()
    for one in await trio.to_thread.run_sync(_read, home, now - _SECONDS):
        keys.count_earlier(one.name, max(0.0, now - one.time), one.tokens)


def _read(home: Home, since: float) -> list[KeyedRequest]:
    try:
        with reader.open_reader(home) as db:
            return [] if db is None else read_latest_keyed(db, since)
    except CommandError:
        # The proxy reports a history that cannot be read by itself.
        return []
