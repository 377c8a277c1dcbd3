"""The counts of the metrics: histograms of tokens, and a bounded number of label sets."""

from hypothesis import given
from hypothesis import strategies as st

from router.store.history.entry import HistoryEntry
from router.telemetry.metrics_counts import LIMIT, OTHER, TOKEN_EDGES, Counters, TokenHistogram

from ..growth import count_work


def entry(**fields):
    return HistoryEntry(id="x", started=0.0, method="POST", path="/v1/messages", **fields)


@given(st.lists(st.integers(0, 1 << 40), max_size=40))
def test_token_counts_stand_in_their_bucket(counts):
    """Each bucket holds the counts up to its end, the last one all."""
    sizes = TokenHistogram()
    sizes.add(counts)
    held = 0
    for end, found in zip(TOKEN_EDGES, sizes.counts, strict=False):
        held += found
        assert held == sum(count <= end for count in counts)
    assert sum(sizes.counts) == len(counts)
    assert sizes.sum == sum(counts)


def test_label_sets_are_bounded():
    """Any number of models leaves LIMIT sets and one more for each operation and backend."""
    counters = Counters()
    for number in range(100_000):
        counters.count([entry(model=f"m{number}", backend="b", tokens_in=1), entry(model=f"m{number}")])
    assert len(counters.sets) <= LIMIT + 2
    assert sum(counts.tokens["input"].sum for counts in counters.sets.values() if counts.tokens) == 100_000
    assert ("chat", "b", OTHER) in counters.sets
    assert ("chat", "", "") in counters.sets


def test_counting_is_quick():
    """Its thread shares a core and a lock with the requests: two hundred lines of Python for one, and a tenth of that
    for each of many at once."""
    counters, one = Counters(), entry(model="m", backend="b", total=0.1, first_byte=0.1, tokens_in=1, tokens_out=2)
    counters.count([one])

    def count():
        for _ in range(100):
            counters.count([one])

    assert count_work(count) < 100 * 400
    assert count_work(lambda: counters.count([one] * 100)) < 100 * 60
