"""Requests and their hourly sums in history.db: exact, bounded, and kept for as long as configured."""

import os
import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.policy.accounts.attempt import AttemptRecord, BindingRecord
from router.store.database.open import connect, open_history
from router.store.database.writer import PENDING, Ledger
from router.store.history import read_requests, read_usage, reader
from router.store.history import rows as module
from router.store.history.entry import HistoryEntry
from router.store.history.record import History, clear
from router.store.home.home import open_home
from router.wire.headers.agent_hints import AgentHints
from router.wire.headers.rate_limits import Windows

from ...e2e.processes import Proxy
from ...e2e.wire import ask


@pytest.fixture
def ledger(home):
    made = Ledger(home, print)
    yield made
    made.close(30)


def begun(ledger, *, days=30, price=lambda entry: (1000, "list")):
    return History(ledger, price, lambda: days)


def entry(number, **fields):
    """An ordinary request."""
    return HistoryEntry(
        **{
            "id": f"req_{number:020x}",
            "started": time.time(),
            "method": "POST",
            "path": "/v1/messages",
            "model": "m",
            "backend": "b",
            "account": "main",
            "status": 200,
            "attempts": 1,
            "first_byte": 0.1,
            "total": 0.5,
            "tokens_in": 10,
            "tokens_out": 5,
            **fields,
        }
    )


def summed(home, seconds=3600.0):
    """The summary of the last while."""
    now = time.time()
    with reader.open_reader(home) as db:
        return read_usage.summarize(db, now - seconds, now)


@pytest.mark.parametrize("count", [1, 24, 26, 99, 100, 101, 226])
@pytest.mark.parametrize("pooled", [0.0, 0.02, 0.5, 1.0])
def test_every_row_comes_back(home, count, pooled):
    """However many are written together, in their order, with what only those of pools have beside the others."""
    chance = random.Random(count)

    def one(number):
        if chance.random() >= pooled:
            return entry(number, tokens_in=chance.choice((None, 0, 7)))
        binding = BindingRecord(account="main", session=f"{number:016x}", turns=number)
        windows = Windows(used_5h=0.25, resets_5h=1_790_000_000 + number) if number % 2 else None
        return entry(number, binding=binding, windows=windows, given_up=chance.choice((None, 0, number)))

    entries = [one(number) for number in range(count)]
    db, _ = open_history(home)
    with closing(db):
        history = begun(Ledger(home, print))
        db.execute("BEGIN IMMEDIATE")
        history._write(db, entries)
        db.execute("COMMIT")
        found = list(read_requests.read_all(db))
    assert [row.id for row in found] == [asked.id for asked in entries]
    for row, asked in zip(found, entries, strict=True):
        binding, windows = asked.binding, asked.windows or Windows()
        assert (row.tokens_in, row.given_up, row.status) == (asked.tokens_in, asked.given_up, 200)
        assert (row.used_5h, row.resets_5h, row.used_7d) == (windows.used_5h, windows.resets_5h, None)
        told = (binding.account, binding.session, binding.turns) if binding else (None, None, None)
        assert (row.bound, row.session, row.turns) == told


def test_rows_and_sums_agree(home, ledger):
    """In a window that begins within an hour too, sums are those of its rows."""
    history, chance, now = begun(ledger), random.Random(1), time.time()
    entries = [
        entry(number, started=now - chance.random() * 5 * 3600, model=f"m{number % 7}", tag="t" * (number % 2))
        for number in range(3000)
    ]
    for one in entries:
        history.add(one)
    ledger.close(30)
    for seconds in (600.0, 3600.0, 2.5 * 3600, 6 * 3600.0):
        inside = [one for one in entries if int(one.started * 1000) >= int((now - seconds) * 1000)]
        with reader.open_reader(home) as db:
            found = read_usage.summarize(db, now - seconds, now)
        assert found.total.requests == len(inside)
        assert found.total.tokens_in == 10 * len(inside)
        assert found.total.cost_usd == pytest.approx(len(inside) * 1e-6)
        assert {one.name: one.requests for one in found.models} == {
            name: sum(one.model == name for one in inside) for name in {one.model for one in inside}
        }
        assert [(one.name, one.requests) for one in found.tags] == [("t", sum(one.tag == "t" for one in inside))]


