"""What a request cost: the user's prices, then the shipped ones, else nothing."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.policy.budget import prices as module
from router.policy.budget.budgets import TokenCounts
from router.policy.budget.extra_prices import sum_by_list
from router.policy.budget.price_list import read_head, read_models
from router.policy.budget.prices import Prices
from router.settings.tables import Price

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
TOKENS = TokenCounts(input=1840, output=2205, cache_read=96_210, cache_write=3000, cache_write_1h=100)
ANTHROPIC = "https://api.anthropic.com/v1"


def cost(root, model, tokens=TOKENS, own=None):
    return Prices().cost(root, model, tokens, AT.timestamp(), own or {})


def list_prices():
    """Of every model that is shipped: its name, and its price at AT."""
    for provider in read_head().providers:
        for model in read_models(provider.id):
            yield model.id, model.find_price(AT)


def test_the_fast_way_is_the_whole_sum():
    """For every model of the data that has rates for all counts, both sums agree to the billionth of a dollar."""
    compared = 0
    for name, price in list_prices():
        rates = module._read_rates(price)
        if rates is not None:
            assert abs(rates.cost(TOKENS) - sum_by_list(price, TOKENS)) <= 1, name
            compared += 1
    assert compared > 500


def test_tiers_are_those_of_the_whole_sum():
    """So they do on both sides of every border between tiers, wherever the input stands."""
    compared = 0
    for name, price in list_prices():
        rates = module._read_rates(price)
        for step in getattr(rates, "rates", ()):
            for size in (step.beyond - 1, step.beyond, step.beyond + 1, step.beyond * 2):
                for tokens in (
                    TokenCounts(input=size, output=7),
                    TokenCounts(output=7, cache_read=size - 9, cache_write=9),
                ):
                    if size > 9:
                        assert abs(rates.cost(tokens) - sum_by_list(price, tokens)) <= 1, name
                        compared += 1
    assert compared > 500


def test_a_known_model():
    """Input, output and both sides of the cache have their own price; where it is from is said."""
    found, source = cost(ANTHROPIC, "claude-opus-4-5")
    assert found == 1840 * 5_000 + 2205 * 25_000 + 96_210 * 500 + 3000 * 6_250 + 100 * 10_000
    assert source.startswith("genai-prices ")


def test_tiers():
    """A long request costs more a token than a short one."""
    google = "https://generativelanguage.googleapis.com/v1beta/openai"
    short, _ = cost(google, "gemini-2.5-pro", TokenCounts(input=1000))
    long, _ = cost(google, "gemini-2.5-pro", TokenCounts(input=1_000_000))
    assert long > short * 1500


@pytest.mark.parametrize(
    ("root", "model"),
    [
        (ANTHROPIC, "no-such-model"),
        ("https://api.groq.com/openai/v1", "gpt-5"),
        ("https://gateway.example/v1", "gpt-oss-120b"),
        ("https://gateway.example/v1", "deepseek-chat"),
        ("http://127.0.0.1:8000/v1", "llama-3.3-70b"),
        ("http://127.0.0.1:8000/v1", "gpt-99"),
        ("", "gpt-5"),
        (ANTHROPIC, ""),
    ],
)
def test_unknown_is_unpriced(root, model):
    """A list without the model, a model that anyone can host, and a server that nobody bills make no price."""
    assert cost(root, model) == (None, "")


@pytest.mark.parametrize(
    "root",
    ["http://127.0.0.1:9000/v1", "https://gateway.example/v1", "https://api.openai.com.evil.example/v1"],
)
@pytest.mark.parametrize(
    ("model", "vendor", "name"),
    [
        ("gpt-5", "https://api.openai.com/v1", "gpt-5"),
        ("openai/gpt-5", "https://api.openai.com/v1", "gpt-5"),
        ("o3-mini", "https://api.openai.com/v1", "o3-mini"),
        ("claude-sonnet-4-5", ANTHROPIC, "claude-sonnet-4-5"),
        ("anthropic/Claude-Sonnet-4-5", ANTHROPIC, "claude-sonnet-4-5"),
        ("gemini-2.5-pro", "https://generativelanguage.googleapis.com/v1beta/openai", "gemini-2.5-pro"),
        ("grok-4", "https://api.x.ai/v1", "grok-4"),
    ],
)
def test_by_the_name_of_the_model(root, model, vendor, name):
    """A backend without a known list is priced as the model's vendor sells it, and that is said of the price."""
    tokens = TokenCounts(input=1840, output=2205)
    listed, source = cost(vendor, name, tokens)
    assert cost(root, model, tokens) == (listed, source + module.BY_NAME)
    assert not source.endswith(module.BY_NAME)


def test_own_prices_win():
    """Also for what is shipped, and whatever the case; the cache costs as input where it has no price, and for an hour
    twice that."""
    own = {"claude-opus-4-5": Price(input=1.0, output=2.0), "mine": Price(input=1, output=0, cache_read=0.0)}
    read = 1840 + 96_210 + 3000 + 2 * 100
    assert cost(ANTHROPIC, "Claude-Opus-4-5", own=own) == (read * 1000 + 2205 * 2000, "config.toml")
    assert cost("http://127.0.0.1/v1", "mine", own=own) == ((1840 + 3000 + 2 * 100) * 1000, "config.toml")
    hour = {"mine": Price(input=1, output=0, cache_read=0, cache_write=0, cache_write_1h=7)}
    assert cost(ANTHROPIC, "mine", own=hour) == (1840 * 1000 + 100 * 7000, "config.toml")


def test_half_a_price():
    """It counts where it is enough; what lacks a rate that is needed has no price."""
    own = {"mine": Price(input=2.5)}
    assert cost(ANTHROPIC, "mine", TokenCounts(input=4, cache_read=4), own) == (20_000, "config.toml")
    assert cost(ANTHROPIC, "mine", TOKENS, own) == (None, "")


@given(st.lists(st.text(max_size=20), max_size=30))
def test_any_name_can_be_asked_for(names):
    """No name is an error."""
    prices = Prices()
    for name in names:
        found, source = prices.cost(ANTHROPIC, name, TOKENS, AT.timestamp(), {})
        assert (found is None) == (source == "")


def test_memory_is_bounded():
    """Any number of names leaves a bounded number of rates behind."""
    prices = Prices()
    for number in range(3000):
        prices.cost(ANTHROPIC, f"model-{number}", TOKENS, AT.timestamp(), {})
    assert len(prices._known) <= module.KNOWN_LIMIT
