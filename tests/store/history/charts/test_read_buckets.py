"""Sums of hours and days, by name."""

import sqlite3
from datetime import datetime

import pytest

from router.store.database.migrations import MIGRATIONS
from router.store.history import histogram
from router.store.history.charts.read_buckets import read_buckets
from router.store.history.rollups import ROLES

HOUR = 3600
NAMES = {1: "", 2: "opus", 3: "mini"}


@pytest.fixture
def db():
    found = sqlite3.connect(":memory:", isolation_level=None)
    for step in MIGRATIONS:
        for statement in step if not isinstance(step, str) else (step,):
            found.execute(statement)
    found.executemany("INSERT INTO names (id, text) VALUES (?, ?)", NAMES.items())
    yield found
    found.close()


def add(db, hour, role, name, *, requests=1, cost=0, first=b"", read=0):
    columns = "hour, role, name, requests, errors, tokens_in, tokens_out, cache_read, cost, first, total"
    values = (hour, ROLES.index(role), name, requests, 1, 10, 5, read, cost, first, b"")
    marks = ", ".join("?" * len(values))
    others = [row[1] for row in db.execute("PRAGMA table_info(rollups)") if row[1] not in columns.split(", ")]
    zeros = ", ".join("0" for _ in others)
    db.execute(f"INSERT INTO rollups ({columns}, {', '.join(others)}) VALUES ({marks}, {zeros})", values)


def test_hours(db):
    """An hour has its total, its percentiles, and its names; requests without a name are in the total alone."""
    now = 1_000 * HOUR
    add(
        db,
        999,
        "all",
        1,
        requests=3,
        cost=3_000_000_000,
        first=histogram.pack(histogram.build_histogram([2e6] * 3)),
        read=30,
    )
    add(db, 999, "model", 2, requests=2, cost=2_000_000_000)
    add(db, 999, "model", 1)
    add(db, 999, "client", 3)
    add(db, 10, "all", 1)
    [found] = read_buckets(db, now - 2 * HOUR, now, role="model", days=False)
    assert (found.start, found.total.requests, found.total.cost_usd, found.total.tokens) == (999 * HOUR, 3, 3.0, 45)
    assert (found.total.cache_read, found.total.input) == (30, 40)
    assert found.first_byte_p50 == pytest.approx(2000, rel=0.1)
    assert {name: one.cost_usd for name, one in found.names.items()} == {"opus": 2.0}


def test_days_are_local(db):
    """A day holds the hours that begin in it, by the clock of this machine; days without requests are not there."""
    at = int(datetime(2026, 11, 20, 12).timestamp()) // HOUR
    for hour in (at, at + 5, at + 48):
        add(db, hour, "all", 1)
        add(db, hour, "account", 2)
    found = read_buckets(db, (at - 100) * HOUR, (at + 60) * HOUR, role="account", days=True)
    days = [datetime.fromtimestamp(one.start) for one in found]
    assert days == [datetime(2026, 11, 20), datetime(2026, 11, 22)]
    assert [one.total.requests for one in found] == [2, 1]
    assert [one.names["opus"].requests for one in found] == [2, 1]
    assert found[0].first_byte_p50 is None
