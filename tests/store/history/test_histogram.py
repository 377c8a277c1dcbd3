"""Histograms in integers: quantiles are within 9 %."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.store.history import histogram as buckets

DURATIONS = st.integers(min_value=10, max_value=30_000_000_000)


@given(st.lists(DURATIONS, min_size=1, max_size=60), st.sampled_from((0.0, 0.5, 0.95, 1.0)))
def test_quantiles_are_near(durations, share):
    """Between the neighbours of the true quantile, give or take a bucket's width."""
    histogram = buckets.build_histogram(durations)
    durations.sort()
    at = share * (len(durations) - 1)
    low, high = durations[int(at)], durations[min(int(at) + 1, len(durations) - 1)]
    assert low / 2**0.25 <= buckets.quantile(histogram, share) <= high * 2**0.25


@given(st.lists(DURATIONS, max_size=60), st.lists(DURATIONS, max_size=60))
def test_adding_up(first, second):
    """The sum of two histograms is the histogram of both, also after it was stored."""
    together = buckets.build_histogram(first + second)
    stored = [buckets.unpack(buckets.pack(buckets.build_histogram(part))) for part in (first, second)]
    assert sum(stored) == together
    assert sum(buckets.list_counts(together)) == len(first) + len(second)


@given(DURATIONS)
def test_a_duration_lies_in_its_bucket(duration):
    """Not longer than its end, and longer than the end before."""
    number = buckets.bucket_of(duration)
    assert duration <= buckets.bucket_end(number) * 1.000001
    assert number == 0 or duration > buckets.bucket_end(number - 1) * 0.999999


@pytest.mark.parametrize("duration", [0, -1, 1, 1e300])
def test_the_ends(duration):
    """Nothing is too short or too long."""
    assert 0 <= buckets.bucket_of(duration) < buckets.COUNT


def test_nothing():
    """No durations have no quantile."""
    assert buckets.quantile(0, 0.5) is None
    assert buckets.pack(0) == b""
    assert buckets.bucket_end(40) == 10_000
