"""Prices of what is no plain token: tiers, searches, sound; by the price data, else by what is published."""

from datetime import UTC, datetime

import pytest

from router.ir import Extras
from router.policy.budget.budgets import TokenCounts
from router.policy.budget.extra_prices import LOOKUP, SEARCH, WITHOUT
from router.policy.budget.prices import Prices
from router.settings.tables import Price

AT = datetime(2026, 11, 1, 12, tzinfo=UTC).timestamp()
ANTHROPIC, OPENAI = "https://api.anthropic.com/v1", "https://api.openai.com/v1"
MILLION = TokenCounts(10**6, 10**6)


def cost(root, model, extras, tokens=MILLION, own=None):
    return Prices().cost(root, model, tokens, AT, own or {}, extras)


def test_nothing_else():
    """Without any of it the price is the usual one."""
    for model, root in (("claude-opus-4-5", ANTHROPIC), ("gpt-5", OPENAI)):
        assert cost(root, model, Extras()) == cost(root, model, None)


@pytest.mark.parametrize(("tier", "factor"), [("priority", 2.0), ("flex", 0.5), ("batch", 0.5), ("", 1.0)])
def test_service_tiers(tier, factor):
    """By the variants of the price data."""
    usual, _ = cost(OPENAI, "gpt-5", None)
    found, source = cost(OPENAI, "gpt-5", Extras(tier=tier))
    assert found == usual * factor
    assert WITHOUT not in source


def test_a_tier_without_a_price():
    """It counts as the usual one, and the source says so; one that is cheaper needs no word."""
    usual, _ = cost(ANTHROPIC, "claude-3-haiku", None)
    for tier, said in (("priority", True), ("flex", False), ("unheard_of", True)):
        found, source = cost(ANTHROPIC, "claude-3-haiku", Extras(tier=tier))
        assert found == usual
        assert (f"the service tier {tier}" in source) is said


@pytest.mark.parametrize("model", ["claude-opus-4-5", "claude-3-haiku"])
def test_searches(model):
    """Ten dollars for a thousand, where the price data have none for a model too."""
    usual, _ = cost(ANTHROPIC, model, None)
    assert cost(ANTHROPIC, model, Extras(searches=10))[0] == usual + 10 * SEARCH
    assert cost(OPENAI, "gpt-4.1", Extras(lookups=4))[0] == cost(OPENAI, "gpt-4.1", None)[0] + 4 * LOOKUP


def test_sound_and_pictures():
    """Their tokens have a price of their own; a model without one says so."""
    text, _ = cost(OPENAI, "gpt-audio", None)
    sound, source = cost(OPENAI, "gpt-audio", Extras(output_audio=10**6, input_audio=10**6))
    assert sound == text - 12_500_000_000 + 32 * 10**9 + 64 * 10**9
    assert WITHOUT not in source
    assert WITHOUT in cost(OPENAI, "gpt-5", Extras(output_audio=5))[1]
    assert WITHOUT in cost(OPENAI, "gpt-5", Extras(output_image=5))[1]
    # More than there are tokens at all.
    assert cost(OPENAI, "gpt-audio", Extras(output_audio=10**9, output_image=10**9))[0] is not None


def test_the_users_own_price():
    """It holds for every tier; searches come on top."""
    own = {"m": Price(input=1.0, output=1.0)}
    assert cost("https://x", "m", Extras(tier="priority", searches=2), own=own) == (
        2 * 10**9 + 2 * SEARCH,
        "config.toml",
    )
    assert cost("https://x", "m", Extras(uncounted="code execution"), own=own)[1].endswith("without code execution")
