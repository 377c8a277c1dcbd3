"""What a request leaves behind where the upstream did not say, and what the metrics count."""

import sys
import time
import tracemalloc
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.exchange.conclusion import estimate
from router.ir import Usage
from router.policy.accounts.attempt import BindingRecord
from router.settings import Settings
from router.store.database.open import connect
from router.store.database.writer import PENDING, Ledger
from router.store.history import read_usage, reader
from router.store.history.entry import Entry
from router.store.history.name_table import LIMIT as NAMES
from router.store.history.name_table import OTHER as OTHER_NAME
from router.store.history.record import History
from router.store.home.home import open_home
from router.telemetry.accesslog import Record
from router.telemetry.metrics_counts import LIMIT, OTHER, SIZES, Counters, Sizes
from router.telemetry.pricing import Pricing
from router.telemetry.recorder import RECENT, Recorder


def record(status=200, error="", usage=None, *, guess=0, sent=360, estimated=False):
    made = Record("req_1", 0.0, "POST", "/v1/messages", status=status, error=error, estimated=estimated)
    made.usage, made.guess, made.request_bytes = usage or Usage(), guess, sent
    return made


@pytest.mark.parametrize(
    ("found", "writes", "counts", "estimated"),
    [
        (record(usage=Usage(7, 9)), True, (7, 9), False),
        (record(usage=Usage(0, 0)), True, (0, 0), False),
        (record(guess=40), True, (100, 40), True),
        (record(usage=Usage(7, None), guess=40), True, (7, 40), True),
        (record(usage=Usage(None, 9), guess=40), True, (100, 9), True),
        (record(usage=Usage(8, None)), False, (8, None), False),
        (record(), False, (100, None), True),
        (record(error="upstream_error", status=500), True, (None, None), False),
        (record(error="upstream_error", status=200, guess=4), True, (None, None), False),
        (record(error="bad_gateway", status=502), True, (None, None), False),
        (record(error="client_gone", status=499, estimated=True), True, (100, 0), True),
        (record(error="client_gone", usage=Usage(3, 1), guess=50, estimated=True), True, (3, 50), True),
        (record(error="upstream_broke_off", usage=Usage(3, 80), guess=50), True, (3, 80), True),
        (record(usage=Usage(None, None, 90, 5), guess=1), True, (5, 1), True),
    ],
)
def test_estimates(found, writes, counts, estimated):
    """What was said stays; what was not is estimated and marked, never zero for want of a count; refusals are free."""
    estimate(found, writes=writes)
    assert (found.usage.input, found.usage.output) == counts
    assert found.estimated is estimated


def test_a_price_that_cannot_be_had(monkeypatch):
    """A defect in the price data leaves a request unpriced; it is not lost."""

    price = Pricing(Settings).price
    one = entry(model="m", backend="b", root="https://api.openai.com/v1", tokens_in=1)
    assert price(one) == (None, "")
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    assert price(entry(model="gpt-5", root="https://api.openai.com/v1", tokens_in=1)) == (None, "")


def recording(ledger):
    """A recorder into the history of a ledger, as a proxy composes it."""
    price = Pricing(Settings).price
    return Recorder(ledger, History(ledger, price, lambda: Settings().history_retention), price)


def entry(**fields):
    return Entry(id="x", started=0.0, method="POST", path="/v1/messages", **fields)


def counted(model, *, backend):
    return Record("x", 0.0, "POST", "/v1/messages", model=model, backend=backend, total=0.1)


@given(st.lists(st.integers(0, 1 << 40), max_size=40))
def test_token_counts_stand_in_their_bucket(counts):
    """Each bucket holds the counts up to its end, the last one all."""
    sizes = Sizes()
    sizes.add(counts)
    held = 0
    for end, found in zip(SIZES, sizes.counts, strict=False):
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
    """Its thread shares a core and a lock with the requests: 20 us each would be far too many."""
    counters, one = Counters(), entry(model="m", backend="b", total=0.1, first_byte=0.1, tokens_in=1, tokens_out=2)
    before = time.process_time()
    for _ in range(5000):
        counters.count([one])
    assert time.process_time() - before < 5000 * 20e-6


@pytest.mark.parametrize("count", [10_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_nothing_grows_with_names(tmp_path, count):
    """However many models, sessions, tags, classes and clients there are, memory and the table of names stay bounded,
    and every request is counted."""
    home = open_home({"FAIRLEAD_HOME": str(tmp_path / "home")})
    ledger = Ledger(home, print)
    recorder = recording(ledger)
    ledger.start()
    tracemalloc.start()
    for number in range(count):
        recorder.refused(distinct(number))
        while ledger.waiting + recorder.waiting > PENDING // 2:
            time.sleep(0.005)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    ledger.close(60)
    assert peak < 20 << 20
    assert ledger.dropped == 0
    assert sum(sum(counts.first.held) for counts in recorder.counters.sets.values()) == count
    with closing(connect(home.at("history.db"))) as db:
        assert db.execute("SELECT count(*) FROM names").fetchone()[0] < NAMES + 20
        assert db.execute("SELECT count(*), count(DISTINCT session) FROM requests").fetchone() == (count, count)
    with reader.reading(home) as db:
        found = read_usage.summary(db, time.time() - 7200, time.time())
    assert found.total.requests == count
    assert found.models[0].name == OTHER_NAME


def distinct(number):
    """A request that has nothing in common with any other."""
    return Record(
        f"req_{number:020x}",
        time.time(),
        "POST",
        "/v1/messages",
        model=f"model-{number}-{'x' * 60}",
        backend="b",
        account="main",
        status=200,
        first_byte=0.1,
        total=0.2,
        client=f"client-{number % 50}",
        tag=f"tag-{number}",
        limits={b"anthropic-ratelimit-unified-representative-claim": b"class-%d" % number},
        usage=Usage(10, 5),
        binding=BindingRecord(account="main", session=f"{number:016x}", turns=1),
    )


class Stuck(Ledger):
    """A ledger whose thread does nothing."""

    def start(self):
        """Nothing."""


def test_what_waits_is_bounded(tmp_path):
    """While the writer is held up, 10,000 requests wait at most, those that are too many are counted as dropped, and
    the metrics hold all."""
    ledger = Stuck(open_home({"FAIRLEAD_HOME": str(tmp_path / "home")}), print)
    recorder = recording(ledger)
    for number in range(12_000):
        recorder.refused(distinct(number))
        assert ledger.waiting + recorder.waiting <= 10_000
    assert ledger.waiting + recorder.waiting + ledger.dropped == 12_000
    assert sum(sum(counts.first.held) for counts in recorder.counters.sets.values()) == 12_000
    assert [entry.id for entry in recorder.recent] == [f"req_{number:020x}" for number in range(11_950, 12_000)]


def test_counts_are_exact_at_any_moment(tmp_path):
    """Whoever asks for counts or for the latest while the writer takes what has ended misses none."""
    ledger = Ledger(open_home({"FAIRLEAD_HOME": str(tmp_path / "home")}), print)
    recorder = recording(ledger)
    ledger.start()
    for number in range(3000):
        recorder.refused(counted("m", backend="b"))
        if number % 7 == 0:
            ledger.flush_soon()
        if number % 50 == 0:
            [counts] = recorder.counters.sets.values()
            assert sum(counts.durations[""].held) == number + 1
            assert len(recorder.recent) == min(number + 1, RECENT)
    ledger.close()
