"""Reads the shipped prices: which provider has a URL, which of its models a name means, and what that costs and when.

They are the data of genai-prices, and what is done with them is what that library does; tests hold both against each
other for every model. build/price_list.py makes price_data.py. What a provider sells is decompressed when it is first
asked for, in a few milliseconds, and kept.
"""

import base64
import re
import zlib
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec

#: A compact date at the end of a name or before a further part: gateways write 20251211 for 2025-12-11.
_COMPACT_DATE = re.compile(r"(-)(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")


class Tier(msgspec.Struct, frozen=True, array_like=True):
    """A rate for requests with more input than this."""

    start: int
    price: Decimal


class Tiered(msgspec.Struct, frozen=True, array_like=True):
    """A rate that hangs on the size of the request; the tiers hold for all of its tokens, the smallest first."""

    base: Decimal
    tiers: tuple[Tier, ...]


#: US dollars for what a unit counts.
Rate = Decimal | Tiered
#: Name of a rate, such as `input_mtok` -> the rate.
Price = Mapping[str, Rate]
#: Always; from a day on; or within a time of the day. All in UTC.
Constraint = date | tuple[time, time] | None


class Dated(msgspec.Struct, frozen=True, array_like=True):
    """A price and when it holds."""

    constraint: Constraint
    price: dict[str, Rate]


class Variant(msgspec.Struct, frozen=True, array_like=True):
    """Rates that hold in the place of others for requests of a kind."""

    when: dict[str, str]
    constraint: Constraint
    price: dict[str, Rate]


class Model(msgspec.Struct, frozen=True, array_like=True):
    """A model as its provider sells it."""

    id: str
    #: [sign, word] or [sign, such clauses].
    match: list[Any]
    prices: tuple[Dated, ...]
    variants: tuple[Variant, ...] = ()

    def find_price(self, at: datetime, context: Mapping[str, str] | None = None) -> Price:
        """The rates at a time in UTC. context: what kind of request it is; the first fitting variant of a rate
        counts."""
        holding = (one.price for one in reversed(self.prices) if _holds(one.constraint, at))
        usual = next(holding, self.prices[0].price)
        if not context:
            return usual
        changed: dict[str, Rate] = {}
        for variant in self.variants:
            if _holds(variant.constraint, at) and all(context.get(key) == word for key, word in variant.when.items()):
                changed = {**variant.price, **changed}
        return {**usual, **changed}


class Provider(msgspec.Struct, frozen=True, array_like=True):
    """Who sells models."""

    id: str
    #: Expression for the beginning of its URLs.
    pattern: str
    #: Providers whose models it sells too, at their price.
    fallbacks: tuple[str, ...]

    def sells(self, model: Model) -> bool:
        """True for a model of its own list."""
        return any(one is model for one in read_models(self.id))

    def find_model(self, name: str) -> Model | None:
        """The model of this name, in any case; None when it sells none."""
        lowered = name.lower()
        found = self._look_up(lowered)
        plain = _COMPACT_DATE.sub(_spell_date, lowered) if found is None else lowered
        return found if plain == lowered else self._look_up(plain)

    def _look_up(self, name: str) -> Model | None:
        for seller in (self.id, *self.fallbacks):
            for model in read_models(seller):
                if _fits(model.match, name):
                    return model
        return None


class Unit(msgspec.Struct, frozen=True, array_like=True):
    """What a rate is for."""

    #: What is counted, such as `input_tokens`.
    counts: str
    #: How many of it the rate is for.
    per: int
    #: What distinguishes it: it is a part of what has some of these.
    kind: dict[str, str]

    def contains(self, other: "Unit") -> bool:
        """True when the other counts a part of this, or the same."""
        return self.kind.items() <= other.kind.items()


class Head(msgspec.Struct, frozen=True):
    """What is of all providers."""

    #: Where the data are from, with the version.
    source: str
    #: The days on which a price begins, in order.
    days: tuple[date, ...]
    #: Name of a rate -> its unit.
    units: dict[str, Unit]
    providers: tuple[Provider, ...]


@cache
def read_head() -> Head:
    """What is of all providers."""
    return msgspec.json.decode(_unpack("HEAD"), type=Head)


@cache
def read_models(provider: str) -> tuple[Model, ...]:
    """What a provider sells, in the order in which names are compared; () for one that is not listed."""
    packed = _unpack(provider)
    return msgspec.json.decode(packed, type=tuple[Model, ...]) if packed else ()


def _unpack(part: str) -> bytes:
    from router.policy.budget.price_data import PARTS

    return zlib.decompress(base64.b85decode(PARTS[part])) if part in PARTS else b""


def sum_up(price: Price, counts: Mapping[str, int]) -> Decimal | None:
    """US dollars for what was counted, by the names of units; None when that does not tell what has a rate.

    Each thing counts once, by the rate of the smallest part that has one.
    """
    units = {name: read_head().units[name] for name in price}
    used = [one for one in read_head().units.values() if counts.get(one.counts)]
    # Parts before what they are parts of.
    ordered = sorted(units.items(), key=lambda item: (-len(item[1].kind), item[1].counts))
    alone: list[tuple[Unit, int]] = []
    total = Decimal(0)
    for name, unit in ordered:
        if unit.counts == "requests":
            left = 1
        else:
            count = _count(unit, counts, used)
            if count is None:
                return None
            left = count - sum(number for part, number in alone if unit.contains(part))
            if left < 0:
                return None
            alone.append((unit, left))
        total += choose_rate(price[name], counts["input_tokens"]) * left / unit.per
    return total


def _count(unit: Unit, counts: Mapping[str, int], used: Iterable[Unit]) -> int | None:
    """How many of a unit there are: none where nothing told speaks of it, None where something does."""
    if unit.counts in counts:
        return counts[unit.counts]
    if any(unit.contains(one) for one in used):
        return None
    crossing = ((one, other) for one in used for other in used if not (one.contains(other) or other.contains(one)))
    joined = any(_are_compatible(one, other) and unit.kind == {**one.kind, **other.kind} for one, other in crossing)
    return None if joined else 0


def _are_compatible(one: Unit, other: Unit) -> bool:
    return all(other.kind.get(key, word) == word for key, word in one.kind.items())


def choose_rate(rate: Rate, size: int) -> Decimal:
    """The rate of a request with so many tokens of input."""
    if isinstance(rate, Decimal):
        return rate
    return next((tier.price for tier in reversed(rate.tiers) if size > tier.start), rate.base)


def _holds(constraint: Constraint, at: datetime) -> bool:
    now = at.astimezone(UTC)
    if constraint is None:
        return True
    if isinstance(constraint, date):
        return now.date() >= constraint
    begin, end = constraint
    return begin <= now.time() < end if begin <= end else not end <= now.time() < begin


def _fits(clause: list[Any], name: str) -> bool:
    sign, word = clause
    match sign:
        case "=":
            return name == word
        case "^":
            return name.startswith(word)
        case "$":
            return name.endswith(word)
        case "*":
            return word in name
        case "~":
            return re.search(word, name) is not None
        case "|":
            return any(_fits(one, name) for one in word)
        case _:
            return all(_fits(one, name) for one in word)


def _spell_date(found: re.Match[str]) -> str:
    try:
        day = date(int(found[2]), int(found[3]), int(found[4]))
    except ValueError:
        return found[0]
    return f"-{day.isoformat()}"
