"""Requests that have ended: none is missed, the number that waits is bounded, and memory does not grow with names."""

import time
import tracemalloc
from contextlib import closing

import pytest

from router.ir import Usage
from router.policy.accounts.attempt import BindingRecord
from router.settings import Settings
from router.store.database.open import connect
from router.store.database.writer import PENDING, Ledger
from router.store.history import read_usage, reader
from router.store.history.name_table import LIMIT as NAMES
from router.store.history.name_table import OTHER as OTHER_NAME
from router.store.history.record import History
from router.store.home.home import open_home
from router.telemetry.accesslog import RequestRecord
from router.telemetry.pricing import Pricing
from router.telemetry.recorder import RECENT, Recorder


def recording(ledger):
    """A recorder into the history of a ledger, as a proxy composes it."""
    price = Pricing(Settings).price
    return Recorder(ledger, History(ledger, price, lambda: Settings().history_retention), price)


def counted(model, *, backend):
    return RequestRecord("x", 0.0, "POST", "/v1/messages", model=model, backend=backend, total=0.1)


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
        recorder.add_refused(distinct(number))
        while ledger.waiting + recorder.waiting > PENDING // 2:
            time.sleep(0.005)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    ledger.close(60)
    assert peak < 20 << 20
    assert ledger.dropped == 0
    assert sum(sum(counts.first.counts) for counts in recorder.counters.sets.values()) == count
    with closing(connect(home.at("history.db"))) as db:
        assert db.execute("SELECT count(*) FROM names").fetchone()[0] < NAMES + 20
        assert db.execute("SELECT count(*), count(DISTINCT session) FROM requests").fetchone() == (count, count)
    with reader.open_reader(home) as db:
        found = read_usage.summarize(db, time.time() - 7200, time.time())
    assert found.total.requests == count
    assert found.models[0].name == OTHER_NAME


def distinct(number):
    """A request that has nothing in common with any other."""
    return RequestRecord(
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
    """While the writer is blocked, 10,000 requests wait at most, those that are too many are counted as dropped, and
    the metrics hold all."""
    ledger = Stuck(open_home({"FAIRLEAD_HOME": str(tmp_path / "home")}), print)
    recorder = recording(ledger)
    for number in range(12_000):
        recorder.add_refused(distinct(number))
        assert ledger.waiting + recorder.waiting <= 10_000
    assert ledger.waiting + recorder.waiting + ledger.dropped == 12_000
    assert sum(sum(counts.first.counts) for counts in recorder.counters.sets.values()) == 12_000
    assert [entry.id for entry in recorder.recent] == [f"req_{number:020x}" for number in range(11_950, 12_000)]


def test_counts_are_exact_at_any_moment(tmp_path):
    """Counts and the latest requests are complete also while the writer processes those that ended."""
    ledger = Ledger(open_home({"FAIRLEAD_HOME": str(tmp_path / "home")}), print)
    recorder = recording(ledger)
    ledger.start()
    for number in range(3000):
        recorder.add_refused(counted("m", backend="b"))
        if number % 7 == 0:
            ledger.flush_soon()
        if number % 50 == 0:
            [counts] = recorder.counters.sets.values()
            assert sum(counts.durations[""].counts) == number + 1
            assert len(recorder.recent) == min(number + 1, RECENT)
    ledger.close()
