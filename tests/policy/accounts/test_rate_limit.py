"""The user's own limits of a backend."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from router.policy.accounts.rate_limit import RateLimit, RateSettings


def test_interval():
    """Between two requests lies the least time that was set."""
    rate = RateLimit(RateSettings(interval=2.0))
    assert rate.wait(10, 0).until == 10
    rate.count_request(10, 0)
    assert rate.wait(11, 0) == (12.0, "min_interval")
    assert rate.wait(12, 0) == (12, "")


def test_rpm():
    """The request beyond the limit waits until the first of the last minute does not count any more."""
    rate = RateLimit(RateSettings(rpm=2))
    rate.count_request(0, 0)
    rate.count_request(30, 0)
    assert rate.wait(31, 0) == (61.0, "rpm")
    assert rate.used(31) == {"rpm": (2, 2)}
    assert rate.wait(61, 0) == (61, "")


def test_tpm():
    """Tokens are counted by estimate at the beginning, and put right at the end."""
    rate = RateLimit(RateSettings(tpm=100))
    rate.count_request(0, 60)
    assert rate.wait(1, 50).limit == "tpm"
    rate.correct_tokens(1, -30)
    assert rate.wait(1, 50).until == 1
    assert rate.used(1) == {"tpm": (30, 100)}


def test_more_than_the_limit_by_itself():
    """A request of more tokens than a minute has goes into an empty minute; it is not refused for ever."""
    rate = RateLimit(RateSettings(tpm=100))
    assert rate.wait(0, 500).until == 0
    rate.count_request(0, 500)
    assert rate.wait(1, 1).until == 61
    assert rate.wait(61, 500).until == 61


def test_no_limit():
    """Without limits nothing waits and nothing is counted."""
    rate = RateLimit(RateSettings())
    rate.count_request(0, 10)
    assert rate.wait(0, 10**9).until == 0
    assert rate.used(0) == {}


@given(
    st.lists(st.tuples(st.floats(0, 30), st.integers(1, 40)), min_size=1, max_size=80),
    st.integers(1, 6),
    st.integers(20, 100),
    st.sampled_from([0.0, 0.5, 7.0]),
)
def test_no_minute_over_the_limit(arrivals, rpm, tpm, interval):
    """Of requests that wait as long as `wait` says no 60 seconds have more than the limits (a single large request
    aside), and none waits in vain."""
    rate, now = RateLimit(RateSettings(rpm, tpm, interval)), 1000.0
    sent: list[tuple[float, int]] = []
    for wait, tokens in arrivals:
        now += wait
        until = rate.wait(now, tokens).until
        assert until <= now + 130, "it waits for longer than two minutes"
        if until > now:
            now = until
            if rate.wait(now, tokens).until > now:
                continue
        rate.count_request(now, tokens)
        sent.append((now, tokens))
    for at, (start, first) in enumerate(sent):
        window = [entry for entry in sent[at:] if entry[0] < start + 60]
        assert len(window) <= rpm
        assert sum(tokens for _, tokens in window) <= max(tpm, first)
        assert all(after - before >= interval - 1e-6 for (before, _), (after, _) in itertools.pairwise(window))


def test_what_others_sent_counts_and_is_not_told_again():
    """Requests of other processes fill the minute; only those of this one are counted as its own."""
    limit = RateLimit(RateSettings(rpm=3, tpm=100))
    limit.count_request(1.0, 10)
    limit.count_elsewhere(1.5, 2, 50)
    assert limit.wait(2.0, 1).limit == "rpm"
    assert limit.used(2.0) == {"rpm": (3, 3), "tpm": (60, 100)}
    assert (limit.counted_requests, limit.counted_tokens) == (1, 10)
    assert limit.used_here(2.0) == {"rpm": (1, 3), "tpm": (10, 100)}
    assert limit.used_here(70.0) == limit.used(70.0) == {"rpm": (0, 3), "tpm": (0, 100)}
    RateLimit(RateSettings()).count_elsewhere(1.0, 5, 5)
