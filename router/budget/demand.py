"""What the guard is asked for, and the requests under a budget in US dollars whose cost it cannot count."""

import math
from typing import NamedTuple

from router.operator_api.guard import NotCounted, report_not_counted
from router.policy.routing.table import DEMO
from router.store.history.entry import HistoryEntry
from router.wire.costs.cost_traits import NO_COST_TRAITS, CostTraits

# The names of models come from callers, so there may be any number of them.
_LIMIT = 100


class Demand(NamedTuple):
    """The values of one attempt of a request that the guard decides by."""

    #: Id of the request.
    request: str
    backend: str
    account: str
    tag: str
    #: The URL by which the backend's prices are found, '' when nobody bills it.
    root: str
    #: As it is sent upstream.
    model: str
    method: str
    #: Canonical, beginning with /v1.
    path: str
    #: True when a model answers, so that tokens are spent.
    generates: bool
    #: Tokens of the input, by the upper edge of an estimate.
    input_tokens: int
    #: True when the provider says in each answer what it charged, so that no price is needed to count it.
    tells_charge: bool = False
    #: What the request says of its cost.
    traits: CostTraits = NO_COST_TRAITS
    #: Seconds that are left of the time the request may take as a whole.
    left: float = math.inf
    #: What it costs beside its tokens, in billionths of a US dollar.
    fee: int = 0
    #: The id of the running request that it is a part of, which has reserved what it may use; '' for none.
    within: str = ""
    #: The name of the caller's key, '' for none.
    key: str = ""


class UncountedRequests:
    """Counts them by backend, model and what of them has no price."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, str], int] = {}

    def note(self, entry: HistoryEntry, part: str = "") -> None:
        """Note a request that has ended, unless the provider has said what it cost. part: what of it has no price, in
        words; '' for all of it."""
        key = (entry.backend, entry.served_model, part)
        costs = entry.charge is None and entry.backend != DEMO
        if costs and (key in self._counts or len(self._counts) < _LIMIT):
            self._counts[key] = self._counts.get(key, 0) + 1

    def report(self) -> list[NotCounted]:
        """As operators see them."""
        return [report_not_counted(*key, count) for key, count in self._counts.items()]
