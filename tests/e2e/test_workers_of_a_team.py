"""Proxies of a team with several workers each, on a real server: one budget, one truth."""

import contextlib
import time

import pytest

from ..store.team.servers import Server
from .budgets import BODY, PATH, answer
from .processes import until
from .shared_budgets import Busy
from .team_budgets import Senders, start_team
from .team_worlds import make_place
from .test_team_budgets import check_spend, spent_of
from .test_workers import burst, pytestmark, workers_of
from .upstream import plain
from .wire import ask

__all__ = ["pytestmark"]

COUNT = 2


@contextlib.contextmanager
def team(folder, server, up, rules, **entry):
    """Two proxies of two workers each. entry: what their backend has besides the upstream."""
    proxies = start_team(folder, [make_place(server, up)], f"workers = 2\n{rules}", COUNT, entry)
    with contextlib.ExitStack() as stack:
        for one in proxies:
            stack.enter_context(one)
        assert [len(workers_of(one)) for one in proxies] == [2] * COUNT
        yield proxies


@pytest.fixture
def server(tmp_path):
    """A server that keeps what it was told, but for its last second."""
    with Server(tmp_path, persistent=True) as server:
        yield server


def test_four_workers_share_one_budget(tmp_path, up, server):
    """Four workers of two proxies spend one budget together, each row is booked once, and a halt of one is seen by all
    within a second."""
    limit = 3
    up.default = [busy := Busy()]
    with team(tmp_path, server, up, f"guard.day_usd = {limit}") as proxies:
        senders = Senders(proxies, 400)
        senders.join()
        until(lambda: {ask(one.port, PATH, BODY).status for one in proxies for _ in range(4)} == {402})
        late = max(busy.begun) - min(at for at, _, status in senders.statuses if status == 402)
    assert {status for _, _, status in senders.statuses} == {200, 402}
    check_spend(tmp_path, limit, spent_of(server))
    assert late < 1


def test_an_account_that_one_worker_parks_is_parked_for_all_of_the_team(tmp_path, up, server):
    """A 429 at one worker of one proxy closes the account at every worker of both."""
    up.default = [plain(b"{}", b"429 Too Many Requests", (b"retry-after", b"600"))]
    with team(tmp_path, server, up, 'queue.timeout = "1s"', auth="key", key="sk-one") as proxies:
        assert ask(proxies[0].port, PATH, BODY).status == 429

        def parked():
            return all(one.status()["backends"][0]["accounts"][0]["state"] == "parked" for one in proxies)

        assert until(parked), [one.status() for one in proxies]
        time.sleep(0.5)  # how long workers may take to hear of it; nothing tells this from outside
        count = len(up.seen)
        assert {ask(one.port, PATH, BODY).status for one in proxies for _ in range(6)} == {429}
        assert len(up.seen) == count


def test_one_limit_a_minute_for_all_workers_of_a_team(tmp_path, up, server):
    """An account's limit of requests a minute is the team's: what one proxy has left the workers of the other use
    together, all of it and no more."""
    up.default = [answer(5)]
    rules = 'queue.timeout = "1s"\n[pool.accounts.rpm]\n"box/main" = 12'
    with team(tmp_path, server, up, rules, auth="key", key="sk-one") as proxies:
        assert burst(proxies[0].port, 8) == [200] * 8
        time.sleep(2)  # how long the team may take to hear of it; nothing tells this from outside
        assert burst(proxies[1].port, 8) == [200] * 4 + [429] * 4
