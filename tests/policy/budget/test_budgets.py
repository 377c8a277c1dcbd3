"""Budgets: their days and months in local time, what is counted, how amounts are said."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.policy.budget.budgets import (
    ALL,
    MOST_AMOUNT,
    Budget,
    BudgetState,
    BudgetView,
    Rates,
    TokenCounts,
    budget_key,
    compute_share,
    find_term,
    format_amount,
    measure_tokens,
)

ZONES = [ZoneInfo(name) for name in ("UTC", "Europe/Rome", "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia")]


@given(st.floats(0, 2.5e11), st.sampled_from(ZONES), st.sampled_from(["day", "month"]))
def test_terms_cover_time(at, zone, period):
    """Each moment lies in its own term, which begins at local midnight; the next one begins where it ends."""
    found = find_term(period, at, zone)
    assert found.start <= at < found.end
    assert find_term(period, found.start, zone) == found
    begin = datetime.fromtimestamp(found.start, zone)
    assert (begin.hour, begin.minute) in ((0, 0), (1, 0))  # where midnight does not exist, the day begins at one
    assert period == "day" or begin.day == 1
    if found.end < 2.5e11:
        assert find_term(period, found.end, zone).start == found.end


def test_days_of_23_and_25_hours():
    """A day is what the calendar of the place says it is."""
    rome = ZoneInfo("Europe/Rome")
    lengths = [
        (found.end - found.start) / 3600
        for text in ("2026-03-29T12:00", "2026-10-25T12:00", "2026-11-01T12:00")
        for found in [find_term("day", datetime.fromisoformat(text).replace(tzinfo=rome).timestamp(), rome)]
    ]
    assert lengths == [23, 25, 24]


def test_the_last_year():
    """The end of time has an end, and no error."""
    last = datetime(9999, 12, 31, 12, tzinfo=ZoneInfo("UTC")).timestamp()
    assert find_term("day", last, ZoneInfo("UTC")).end == float("inf")
    assert find_term("month", last, ZoneInfo("UTC")).end == float("inf")


def test_keys_do_not_hang_on_the_limit():
    """A changed limit goes on with the same spend; another day, scope or unit does not."""
    one = Budget(ALL, "day", "usd", 5)
    found = find_term("day", 1e9)
    assert budget_key(one, found) == budget_key(one._replace(limit=7), found)
    others = (one._replace(unit="tokens"), one._replace(scope="backend groq"))
    assert (
        len(
            {
                budget_key(one, found),
                *(budget_key(other, found) for other in others),
                budget_key(one, find_term("day", 2e9)),
            }
        )
        == 4
    )


@given(*[st.integers(0, 10**6)] * 5, st.integers(1, 9))
def test_shares_never_add_up_to_more(limit, spent, others, keep, needed, processes):
    """What is handed out is no more than what is left, and never less than what a process keeps."""
    held = compute_share(limit=limit, spent=spent, others=others, keep=keep, needed=needed, processes=processes)
    assert held >= keep
    assert held == keep or spent + others + held <= limit
    if spent + others + keep + needed <= limit:
        assert held >= keep + needed


def test_only_what_is_spent_is_used_up():
    """More handed out than there is stops a process for a round, even with nothing running: no reason to halt."""
    budget = Budget(ALL, "day", "usd", 100)
    state = BudgetState(budget, find_term("day", 0.0))
    assert not state.used_up
    state.receive(0, BudgetView(spent=40, held=70, others=1), settled=True)
    assert (state.admits(1), state.used_up) == (False, False)
    state.receive(0, BudgetView(spent=100), settled=True)
    assert (state.admits(1), state.used_up) == (False, True)


def test_a_request_that_needs_more_than_is_left_goes_alone():
    """It goes when this process holds the whole rest and no other anything; not beside another, not in the midst of a
    synchronization, not when nothing is left."""
    state = BudgetState(Budget(ALL, "day", "usd", 100), find_term("day", 0.0))
    state.receive(0, BudgetView(spent=99, held=1, others=0), settled=True)
    assert state.admits(10**12)
    state.reserved = 1
    assert not state.admits(10**12)
    state.reserved = 0
    state.begin(give_back=False)
    assert not state.admits(10**12)
    for view in (BudgetView(spent=50, held=49, others=1), BudgetView(spent=50, held=40), BudgetView(spent=100)):
        state.receive(0, view, settled=True)
        assert not state.admits(10**12), view


def test_amounts():
    """Dollars by the price of each kind of token, tokens all alike; nothing where no price is known."""
    counts = TokenCounts(1_000_000, 500_000, 2_000_000, 100_000, 50_000)
    rates = Rates(3 * 10**9, 15 * 10**9, 3 * 10**8, 375 * 10**7, 6 * 10**9, 10**13)
    assert measure_tokens("usd", counts, rates) == 3 * 10**9 + 75 * 10**8 + 6 * 10**8 + 375 * 10**6 + 3 * 10**8
    assert measure_tokens("tokens", counts, None) == 3_650_000
    assert measure_tokens("usd", counts, None) == 0
    assert measure_tokens("tokens", counts._replace(searches=7), None) == 3_650_000
    assert measure_tokens("usd", TokenCounts(searches=7), rates) == 7 * 10**7
    huge = TokenCounts(*[10**30] * 6)
    assert measure_tokens("usd", huge, rates) == measure_tokens("tokens", huge, None) == MOST_AMOUNT


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (5 * 10**9, "$5.00"),
        (0, "$0.00"),
        (1_234_567 * 10**9, "$1,234,567.00"),
        (2_300_000, "$0.0023"),
        (7, "$0.000000007"),
        (-5, "$-0.00"),
    ],
)
def test_dollars_in_words(amount, text):
    """Small amounts keep two digits that count."""
    assert format_amount("usd", amount) == text


def test_tokens_in_words():
    """With their unit."""
    assert format_amount("tokens", 1200) == "1,200 tokens"
