"""Parts of a port of several workers: when one is started again, what is handed over, and reports as one."""

import itertools
import os
import socket
import sys

import msgspec
import pytest

from router.errors import CommandError
from router.operator_api.combine import add_metrics, combine_guards, keep_counts
from router.operator_api.guard import BudgetReport, GuardStatus, NotCounted
from router.server.workers.given import VARIABLE, Given, take_given
from router.server.workers.parent import FIRST_SECONDS, MOST_SECONDS, STEADY_SECONDS, check_workers, compute_delay

ONE = b"""# HELP fairlead_refused_requests_total Refused.
# TYPE fairlead_refused_requests_total counter
fairlead_refused_requests_total{reason="host"} 2.0
# HELP fairlead_loop_lag_seconds Lag.
# TYPE fairlead_loop_lag_seconds gauge
fairlead_loop_lag_seconds 0.5
# HELP fairlead_buffered_bytes Bytes.
# TYPE fairlead_buffered_bytes gauge
fairlead_buffered_bytes 10.0
"""
TWO = (
    ONE.replace(b'host"} 2.0', b'host"} 3.0\nfairlead_refused_requests_total{reason="no key"} 1.0')
    .replace(b"0.5", b"0.25")
    .replace(b"10.0", b"5.0")
)


def test_the_wait_doubles_while_workers_end_at_once():
    """The first wait is short, the longest bounded, and one that has lived for a while is replaced at once."""
    delays = [0.0]
    for _ in range(12):
        delays.append(compute_delay(0.1, delays[-1]))
    assert delays[1] == FIRST_SECONDS
    assert all(after == min(MOST_SECONDS, 2 * before) for before, after in itertools.pairwise(delays[1:]))
    assert compute_delay(STEADY_SECONDS, MOST_SECONDS) == 0.0


def test_counts_are_added_and_lags_are_not():
    """Of counters and amounts the sum, of lags the largest; each family has its head once."""
    text = add_metrics([ONE, TWO]).decode()
    assert 'fairlead_refused_requests_total{reason="host"} 5.0' in text
    assert 'fairlead_refused_requests_total{reason="no key"} 1.0' in text
    assert "fairlead_loop_lag_seconds 0.5" in text
    assert "fairlead_buffered_bytes 15.0" in text
    assert text.count("# TYPE fairlead_buffered_bytes gauge") == 1


def test_what_an_ended_worker_counted_stays():
    """Its counters are kept, its gauges are not."""
    kept = keep_counts(TWO).decode()
    assert "fairlead_refused_requests_total" in kept
    assert "gauge" not in kept
    assert "fairlead_buffered_bytes" not in kept
    assert add_metrics([ONE, kept.encode()]).decode().count("fairlead_buffered_bytes 10.0") == 1


def test_windows_has_one(monkeypatch):
    """More than one worker is refused there, with what to do."""
    monkeypatch.setattr(sys, "platform", "win32")
    check_workers(1)
    with pytest.raises(CommandError, match="on Windows it is 1") as caught:
        check_workers(2)
    assert "config set workers 1" in caught.value.hint


@pytest.mark.skipif(sys.platform == "win32", reason="no workers there")
@pytest.mark.parametrize("text", ["", "{}", '{"sockets":[],"channel":99,"parent":1,"name":1}'])
def test_a_variable_that_no_parent_set(text):
    """It is refused, and taken out of the environment."""
    environ = {VARIABLE: text}
    with pytest.raises(CommandError, match="which fairlead sets itself"):
        take_given(environ)
    assert environ == {}


@pytest.mark.skipif(sys.platform == "win32", reason="no workers there")
def test_a_worker_of_another_version_does_not_serve():
    """Where the program was replaced since its parent started, a worker says what to do and ends."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        given = Given(sockets=[], channel=theirs.fileno(), parent=os.getppid(), name=1, version="0.0.1")
        with pytest.raises(CommandError, match=r"fairlead 0\.0\.1 runs and .* is installed") as caught:
            take_given({VARIABLE: msgspec.json.encode(given).decode()})
    assert "fairlead restart" in caught.value.hint


def make_budget(spent, reserved, renews):
    return BudgetReport(scope="all", period="day", unit="usd", limit=5.0, spent=spent, reserved=reserved, renews=renews)


def test_the_guard_of_all_is_the_gravest():
    """Of several processes the gravest state counts, of a budget what is known by the one that knows of most in the
    current term, and requests without a price are added."""
    lacking = [NotCounted(backend="box", model="m", requests=count) for count in (2, 3)]
    own = GuardStatus(state="running")
    idle = GuardStatus(state="running", budgets=[make_budget(4.0, 0.5, 100.0)], not_counted=lacking[:1])
    busy = GuardStatus(state="warned", reason="soon", budgets=[make_budget(1.0, 0.75, 200.0)], not_counted=lacking[1:])
    late = GuardStatus(state="running", budgets=[make_budget(1.0, 0.25, 200.0)])
    found = combine_guards([own, idle, busy, late])
    assert (found.state, found.reason) == ("warned", "soon")
    assert found.budgets == [make_budget(1.0, 0.75, 200.0)]
    assert [one.requests for one in found.not_counted] == [5]
