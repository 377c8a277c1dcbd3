"""The prices that are shipped: they are those of the library, and say of each request what it says."""

from datetime import UTC, date, datetime, timedelta
from itertools import product

import pytest
from genai_prices import Usage
from genai_prices.data import providers
from genai_prices.types import ModelPrice

from router.ir import Extras
from router.policy.budget import extra_prices
from router.policy.budget.budgets import TokenCounts
from router.policy.budget.price_list import read_head, read_models, sum_up
from router.policy.budget.prices import find_data_date

from .conftest import ROOT

# Where prices change: each of their first days and the one before, and the hours of those that hold within a day.
DAYS = sorted({datetime(one.year, one.month, one.day, tzinfo=UTC) for one in read_head().days})
TIMES = [
    *(day + timedelta(days=shift) for day in DAYS[-40:] for shift in (-1, 0)),
    *(datetime(2026, 11, 1, hour, minute, tzinfo=UTC) for hour in range(24) for minute in (0, 29, 30)),
]
COUNTS = [
    TokenCounts(input=1840, output=2205),
    TokenCounts(input=1840, output=2205, cache_read=96_210, cache_write=3000, cache_write_1h=100),
    TokenCounts(input=0, output=0),
    TokenCounts(input=900_000, output=70_000, cache_read=1),
]
# What is used beside tokens, and whether there are models whose prices do not tell what that costs.
EXTRAS = [
    (Extras(), False),
    (Extras(searches=3, lookups=2), False),
    (Extras(input_audio=100, output_audio=50, output_image=20), True),
    (Extras(output_image=10**9), False),
]
CONTEXTS = [{}, *({"service_tier": word, "speed": word, "processing": word} for word in ("priority", "batch", "fast"))]


def list_models():
    """The library's providers and models, each with ours."""
    for provider, ours in zip(providers, read_head().providers, strict=True):
        assert provider.id == ours.id
        yield from ((provider, ours, *pair) for pair in zip(provider.models, read_models(ours.id), strict=True))


def list_words(clause):
    """The words of the library's clause."""
    for value in vars(clause).values():
        if isinstance(value, list):
            for one in value:
                yield from list_words(one)
        else:
            yield value


def comparable(price):
    """The rates of a price, ours or the library's, in the same form."""
    plain = vars(price) if isinstance(price, ModelPrice) else price
    return {
        name: rate if not hasattr(rate, "tiers") else (rate.base, [(one.start, one.price) for one in rate.tiers])
        for name, rate in plain.items()
        if rate is not None
    }


def test_it_is_made_anew_for_each_version(script):
    """The module in the repository is what the installed library gives, and its text of the licence names it."""
    made = script("price_list").write_module()
    assert made == (ROOT / "router" / "policy" / "budget" / "price_data.py").read_text("utf-8")
    named = read_head().source
    assert named in (ROOT / "router" / "policy" / "facts" / "LICENSES.txt").read_text("utf-8")


def test_names_mean_the_same_models():
    """Each name and word of the data, with a date in two forms and in capitals, finds the library's model."""
    compared = 0
    for provider, ours, model, _ in list_models():
        for word in {model.id, *list_words(model.match)}:
            for name in (word, f"{word.upper()}-20251211", f"x/{word}:free"):
                theirs, mine = provider.find_model(name, all_providers=providers), ours.find_model(name)
                assert (theirs and theirs.id) == (mine and mine.id), (provider.id, name)
                compared += theirs is not None
    assert compared > 3000


def test_prices_change_when_the_librarys_do():
    """On every day of a change and through a day, for every kind of request."""
    for _, _, theirs, mine in list_models():
        times = TIMES if len(mine.prices) > 1 else TIMES[-1:]
        for at, context in product(times, CONTEXTS if mine.variants else [{}]):
            assert comparable(mine.find_price(at, context)) == comparable(theirs.get_prices(at, context)), mine.id


@pytest.mark.parametrize(("extras", "some_unknown"), EXTRAS)
def test_sums_are_the_librarys(extras, some_unknown, monkeypatch):
    """To the billionth of a dollar, or unknown as there, for each model and kind of request."""
    at, compared, unknown, used = TIMES[-1], 0, 0, []
    monkeypatch.setattr(extra_prices, "sum_up", lambda price, counts: used.append(counts) or sum_up(price, counts))
    for provider, ours, theirs, mine in list_models():
        assert ours.sells(mine)
        for tokens, context in product(COUNTS, CONTEXTS if mine.variants else [{}]):
            found = extra_prices.sum_by_list(mine.find_price(at, context), tokens, extras)
            try:
                usage = Usage(**used.pop())
                whole = theirs.calc_price(usage, provider, genai_request_timestamp=at, price_context=context or None)
            except (LookupError, ValueError):
                assert found is None, mine.id
                unknown += 1
            else:
                assert found == round(whole.total_price * 10**9), mine.id
                compared += 1
    assert compared > 5000
    assert bool(unknown) is some_unknown


def test_the_day_of_the_data():
    """The latest day of a change that is not ahead."""
    assert find_data_date(date(2026, 11, 1)) <= date(2026, 11, 1)
    assert find_data_date(date.max) == read_head().days[-1]
    assert find_data_date(date.min) is None
