"""The cost of requests: one without a price is still recorded."""

import sys

import pytest

from router.errors import CommandError
from router.ir import Extras
from router.policy.budget.price_list import read_models
from router.policy.routing.table import SEARCH
from router.settings import Frozen, Settings
from router.settings.tables import Price
from router.store.config.backends import check_name
from router.store.history.entry import HistoryEntry
from router.telemetry.pricing import Pricing


def entry(**fields):
    return HistoryEntry(id="x", started=0.0, method="POST", path="/v1/messages", **fields)


def test_a_price_that_cannot_be_had(monkeypatch):
    """A defect in the price data leaves a request unpriced; it is not lost."""
    price = Pricing(Settings).price
    one = entry(model="m", backend="b", root="https://api.openai.com/v1", tokens_in=1)
    assert price(one) == (None, "")
    monkeypatch.setitem(sys.modules, "router.policy.budget.price_data", None)
    read_models.cache_clear()
    assert price(entry(model="gpt-5", root="https://api.openai.com/v1", tokens_in=1)) == (None, "")


def test_a_charge_of_the_provider():
    """What the provider itself says goes before every price, and is named so."""
    price = Pricing(lambda: Settings(prices=Frozen({"m": Price(input=1.0, output=1.0)}))).price
    assert price(entry(model="m", charge=7, tokens_in=1, tokens_out=1)) == (7, "reported by the provider")
    assert price(entry(model="m", charge=0)) == (0, "reported by the provider")
    assert price(entry(model="m", tokens_in=1, tokens_out=1)) == (2000, "config.toml")


def test_an_answer_that_was_kept():
    """It costs nothing when it is given again, under no price."""
    price = Pricing(lambda: Settings(prices=Frozen({"m": Price(input=1.0, output=1.0)}))).price
    assert price(entry(model="m", answer_cache="hit", answer_age=0, saved_cost=2000)) == (0, "")
    assert price(entry(model="m", answer_cache="miss", tokens_in=1, tokens_out=1)) == (2000, "config.toml")


def test_searches_of_fairlead():
    """The user says what they cost; a price of models, whatever names it has, is not one of searches."""
    price = Pricing(lambda: Settings(prices=Frozen({"": Price(input=1.0, output=1.0)}))).price
    search = {"backend": SEARCH, "tokens_in": 0, "tokens_out": 0, "extras": Extras(searches=1)}
    assert price(entry(charge=5_000_000, **search)) == (5_000_000, "config.toml")
    assert price(entry(charge=0, **search)) == (0, "config.toml")
    assert price(entry(**search)) == (None, "")


def test_a_backend_named_search_is_another():
    """No backend can have the name of fairlead's own, so that the history tells them apart."""
    assert check_name("search") == "search"
    with pytest.raises(CommandError):
        check_name(SEARCH)


def test_what_is_kept_for_an_hour():
    """It is a part of what was written to the cache, and costs its own price."""
    price = Pricing(Settings).price
    root = "https://api.anthropic.com/v1"
    counts = {"tokens_in": 0, "tokens_out": 0, "cache_write": 3000}
    short, _ = price(entry(model="claude-opus-4-5", root=root, **counts))
    long, _ = price(entry(model="claude-opus-4-5", root=root, cache_write_1h=1000, **counts))
    assert (short, long) == (3000 * 6250, 2000 * 6250 + 1000 * 10_000)
