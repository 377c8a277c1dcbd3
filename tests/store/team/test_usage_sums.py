"""What a team used, on a real server: each home tells the sums of its history, and any of them reads those of all."""

import time

import pytest

from router.policy.budget.budgets import DOLLAR, Budget
from router.settings import Secret
from router.store.database.writer import Ledger
from router.store.history.entry import HistoryEntry
from router.store.history.record import History
from router.store.home.home import open_home
from router.store.team import usage_sums as module
from router.store.team.secrets import TeamSecret
from router.store.team.usage_sums import NAMES, OTHERS, UsageTeller, read_team_budgets, read_team_usage

from .servers import Server
from .teams import connect


class Home:
    """A home with a history, whose sums the test has told."""

    def __init__(self, folder, server):
        self.team = connect(server)
        self.ledger = Ledger(open_home({"FAIRLEAD_HOME": str(folder)}), print)
        self.history = History(self.ledger, lambda entry: (DOLLAR // 4, "prices"), lambda: 30)
        self.ledger.start()
        self.now = time.time()
        self.count = 0
        self.teller = UsageTeller(self.ledger, self.team, folder.name, clock=lambda: self.now)

    def serve(self, *models, ago=0.0, key=""):
        """Requests that have ended, told."""
        for model in models:
            self.count += 1
            entry = HistoryEntry(
                id=f"req_{self.count:020x}",
                started=time.time() - ago,
                method="POST",
                path="/v1/messages",
                protocol="messages",
                model=model,
                backend="box",
                account="main",
                status=200,
                attempts=1,
                first_byte=0.5,
                total=1.0,
                tokens_in=10,
                tokens_out=5,
                key=key,
            )
            self.history.add(entry)
        assert self.ledger.flush(10)
        self.teller.tell()

    def close(self):
        self.ledger.close()
        self.team.client.close()


@pytest.fixture
def pair(tmp_path):
    """A server, and two homes."""
    with Server(tmp_path) as server:
        found = [Home(tmp_path / name, server) for name in ("one", "two")]
        yield server, *found
        for one in found:
            one.close()


def sums(groups):
    return {one.name: (one.requests, one.tokens_in, one.cost_usd) for one in groups}


def test_all_homes_are_added_up(pair, monkeypatch):
    """By model, key and home, with costs and times; what was told twice is counted once."""
    _, one, two = pair
    one.serve("a", "b", key="laptop")
    monkeypatch.setattr(module.socket, "gethostname", lambda: "other")
    two.serve("b", "b")
    for _ in range(2):
        two.now += module.CHECK_SECONDS
        two.teller.tell()
    found = read_team_usage(two.team, time.time(), time.time())
    assert (found.total.requests, found.total.cost_usd, found.unreadable) == (4, 1.0, 0)
    assert sums(found.groups["model"]) == {"b": (3, 30, 0.75), "a": (1, 10, 0.25)}
    assert sums(found.groups["key"]) == {"laptop": (2, 20, 0.5)}
    assert sorted(one.requests for one in found.groups["home"]) == [2, 2]
    assert "other" in sums(found.groups["home"])
    assert found.total.first_byte_ms["p50"] == pytest.approx(500, rel=0.1)


def test_a_window_is_of_whole_hours(pair):
    """Hours before that of its beginning are left out; a home tells its last two days when it starts."""
    _, one, _ = pair
    one.serve("a", "a", ago=3 * 3600)
    one.serve("b")
    now = time.time()
    assert sums(read_team_usage(one.team, now - 60, now).groups["model"]).keys() <= {"b"}
    assert read_team_usage(one.team, now - 4 * 3600, now).total.requests == 3


def test_a_server_that_lost_its_data_gets_them_again(pair):
    """Also those of earlier days."""
    server, one, _ = pair
    one.serve("a", ago=10 * 86_400)
    one.serve("b")
    server.command("FLUSHALL")
    one.now += module.CHECK_SECONDS
    one.teller.tell()
    assert read_team_usage(one.team, time.time() - 11 * 86_400, time.time()).total.requests == 2


def test_an_idle_home_asks_once_a_minute(pair):
    """Whether the server still has what it was told; nothing else while nothing happens."""
    server, one, _ = pair
    one.serve("a")

    def count():
        return int(server.read_info("stats", "total_commands_processed"))

    before = count()
    for _ in range(5):
        one.now += module.TELL_SECONDS
        one.teller.tell()
    assert count() - before == 1  # the one that asks
    one.now += module.TELL_SECONDS
    one.teller.tell()
    assert count() - before == 3


def test_what_is_told_is_sealed_and_bounded(pair):
    """The server sees no name; of many names of an hour the rest is one; another secret reads nothing."""
    _, one, two = pair
    one.serve(*(f"model-{number}" for number in range(NAMES + 7)))
    found = read_team_usage(one.team, time.time(), time.time())
    assert len(found.groups["model"]) == NAMES + 1
    assert sums(found.groups["model"])[OTHERS][0] == 7
    [key] = one.team.client.execute("KEYS", "*sums:2*")
    for value in one.team.client.execute("HVALS", key):
        assert b"model" not in value
    stranger = two.team._replace(secret=TeamSecret(Secret("another-secret-0123456789-0123456789"), "team"))
    nothing = read_team_usage(stranger, time.time(), time.time())
    assert (nothing.total.requests, nothing.unreadable) == (0, 1)


def test_budgets_are_those_of_the_books(pair):
    """What was spent of a budget in its term, without what counted before it began anew; 0 where there is no book."""
    _, one, _ = pair
    spent, unused = (Budget(scope, "day", "usd", 5 * DOLLAR) for scope in ("all", "tag blue"))
    [before, _] = read_team_budgets(one.team, [spent, unused], time.time())
    name = one.team.names.name("book", f"all|usd|{before.term.label}")
    one.team.client.execute("HSET", name, "spent", 3 * DOLLAR, "base", DOLLAR)
    assert [found.spent for found in read_team_budgets(one.team, [spent, unused], time.time())] == [2 * DOLLAR, 0]
