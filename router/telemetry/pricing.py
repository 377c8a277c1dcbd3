"""What a request cost, by the prices the user set and those of the price data."""

import threading
from collections.abc import Callable

from router.policy.budget.budgets import TokenCounts
from router.policy.budget.prices import PRICED, Prices
from router.settings import Settings
from router.store.history.entry import HistoryEntry, Priced


class Pricing:
    """The prices of one proxy. settings: those in use."""

    def __init__(self, settings: Callable[[], Settings]):
        self._settings = settings
        self._prices = Prices()
        self._lock = threading.Lock()

    def price(self, entry: HistoryEntry) -> Priced:
        """What a request cost; for the ledger's thread and those of readers, as it may load the price data."""
        own = self._settings().prices
        if (not own and not entry.root.startswith(PRICED)) or (entry.tokens_in is None and entry.tokens_out is None):
            return None, ""
        tokens = TokenCounts(
            input=entry.tokens_in or 0,
            output=entry.tokens_out or 0,
            cache_read=entry.cache_read or 0,
            cache_write=entry.cache_write or 0,
        )
        model = entry.served or entry.model
        try:
            with self._lock:
                return self._prices.cost(entry.root, model, tokens, entry.started, own)
        except Exception:
            # A defect of the price data, or an installation without them, must not lose the row.
            return None, ""