def test_what_the_client_tells_of_its_agents(home, ledger):
    """It comes back with each request, and sums are kept by class and by agent; requests that tell nothing are in no
    group, in the part of an hour that is read from rows too."""
    history, hour = begun(ledger), 3600.0
    told = AgentHints("subagent", "Explore", "a1", "a0", "p1")
    for number, age in enumerate((60.0, 60.0, 1.9 * hour)):
        fields = {"request_class": told.request_class, "agent": told.agent, "hints": told} if number else {}
        history.add(entry(number, started=time.time() - age, **fields))
    ledger.close(30)
    with reader.open_reader(home) as db:
        oldest, told_row, silent = sorted(read_requests.read_latest(db, 5), key=lambda row: row.id, reverse=True)
    for row in (oldest, told_row):
        assert (row.request_class, row.agent, row.agent_id) == ("subagent", "Explore", "a1")
        assert (row.parent_agent_id, row.prompt_id) == ("a0", "p1")
    assert (silent.request_class, silent.agent, silent.agent_id, silent.prompt_id) == (None,) * 4
    found = summed(home, 1.95 * hour)
    assert [(one.name, one.requests) for one in found.classes] == [("subagent", 2)]
    assert [(one.name, one.requests) for one in found.agents] == [("Explore", 2)]
    assert found.total.requests == 3


