"""The cost of requests, by the prices the user set and those of the price data."""

import threading
from collections.abc import Callable

from router.policy.budget.prices import CONFIGURED, REPORTED, Prices, can_be_priced
from router.policy.routing.table import SEARCH
from router.settings import Settings
from router.store.history.entry import HistoryEntry, Priced
from router.store.shared.budgets import count_tokens


class Pricing:
    """The prices of one proxy. settings: returns those in use."""

    def __init__(self, settings: Callable[[], Settings]):
        self._settings = settings
        self._prices = Prices()
        self._lock = threading.Lock()

    def price(self, entry: HistoryEntry) -> Priced:
        """Compute what a request cost. For threads, as it may load the price data."""
        if entry.answer_age is not None:
            return 0, ""  # it is an answer that was paid for before
        own = self._settings().prices
        if entry.charge is not None:
            # Of fairlead's own search the user said what it costs.
            return entry.charge, REPORTED if entry.backend != SEARCH else CONFIGURED
        if entry.backend == SEARCH:
            return None, ""
        model = entry.served_model
        if not own and not can_be_priced(entry.root, model):
            return None, ""
        if entry.tokens_in is None and entry.tokens_out is None:
            return None, ""
        try:
            with self._lock:
                return self._prices.cost(entry.root, model, count_tokens(entry), entry.started, own, entry.extras)
        except Exception:
            # The row must be written even when the price data have a defect.
            return None, ""
