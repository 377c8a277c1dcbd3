"""Rates are asked for once an hour, and a model without a price is known as one."""

from router.policy.budget.price_cache import PriceCache

NOW = 3600.0 * 500_000
MODEL = ("https://x", "m")


def test_asked_for_once():
    """Until rates are received, each request for them asks; then none does for the hour."""
    prices = PriceCache()
    assert prices.ask(MODEL, NOW)
    assert prices.ask(MODEL, NOW)
    assert prices.wants
    assert prices.pop_asked() == (MODEL,)
    assert not prices.wants
    prices.receive({MODEL: (1, 2, 3, 4, 5)}, NOW)
    assert not prices.ask(MODEL, NOW + 3599)
    assert prices.rates(MODEL) == (1, 2, 3, 4, 5)
    assert prices.ask(MODEL, NOW + 3600)
    assert prices.rates(MODEL) == (1, 2, 3, 4, 5)


def test_no_price():
    """That is an answer too."""
    prices = PriceCache()
    prices.receive({MODEL: None}, NOW)
    assert not prices.ask(MODEL, NOW)
    assert prices.rates(MODEL) is None


def test_other_prices():
    """After a change of the settings all are asked for anew."""
    prices = PriceCache()
    prices.receive({MODEL: (1, 2, 3, 4, 5)}, NOW)
    prices.forget()
    assert prices.ask(MODEL, NOW)


def test_any_number_of_names():
    """Names that callers make up are forgotten when they are too many."""
    prices = PriceCache()
    for number in range(5000):
        prices.receive({("https://x", str(number)): None}, NOW)
    assert sum(not prices.ask(("https://x", str(number)), NOW) for number in range(5000)) <= 1001
