"""What a request cost: by the user's prices first, then by the dated ones of genai-prices, else it is unknown.

A model's price is looked up by the URL of the backend that served it, never by its name alone: the same model costs
something else elsewhere, and nothing on this machine. The library's own sum takes 30 to 100 us, a tenth of what a
request costs, so the rates of a model are asked for once an hour and multiplied here; tests hold both ways against each
other.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from router.policy.budget.budgets import TokenCounts
from router.settings.tables import Price

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider

SOURCE = "genai-prices"
CONFIGURED = "config.toml"
#: Rates that are remembered; model names come from callers, so there may be any number.
KNOWN_LIMIT = 1000
#: Only such backends have a price list: for what runs on this machine or network the library need not be loaded.
PRICED = "https://"


@dataclass(frozen=True, slots=True)
class _Rates:
    """Thousandths of a US dollar per million tokens, that is billionths of a dollar per token."""

    #: They hold for requests with more input than this, the cache's counted.
    beyond: int
    input: Decimal
    output: Decimal
    cache_read: Decimal
    cache_write: Decimal

    def cost(self, tokens: TokenCounts) -> int:
        """Billionths of a US dollar."""
        return round(
            tokens.input * self.input
            + tokens.output * self.output
            + tokens.cache_read * self.cache_read
            + tokens.cache_write * self.cache_write
        )


@dataclass(frozen=True, slots=True)
class _Tiers:
    """Rates that hang on the size of the request."""

    #: Those for the largest requests first.
    rates: tuple[_Rates, ...]

    def cost(self, tokens: TokenCounts) -> int:
        """Billionths of a US dollar."""
        size = tokens.input + tokens.cache_read + tokens.cache_write
        return next(rates for rates in self.rates if size > rates.beyond).cost(tokens)


@dataclass(frozen=True, slots=True)
class _Unlisted:
    """A model that has no price for some counts, or one for the request: the library adds up."""

    provider: "Provider"
    model: "ModelInfo"
    at: datetime

    def cost(self, tokens: TokenCounts) -> int | None:
        """Billionths of a US dollar; None when the library has no price for one of the counts."""
        return _sum_by_library(self.provider, self.model, tokens, self.at)


class Prices:
    """The prices of a process, for one thread."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, int], _Rates | _Tiers | _Unlisted | None] = {}
        self._source = ""

    def cost(
        self, root: str, model: str, tokens: TokenCounts, at: float, overrides: Mapping[str, Price]
    ) -> tuple[int | None, str]:
        """Billionths of a US dollar and where the price is from; (None, "") when it is unknown.

        root: the backend's URL. at: seconds since 1970, since prices change with time. overrides: the prices of
        config.toml, by lower-case model.
        """
        own = overrides.get(model.lower())
        if own is not None:
            cost = _price_by_user(own, tokens)
            return (None, "") if cost is None else (cost, CONFIGURED)
        if not root.startswith(PRICED):
            return None, ""
        key = (root, model, int(at // 3600))
        if key not in self._known:
            if len(self._known) >= KNOWN_LIMIT:
                self._known.clear()
            self._known[key] = self._look_up(root, model, datetime.fromtimestamp(at, UTC))
        rates = self._known[key]
        cost = rates.cost(tokens) if rates is not None else None
        return (None, "") if cost is None else (cost, self._source)

    def _look_up(self, root: str, model: str, at: datetime) -> _Rates | _Tiers | _Unlisted | None:
        from genai_prices import __version__
        from genai_prices.data_snapshot import DataSnapshot, get_snapshot

        whole = get_snapshot()
        if not self._source:
            self._source = f"{SOURCE} {__version__}, {_find_date(whole.providers, at.date())}"
        # A snapshot of its own each time: the library's remembers every name it was ever asked for.
        snapshot = DataSnapshot(whole.providers, from_auto_update=False)
        try:
            provider, found = snapshot.find_provider_model(model, None, None, root)
        except LookupError:
            return None
        match = re.match(provider.api_pattern, root)
        if match is None or re.match(r"[\w.-]", root[match.end() :]):
            return None  # the pattern fits the beginning of another host's name
        price = found.get_prices(at)
        if price.input_mtok is None and price.output_mtok is None:
            return None  # sold by the image or the minute
        return _read_rates(price) or _Unlisted(provider, found, at)


def _find_date(providers: "Iterable[Provider]", today: date) -> str:
    """How new the data are: the latest day a price in them changed. They have no date of their own."""
    newest = date.min
    for provider in providers:
        for model in provider.models:
            for entry in model.prices if isinstance(model.prices, list) else ():
                begun: date = getattr(entry.constraint, "start_date", date.min)
                newest = max(newest, begun if begun <= today else date.min)
    return newest.isoformat()


def _price_by_user(price: Price, tokens: TokenCounts) -> int | None:
    """Billionths of a US dollar by the user's price; None when it lacks a rate that is needed."""
    read = price.input if price.cache_read is None else price.cache_read
    write = price.input if price.cache_write is None else price.cache_write
    cost = Decimal(0)
    for count, rate in (
        (tokens.input, price.input),
        (tokens.output, price.output),
        (tokens.cache_read, read),
        (tokens.cache_write, write),
    ):
        if count and rate is None:
            return None
        cost += count * Decimal(str(rate or 0)) * 1000
    return round(cost)


def _read_rates(price: Any) -> _Rates | _Tiers | None:
    """The rates of a library's price; None when one is missing."""
    from genai_prices.types import TieredPrices

    if price.requests_kcount is not None:
        return None
    read, written = price.input_mtok, price.output_mtok
    all_of = [
        read,
        written,
        *(read if rate is None else rate for rate in (price.cache_read_mtok, price.cache_write_mtok)),
    ]
    steps = {step.start for rate in all_of if isinstance(rate, TieredPrices) for step in rate.tiers}
    found: list[_Rates] = []
    for beyond in (*sorted(steps, reverse=True), -1):
        rates = [_rate_beyond(rate, beyond) for rate in all_of]
        if not all(isinstance(rate, Decimal) for rate in rates):
            return None
        found.append(_Rates(beyond, *(rate * 1000 for rate in rates)))
    return found[0] if len(found) == 1 else _Tiers(tuple(found))


def _rate_beyond(rate: Any, size: int) -> Any:
    """The rate of a request with more input than this; the library's tiers hold for all tokens of it."""
    for step in reversed(getattr(rate, "tiers", ())):
        if size >= step.start:
            return step.price
    return getattr(rate, "base", rate)


def _sum_by_library(provider: "Provider", model: "ModelInfo", tokens: TokenCounts, at: datetime) -> int | None:
    from genai_prices import Usage

    usage = Usage(
        input_tokens=tokens.input + tokens.cache_read + tokens.cache_write,
        output_tokens=tokens.output,
        cache_read_tokens=tokens.cache_read,
        cache_write_tokens=tokens.cache_write,
    )
    try:
        total = model.calc_price(usage, provider, genai_request_timestamp=at).total_price
    except (LookupError, ValueError):
        return None
    return round(total * 10**9)