def test_two_processes_share_it(home, ledger):
    """Sums of both are one, names too, whichever wrote them first."""
    other = Ledger(home, print)
    histories = [begun(ledger), begun(other)]
    ledger.start()
    other.start()
    for number in range(2000):
        histories[number % 2].add(entry(number, model=f"m{number % 13}"))
        if number % 500 == 0:
            time.sleep(0.3)
    ledger.close(30)
    other.close(30)
    found = summed(home)
    assert found.total.requests == 2000
    assert [one.requests for one in found.models] == sorted(2000 // 13 + (n < 2000 % 13) for n in range(13))[::-1]


def test_a_batch_that_fails_counts_once(home, ledger, monkeypatch):
    """Rolled back and written again, its names and sums are right."""
    history, failures = begun(ledger), iter((True, True, False))
    usual = module.add_up

    def busy(db, sums):
        usual(db, sums)
        if next(failures, False):
            error = sqlite3.OperationalError("locked")
            error.sqlite_errorcode = 5
            raise error

    monkeypatch.setattr(module, "add_up", busy)
    history.add(entry(1, model="new"))
    ledger.start()
    time.sleep(0.2)
    history.add(entry(2, model="newer"))
    for _ in range(8):
        time.sleep(0.3)
        history._ledger._wake.set()
    ledger.close(10)
    found = summed(home)
    assert {one.name: one.requests for one in found.models} == {"new": 1, "newer": 1}
    assert ledger.dropped == 0


@given(
    st.builds(
        HistoryEntry,
        id=st.text(max_size=30),
        started=st.floats(0, 4e9),
        method=st.text(max_size=10),
        path=st.text(max_size=300),
        model=st.text(st.characters(), max_size=300),
        served=st.text(max_size=300),
        billing=st.text(max_size=100),
        tokens_in=st.none() | st.integers(0, 1 << 80),
        tokens_out=st.none() | st.integers(0, 1 << 80),
        notes=st.text(max_size=900),
        first_byte=st.none() | st.floats(-1, 1e9),
        total=st.floats(-1, 1e9),
        utilisation=st.none() | st.floats(0, 10),
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_nothing_costs_a_batch(home, one):
    """Whatever callers and upstreams put in a request, it can be stored: else 255 others would be lost with it."""
    db, _ = open_history(home)
    history = begun(Ledger(home, print), price=lambda entry: (1 << 90, "x"))
    with closing(db):
        db.execute("BEGIN IMMEDIATE")
        history._write(db, [one])
        db.execute("ROLLBACK")


def test_retention(home, ledger):
    """Rows older than the retention are deleted, the sums of their hours stay."""
    history = begun(ledger, days=7)
    old = time.time() - 8 * 86400
    for number in range(10):
        history.add(entry(number, started=old if number < 6 else time.time()))
    ledger.start()
    time.sleep(1.0)
    ledger.close(10)
    again = Ledger(home, print)
    begun(again, days=7)
    again.start()
    time.sleep(0.5)
    again.close(10)
    with closing(connect(home.at("history.db"))) as db:
        assert db.execute("SELECT count(*) FROM requests").fetchone() == (4,)
    assert summed(home, 30 * 86400.0).total.requests == 10


def test_clear_under_a_writer(home, ledger):
    """All is erased from the file, and later requests are counted right although their names were cached."""
    history = begun(ledger)
    history.add(entry(1, model="secret-model"))
    ledger.start()
    time.sleep(1.0)
    db, _ = open_history(home)
    with closing(db):
        assert clear(db) == 1
    assert b"secret-model" not in home.at("history.db").read_bytes()
    history.add(entry(2, model="secret-model"))
    ledger.close(10)
    found = summed(home)
    assert (found.total.requests, found.models[0].name) == (1, "secret-model")


def test_the_queue_is_bounded(home):
    """A full queue drops and counts; adding never waits."""
    ledger = Ledger(home, print)
    history = begun(ledger)
    for number in range(PENDING + 3):
        history.add(entry(number))
    assert ledger.dropped == 3
    ledger.close(30)
    assert summed(home).total.requests == PENDING


def test_rates_and_forecasts(home, ledger):
    """The burn is that of the last 15 minutes; a limit that fills up is full when its line says."""
    history, now = begun(ledger), time.time()
    for minute in range(10):
        history.add(entry(minute, started=now - 600 + minute * 60, utilisation=0.5 + minute * 0.02))
    history.add(entry(100, started=now - 3000, utilisation=0.1))
    history.add(entry(101, backend="quiet", utilisation=0.3))
    ledger.close(10)
    found = summed(home)
    assert found.rate.requests_per_min == pytest.approx(11 / 15, abs=0.001)
    assert found.rate.cost_usd_per_hour == pytest.approx(11e-6 * 4)
    busy, quiet = found.limits
    assert (busy.account, busy.utilisation) == ("b/main", pytest.approx(0.68))
    assert busy.per_hour == pytest.approx(1.2, rel=0.01)
    assert busy.full_in_s == pytest.approx(0.32 / 1.2 * 3600, rel=0.01)
    assert (quiet.per_hour, quiet.full_in_s) == (None, None)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks the system for the CPU time of another process")
def test_a_million_requests(tmp_path, capsys):
    """A month of them: sums of any window come within 300 ms, as `usage` and GET /analytics ask for them, and the file
    is below 350 MB."""
    home = open_home({"FAIRLEAD_HOME": str(tmp_path / "home")})
    ledger, chance, now = Ledger(home, print), random.Random(1), time.time()
    history = begun(ledger)
    ledger.start()
    for number in range(1_000_000):
        one = entry(
            number,
            id=f"req_{chance.getrandbits(80):020x}",
            started=now - (1_000_000 - number) * 2.5,
            model=f"claude-opus-{number % 10}",
            backend=f"backend-{number % 4}",
            client=("claude-code", "codex", "")[number % 3],
            tag=("", "", "nightly")[number % 3],
            billing=("five_hour", "")[number % 2],
            first_byte=chance.expovariate(1),
            total=chance.expovariate(0.1),
            cache_read=90_000,
            utilisation=chance.random(),
            windows=Windows(used_5h=chance.random(), resets_5h=int(now), used_7d=chance.random(), resets_7d=int(now)),
            binding=BindingRecord(account="main", session=f"{chance.getrandbits(64):016x}", turns=number % 300),
            tries=(AttemptRecord(at=0.003, backend=f"backend-{number % 4}", account="main", status=200),),
        )
        history.add(one)
        while ledger.waiting > PENDING // 2:
            time.sleep(0.005)
    ledger.close(120)
    size = sum(path.stat().st_size for path in home.path.glob("history.db*"))
    windows = {"60m": 3600, "24h": 86400, "7d": 7 * 86400, "30d": 30 * 86400}
    sums = {
        name: spent(time.process_time, lambda seconds=seconds: summed(home, seconds))
        for name, seconds in windows.items()
    }
    with Proxy(tmp_path) as proxy:
        proxy.loaded()
        of_proxy = partial(time.clock_gettime, ((~proxy.process.pid) << 3) | 2)
        asked = {name: spent(of_proxy, lambda name=name: analytics(proxy, name)) for name in windows}
        commands = {name: spent(_children, lambda name=name: usage(tmp_path, name)) for name in windows}
        found = analytics(proxy, "30d")
    with capsys.disabled():
        print(f"\nsums {sums}, /analytics {asked}, usage {commands} ms, {size >> 20} MB", file=sys.stderr)
    assert found["total"]["requests"] == summed(home, 720 * 3600.0).total.requests == 1_000_000
    assert max(*sums.values(), *asked.values(), *commands.values()) <= 300
    assert size <= 350 << 20


def spent(clock, work):
    """CPU time in ms, the least of three runs, so that other load of the machine counts little."""
    taken = []
    for _ in range(3):
        before = clock()
        work()
        taken.append(clock() - before)
    return round(min(taken) * 1000)


def _children():
    times = os.times()
    return times.children_user + times.children_system


def analytics(proxy, since):
    return ask(proxy.port, f"/analytics?since={since}", None, proxy.operator()).json()


def usage(folder, since):
    environ = {**os.environ, "FAIRLEAD_HOME": str(folder / "home"), "HOME": str(folder)}
    command = [sys.executable, "-m", "router", "usage", "--since", since]
    subprocess.run(command, env=environ, check=True, stdout=subprocess.DEVNULL)


# Adds requests as fast as it is told, and prints when each was added.
PROGRAM = """
import sys, time
from router.ir import Usage
from router.settings import Settings
from router.store.database.writer import Ledger
from router.store.history.record import History
from router.store.home.home import open_home
from router.telemetry.accesslog import RequestRecord
from router.telemetry.pricing import Pricing
from router.telemetry.recorder import Recorder
ledger, settings = Ledger(open_home({"FAIRLEAD_HOME": sys.argv[1]}), print), Settings()
price = Pricing(lambda: settings).price
recorder = Recorder(ledger, History(ledger, price, lambda: settings.history_retention), price)
ledger.start()
for number in range(1_000_000):
    recorder.add_refused(RequestRecord(f"r{number}", time.time(), "POST", "/", model=f"m{number % 50}", backend="b",
                            usage=Usage(input=1), total=0.1))
    sys.stdout.write(f"r{number} {time.monotonic()}\\n")
    sys.stdout.flush()
    time.sleep(0.001)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 50))])
def test_kill_9(home, seed):
    """Killed at any moment, the file is whole, all but the last second is in it, and sums are those of the rows."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PROGRAM, str(home.path)], stdout=subprocess.PIPE, text=True
    )
    process.stdout.readline()
    time.sleep(random.Random(seed).uniform(0.1, 2.5))
    killed = time.monotonic()
    process.kill()
    lines = [line.split() for line in process.communicate()[0].splitlines()]
    due = {name for name, added in (line for line in lines if len(line) == 2) if float(added) < killed - 1}
    with closing(connect(home.at("history.db"))) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = dict(db.execute("SELECT text, count(*) FROM requests JOIN names ON names.id = served GROUP BY text"))
        assert due <= {row[0] for row in db.execute("SELECT id FROM requests")}
    # Two hours back, so that all of it comes from the sums.
    found = summed(home, 7200.0)
    assert {one.name: one.requests for one in found.models} == rows
    assert found.total.tokens_in == sum(rows.values())


def test_minutes_and_losses(home, ledger):
    """Each minute of a window has its requests, those without any too; losses are counted by what was lost."""
    history, now = begun(ledger), float(int(time.time()) // 60 * 60)
    lost = ("thinking=dropped; cache_control=dropped", "thinking=folded", "")
    for number, (status, losses) in enumerate(zip((200, 500, 200), lost, strict=True)):
        history.add(entry(number, started=now - 60 * number, status=status, losses=losses, tokens_out=7))
    ledger.close(10)
    with reader.open_reader(home) as db:
        found = read_requests.read_minutes(db, now - 180, now)
        assert read_requests.count_losses(db, now - 180) == [("thinking", 2), ("cache_control", 1)]
        assert read_requests.count_losses(db, now - 30) == [("cache_control", 1), ("thinking", 1)]
    assert [one.time for one in found] == [now - 180, now - 120, now - 60, now]
    assert [one.requests for one in found] == [0, 1, 1, 1]
    assert [one.errors for one in found] == [0, 0, 1, 0]
    assert [one.tokens_out for one in found] == [0, 7, 7, 7]
