"""What a run may cost: counted by an estimate before each request, by the answer's usage after it."""

from collections.abc import Callable

from router.conform.record import OverBudget
from router.ir import Usage
from router.policy.budget.budgets import TokenCounts
from router.policy.budget.extra_prices import SEARCH

#: US dollars.
DEFAULT = 0.05
#: For a model without a known price, all together: several times what a whole card takes.
UNPRICED_TOKENS = 60_000
#: Whatever a request costs.
REQUESTS = 250
#: Bytes of a request for a token, at the least; real requests have 3.6.
_BYTES = 3.0
# What a model reads of the pages that a search finds.
_SEARCH_TOKENS = 10_000
_BILLION = 1_000_000_000


class Budget:
    """Holds a run within its budget. limit: US dollars. price: billionths of a US dollar for so many tokens and where
    the price is from; None where it is not known. free: nobody bills the backend's tokens."""

    def __init__(
        self, limit: float, price: Callable[[TokenCounts], tuple[int | None, str]], *, free: bool = False
    ) -> None:
        self._limit = round(limit * _BILLION)
        self._price = price
        self._free = free
        #: Where the price is from, '' where there is none.
        self.source = "" if free else price(TokenCounts(1, 1))[1]
        #: Billionths of a US dollar.
        self.spent = 0
        self.requests = 0
        self.tokens_in = 0
        self.tokens_out = 0

    @property
    def is_priced(self) -> bool:
        """True where costs can be told in money."""
        return self._free or bool(self.source)

    @property
    def dollars(self) -> float | None:
        """What was spent, None where it is not known."""
        return self.spent / _BILLION if self.is_priced else None

    def check(self, size: int, output: int, searches: int = 0) -> TokenCounts:
        """The estimate of a request, which may be sent. size: bytes of its body. output: the most tokens of its answer.
        searches: the most that the provider makes for it. Raises OverBudget."""
        read = round(size / _BYTES) + 16 + searches * _SEARCH_TOKENS
        tokens = TokenCounts(read, output, searches=searches) if size else TokenCounts()
        if self.requests >= REQUESTS:
            raise OverBudget(f"budget: {REQUESTS} requests were sent")
        if self._free:
            return tokens
        if self.source:
            cost = self._cost(tokens)
            if cost and self.spent + cost > self._limit:
                raise OverBudget(f"budget: ${self._limit / _BILLION:g} would be passed")
        elif tokens.tokens and self.tokens_in + self.tokens_out + tokens.tokens > UNPRICED_TOKENS:
            raise OverBudget(f"budget: {UNPRICED_TOKENS:,} tokens would be passed, and the model has no known price")
        return tokens

    def settle(self, estimate: TokenCounts, usage: Usage | None) -> None:
        """Count a request that was sent. usage: what the answer says; None where it says nothing, so that the estimate
        is counted."""
        self.requests += 1
        tokens = estimate
        if usage is not None:
            hour = min(usage.cache_write_1h or 0, usage.cache_write or 0)
            written = (usage.cache_write or 0) - hour
            made = usage.extras.searches if usage.extras is not None else estimate.searches
            tokens = TokenCounts(usage.input or 0, usage.output or 0, usage.cache_read or 0, written, hour, made)
        self.tokens_in += tokens.tokens - tokens.output
        self.tokens_out += tokens.output
        if usage is not None and usage.charge is not None:
            self.spent += usage.charge
        elif self.source:
            self.spent += self._cost(tokens)

    def count_refused(self) -> None:
        """Count a request that was refused, which no provider bills."""
        self.requests += 1

    def _cost(self, tokens: TokenCounts) -> int:
        return (self._price(tokens)[0] or 0) + tokens.searches * SEARCH if tokens.tokens else 0
