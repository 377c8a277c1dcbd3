"""The settings on which a team must agree, on a real server: who changes one, and how the others hear of it."""

import time

import pytest

from router.store.team.state import settings as module
from router.store.team.state.settings import AGAIN_SECONDS, KEPT_SECONDS, TeamSettings

from .servers import Server
from .teams import connect, tables_of


class Process:
    """The settings of one process; the test runs what its thread would."""

    def __init__(self, name, server):
        self.team = connect(server)
        self.tables = tables_of(self.team)
        self.ahead = 0.0
        self.jobs = []
        self.team.thread.submit = self.jobs.append
        self.settings = TeamSettings(
            self.team.secret, self.tables, self.team.thread, name, clock=lambda: time.monotonic() + self.ahead
        )
        self.tables.exchange()

    def tell(self, **values):
        self.settings.tell({name.replace("_", "."): value for name, value in values.items()})
        return self.turn()

    def turn(self):
        """One look at the server, and a step of the loop."""
        self.tables.exchange()
        news = self.settings.step()
        while self.jobs:
            self.jobs.pop(0)()
        self.tables.exchange()
        return news


@pytest.fixture
def pair(tmp_path, monkeypatch):
    """A server, and the processes of two machines."""
    with Server(tmp_path) as server:
        found = [Process(name, server) for name in ("one", "two")]
        monkeypatch.setattr(module.socket, "gethostname", lambda: "machine")
        yield server, *found
        for one in found:
            one.team.client.close()


def test_a_change_is_told(pair):
    """The others hear what was changed, from what and to what; of what stays they hear nothing; the server reads
    none of it."""
    _, one, two = pair
    one.tell(guard_day="5")
    first = two.tell(guard_day="5")
    assert (first.changes, first.others) == ([], {"machine": {"guard.day": "5"}})
    one.tell(guard_day="5")
    assert two.turn() is None
    one.tell(guard_day="7", guard_more="1")
    news = two.turn()
    assert news.changes == ["shared: machine changed guard.day (5 to 7), guard.more (not set to 1)."]
    assert news.others == {"machine": {"guard.day": "7", "guard.more": "1"}}
    assert b"guard" not in b"".join(one.team.client.execute("HVALS", "fl:{team}:rows:settings"))


def test_who_hears_of_another_while_it_tells_tells_its_own(pair):
    """A home that hears of another in the step in which it tells tells what it has itself."""
    _, one, two = pair
    two.tell(guard_day="5")
    assert one.tell(guard_day="7").others == {"machine": {"guard.day": "5"}}
    assert two.turn().others == {"machine": {"guard.day": "7"}}


def test_a_home_that_is_gone_counts_no_more(pair):
    """What a home told counts while it tells it again."""
    _, one, two = pair
    one.tell(guard_day="5")
    assert two.tell(guard_day="7").others
    one.ahead = two.ahead = AGAIN_SECONDS + 1
    one.turn()
    two.turn()
    two.ahead = KEPT_SECONDS + 1
    assert two.turn() is None
    two.ahead = KEPT_SECONDS + AGAIN_SECONDS + 2
    assert two.turn().others == {}


def test_a_server_that_lost_its_data_is_told_again(pair):
    """A process that comes later hears of a home that told before the flush."""
    server, one, two = pair
    one.tell(guard_day="5")
    server.command("FLUSHALL")
    for _ in range(2):
        one.turn()
    assert two.turn().others == {"machine": {"guard.day": "5"}}
