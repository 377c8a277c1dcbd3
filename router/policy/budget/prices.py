"""What a request cost by its tokens: by the user's prices first, then by the dated ones that are shipped, else unknown.

The URL of the backend that served a model says whose price list holds. A backend with a URL that no list is known for,
such as a gateway, is priced by the name of the model, as the vendor of the model sells it: a budget that counted none
of its traffic would protect from nothing, and the source says that the price is by the name alone. That is done for
models that only their vendor can run. A model with open weights costs what its host asks, so by its name it has no
price; nor has any model of a server such as Ollama, whose tokens nobody bills (backends.known.price_root).

A sum over all that may have a price takes 30 us and more, a tenth of what a request costs, so the rates of a model are
asked for once an hour and multiplied here; tests hold both ways against each other.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import NamedTuple

from router.ir import Extras
from router.policy.budget.budgets import TokenCounts
from router.policy.budget.extra_prices import WITHOUT, add_tools, price_with_extras, sum_by_list
from router.policy.budget.price_list import Model, Provider, Rate, Tiered, choose_rate, read_head
from router.policy.budget.price_list import Price as ListedPrice
from router.settings.tables import Price

__all__ = ["WITHOUT", "Prices"]

CONFIGURED = "config.toml"
#: The source of a cost that the provider itself named.
REPORTED = "reported by the provider"
#: The end of the source of a price that was found by the model's name.
BY_NAME = ", by model name"
#: Rates that are remembered; model names come from callers, so there may be any number.
KNOWN_LIMIT = 1000
# Only such backends have a price list of their own: for others the shipped one need not be read.
_LISTED = "https://"
# The models that are priced by their name, and the list's name of their vendor. A gateway may put the vendor before
# the name.
_VENDORS = (
    (re.compile(r"(?:anthropic/)?(claude-.+)"), "anthropic"),
    (re.compile(r"(?:openai/)?((?:gpt-(?!oss)|chatgpt-|codex-|o\d|text-embedding-).*)"), "openai"),
    (re.compile(r"(?:google/|gemini/|models/)?(gemini-.+)"), "google"),
    (re.compile(r"(?:x-ai/|xai/)?(grok-.+)"), "x-ai"),
)


@dataclass(frozen=True, slots=True)
class _Rates:
    """Thousandths of a US dollar per million tokens, that is billionths of a dollar per token."""

    #: They hold for requests with more input than this, the cache's counted.
    beyond: int
    input: Decimal
    output: Decimal
    cache_read: Decimal
    cache_write: Decimal
    cache_write_1h: Decimal

    def cost(self, tokens: TokenCounts) -> int:
        """Billionths of a US dollar."""
        return round(
            tokens.input * self.input
            + tokens.output * self.output
            + tokens.cache_read * self.cache_read
            + tokens.cache_write * self.cache_write
            + tokens.cache_write_1h * self.cache_write_1h
        )


@dataclass(frozen=True, slots=True)
class _Tiers:
    """Rates that hang on the size of the request."""

    #: Those for the largest requests first.
    rates: tuple[_Rates, ...]

    def cost(self, tokens: TokenCounts) -> int:
        """Billionths of a US dollar."""
        size = tokens.tokens - tokens.output
        return next(rates for rates in self.rates if size > rates.beyond).cost(tokens)


@dataclass(frozen=True, slots=True)
class _Unlisted:
    """A model that has no price for some counts, or one for the request: each count is looked at."""

    price: ListedPrice

    def cost(self, tokens: TokenCounts) -> int | None:
        """Billionths of a US dollar; None when the list has no price for one of the counts."""
        return sum_by_list(self.price, tokens)


class _Found(NamedTuple):
    """What a model costs at a backend."""

    price: _Rates | _Tiers | _Unlisted
    #: The price was found by the model's name alone.
    by_name: bool
    provider: Provider
    model: Model


class Prices:
    """The prices of a process, for one thread."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, int], _Found | None] = {}
        self._source = ""

    def cost(
        self,
        root: str,
        model: str,
        tokens: TokenCounts,
        at: float,
        overrides: Mapping[str, Price],
        extras: Extras | None = None,
    ) -> tuple[int | None, str]:
        """Billionths of a US dollar and where the price is from; (None, "") when it is unknown. The source says what a
        part of the answer that has no price is.

        root: the backend's URL, '' for one whose tokens nobody bills. at: seconds since 1970, since prices change with
        time. overrides: the prices of config.toml, by lower-case model.
        """
        own = overrides.get(model.lower())
        if own is not None:
            cost = _price_by_user(own, tokens)
            return (None, "") if cost is None else add_tools(cost, CONFIGURED, extras)
        if not can_be_priced(root, model):
            return None, ""
        key = (root, model, int(at // 3600))
        if key not in self._known:
            if len(self._known) >= KNOWN_LIMIT:
                self._known.clear()
            self._known[key] = self._look_up(root, model, datetime.fromtimestamp(at, UTC))
        found = self._known[key]
        if found is None:
            return None, ""
        source = self._source + (BY_NAME if found.by_name else "")
        if extras is not None:
            return price_with_extras(found.provider, found.model, tokens, at, extras, source)
        cost = found.price.cost(tokens)
        return (None, "") if cost is None else (cost, source)

    def _look_up(self, root: str, model: str, at: datetime) -> _Found | None:
        head = read_head()
        if not self._source:
            self._source = f"{head.source}, {find_data_date(at.date()) or date.min}"
        seller = _find_seller(head.providers, root)
        provider, name = (seller, model) if seller is not None else _find_vendor(head.providers, model)
        found = provider.find_model(name) if provider is not None else None
        if provider is None or found is None:
            return None
        price = found.find_price(at)
        if "input_mtok" not in price and "output_mtok" not in price:
            return None  # sold by the image or the minute
        rates = _read_rates(price)
        return _Found(rates if rates is not None else _Unlisted(price), seller is None, provider, found)


def can_be_priced(root: str, model: str) -> bool:
    """False when the price data cannot have a price, by the backend's URL ('' where nobody bills) and the model."""
    return root.startswith(_LISTED) or (root != "" and _match_vendor(model) is not None)


def _find_seller(providers: Sequence[Provider], root: str) -> Provider | None:
    """The provider whose URL this is."""
    for provider in providers:
        match = re.match(provider.pattern, root)
        # Else the pattern fits the beginning of another host's name.
        if match is not None and not re.match(r"[\w.-]", root[match.end() :]):
            return provider
    return None


def _find_vendor(providers: Iterable[Provider], model: str) -> tuple[Provider | None, str]:
    """The vendor that alone sells a model of this name, None for none, and the vendor's name of the model."""
    vendor, name = _match_vendor(model) or ("", model)
    return next((provider for provider in providers if provider.id == vendor), None), name


def _match_vendor(model: str) -> tuple[str, str] | None:
    """The list's name of the vendor, and the vendor's of the model."""
    for pattern, vendor in _VENDORS:
        match = pattern.fullmatch(model.lower())
        if match is not None:
            return vendor, match[1]
    return None


def find_data_date(today: date) -> date | None:
    """How new the shipped prices are, which have no date of their own: the latest day on which one changed; None before
    the first of them."""
    return max((day for day in read_head().days if day <= today), default=None)


def _price_by_user(price: Price, tokens: TokenCounts) -> int | None:
    """Billionths of a US dollar by the user's price; None when it lacks a rate that is needed.

    Only Anthropic tells how much was written to the cache for an hour, which costs twice as much as other input there
    (https://platform.claude.com/docs/en/build-with-claude/prompt-caching).
    """
    read = price.input if price.cache_read is None else price.cache_read
    write = price.input if price.cache_write is None else price.cache_write
    hour = price.cache_write_1h
    if hour is None and price.input is not None:
        hour = 2 * price.input
    cost = Decimal(0)
    for count, rate in (
        (tokens.input, price.input),
        (tokens.output, price.output),
        (tokens.cache_read, read),
        (tokens.cache_write, write),
        (tokens.cache_write_1h, hour),
    ):
        if count and rate is None:
            return None
        cost += count * Decimal(str(rate or 0)) * 1000
    return round(cost)


def _read_rates(price: ListedPrice) -> _Rates | _Tiers | None:
    """The rates of a listed price; None when one is missing."""
    if "requests_kcount" in price:
        return None
    read, written = price.get("input_mtok"), price.get("output_mtok")
    if read is None or written is None:
        return None
    cache_write = price.get("cache_write_mtok", read)
    hour = price.get("cache_write_1h_mtok", cache_write)
    all_of = (read, written, price.get("cache_read_mtok", read), cache_write, hour)
    steps = {tier.start for rate in all_of if isinstance(rate, Tiered) for tier in rate.tiers}
    found = tuple(
        _Rates(beyond, *(_rate_beyond(rate, beyond) * 1000 for rate in all_of))
        for beyond in (*sorted(steps, reverse=True), -1)
    )
    return found[0] if len(found) == 1 else _Tiers(found)


def _rate_beyond(rate: Rate, size: int) -> Decimal:
    """The rate of a request with more input than this."""
    return choose_rate(rate, size + 1)
