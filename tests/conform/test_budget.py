"""What a run may cost."""

import pytest

from router.conform.budget import REQUESTS, UNPRICED_TOKENS, Budget
from router.conform.record import OverBudget
from router.ir import Extras, Usage
from router.policy.budget.budgets import TokenCounts


def price(tokens):
    """A dollar for a thousand tokens."""
    return tokens.tokens * 1_000_000, "a list"


def unknown(tokens):
    """No price."""
    return None, ""


def test_a_request_that_would_pass_the_budget_is_not_sent():
    """The estimate counts the longest answer that the request allows."""
    budget = Budget(0.1, price)
    budget.check(90, 50)
    with pytest.raises(OverBudget, match=r"\$0\.1 would be passed"):
        budget.check(90, 100)


def test_real_usage_counts_in_place_of_the_estimate():
    """After a request only what the answer says was used is gone; where it says nothing the estimate is."""
    budget = Budget(1.0, price)
    budget.settle(budget.check(300, 64), Usage(input=10, output=5))
    assert budget.dollars == 0.015
    assert (budget.tokens_in, budget.tokens_out, budget.requests) == (10, 5, 1)
    budget.settle(TokenCounts(100, 50), None)
    assert budget.dollars == 0.165


def test_a_charge_counts_in_place_of_a_price():
    """What the provider says that it charged is what it cost."""
    budget = Budget(1.0, price)
    budget.settle(TokenCounts(1, 1), Usage(input=10, output=5, charge=7_000_000))
    assert budget.dollars == 0.007


def test_a_search_of_the_web_counts():
    """With what it costs, and what the model reads of its pages; after it, those that were made."""
    cheap = Budget(0.0105, lambda tokens: (tokens.tokens * 10, "a list"))
    estimate = cheap.check(90, 50, 1)
    assert estimate.searches == 1
    assert estimate.input > 10_000
    cheap.settle(estimate, Usage(input=10, output=5, extras=Extras(searches=0)))
    assert cheap.dollars == 0.00000015
    cheap.settle(estimate, Usage(input=10, output=5))
    assert cheap.dollars == pytest.approx(0.0100003)
    with pytest.raises(OverBudget):
        cheap.check(90, 50, 1)


def test_without_a_price_tokens_are_bounded():
    """A model without a price has no cost in dollars; its tokens have a bound of their own."""
    budget = Budget(0.0, unknown)
    assert budget.dollars is None
    budget.settle(budget.check(300, 64), Usage(input=UNPRICED_TOKENS - 200, output=0))
    budget.check(90, 64)
    with pytest.raises(OverBudget, match="no known price"):
        budget.check(900, 64)


def test_what_nobody_bills_is_bounded_by_requests():
    """A free model may have any number of tokens, and a bounded number of requests."""
    budget = Budget(0.0, unknown, free=True)
    for _ in range(REQUESTS):
        budget.settle(budget.check(10**6, 64), Usage(input=10**6, output=64))
    assert budget.dollars == 0
    with pytest.raises(OverBudget, match="requests"):
        budget.check(1, 1)


def test_what_has_no_body_costs_nothing():
    """A list of models can be read with an empty budget."""
    Budget(0.0, price).check(0, 0)
