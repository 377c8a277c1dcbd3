"""Budgets of a team over a real server: proxies with homes of their own, a kill, an outage, a flush."""

import json
import threading
import time

import pytest

from ..commands import run_in_home
from ..patience import PATIENCE
from ..store.team.servers import Server
from .budgets import BODY, PATH, answer, proxy
from .processes import until
from .shared_budgets import Busy, crossing
from .team_budgets import Senders, list_rows, start_team
from .wire import ask


@pytest.fixture
def busy(up):
    """An upstream whose answers take a moment and cost what chance says."""
    up.default = [busy := Busy()]
    return busy


@pytest.fixture
def server(tmp_path):
    """A server that keeps what it was told, but for its last second."""
    with Server(tmp_path, persistent=True) as server:
        yield server


def show(proxy, *words, code=0):
    """What a command prints for the home of a proxy."""
    done = run_in_home(proxy.home, *words)
    assert done.code == code, done.out + done.err
    return " ".join(done.out.decode().split())


def spent_of(server):
    """What the book of the one budget holds, in dollars."""
    find = "local k = redis.call('KEYS', 'fl:{team}:book:*') return redis.call('HGET', k[1], 'spent')"
    text = server.read("EVAL", find, 0)
    return int(text) / 1e9


def check_spend(folder, limit, book, *, killed=None, count=4):
    """No more was spent than the limit and what was in flight; the book has each row once. When the book
    reached the limit, in seconds since 1970."""
    rows = [row for row in list_rows(folder, count) if row[3] == 200]
    cost = sum(row[2] for row in rows)
    reached = crossing([(begin, end, dollars) for begin, end, dollars, _ in rows], limit)
    in_flight = sum(dollars for begin, end, dollars, _ in rows if begin - 1 <= reached <= end + 1)
    last = 4 * max(row[2] for row in rows)
    print(f"{len(rows)} rows, ${cost:.3f} spent of ${limit}, book ${book:.3f}, ${in_flight:.3f} in flight")
    assert cost <= limit + in_flight + last
    if killed is None:
        assert book == pytest.approx(cost, abs=1e-6)
    else:
        # Of the killed one's last second the row or its part of the book may be missing.
        lost = sum(dollars for _, end, dollars, _ in rows if abs(end - killed) <= 1.5)
        assert abs(book - cost) <= lost + last
    assert max(cost, book) >= limit
    # What a killed one had not told is missing from the book, which reaches the limit so much later.
    return reached if killed is None else crossing([row[:3] for row in rows], limit + max(0.0, cost - book))


def test_a_team_shares_one_budget(tmp_path, up, busy, server):
    """Four proxies with homes of their own spend one budget together, each row is booked once, and a halt of one is
    seen by all within a second."""
    limit = 3
    proxies = start_team(tmp_path, server, up, f"guard.day_usd = {limit}")
    try:
        senders = Senders([one.port for one in proxies], 400)
        senders.join()
        until(lambda: all(ask(one.port, PATH, BODY).status == 402 for one in proxies))
        late = max(busy.begun) - min(at for at, _, status in senders.statuses if status == 402)
        assert "team team on 127.0.0.1:" in show(proxies[0], "status")
        checked = show(proxies[0], "doctor", "shared")
        assert "answers in" in checked
        assert f"the proxy on :{proxies[0].port}: team team on" in checked
        assert "last round" in show(proxies[0], "status")
        assert ask(proxies[0].port, "/readyz").json() == {"status": "ready", "shared": "connected"}
        metrics = ask(proxies[0].port, "/metrics", None, proxies[0].operator()).body.decode()
        assert "fairlead_shared_up 1.0" in metrics
        assert "fairlead_shared_losses_total 0.0" in metrics
        assert "fairlead_shared_last_round_timestamp_seconds" in metrics
    finally:
        codes = [one.stop() for one in proxies]
    assert codes == [0] * 4, [one.said() for one in proxies]
    assert {status for _, _, status in senders.statuses} == {200, 402}
    check_spend(tmp_path, limit, spent_of(server))
    assert late < 1


def test_a_proxy_without_its_server_refuses_what_it_holds_no_share_for(tmp_path, up):
    """Where the server was never there, requests under a budget are refused with the reason and what to do; those
    without a budget, and the proxy's health and readiness, are not touched, and all that report on it say so."""
    with Server(tmp_path) as server:
        server.kill()
        [one] = start_team(tmp_path, server, up, "guard.day_usd = 5", count=1)
        try:
            said = ask(one.port, PATH, BODY)
            assert said.status == 402
            assert b"cannot ask the team for more of the daily budget of $5.00" in said.body
            assert b"shared.on_loss allow" in said.body
            assert ask(one.port, "/health").status == 200
            ready = ask(one.port, "/readyz")
            assert ready.status == 200
            said = ready.json()
            assert abs(said.pop("shared_since") - time.time()) < PATIENCE
            assert said == {"status": "ready", "shared": "lost", "budgets": "nothing"}
            shared = one.status()["shared"]
            assert (shared["answered"], shared["last_round"], shared["shares_until"]) == (None, None, None)
            shown = show(one, "status")
            assert f"127.0.0.1:{server.port} cannot be reached" in shown
            assert "budgets are closed" in shown
            checked = show(one, "doctor", "shared", code=1)
            assert checked.count(f"127.0.0.1:{server.port} cannot be reached") == 2
        finally:
            one.stop()
        assert one.said().count("cannot be reached") == 1


def test_a_proxy_may_go_on_without_its_server(tmp_path, up):
    """With shared.on_loss = allow requests go, and are counted by the process alone."""
    with Server(tmp_path) as server:
        server.kill()
        up.default = [lambda sock: sock.sendall(answer(2000))]
        [one] = start_team(tmp_path, server, up, "guard.day_usd = 5", count=1, on_loss="allow")
        try:
            statuses = [ask(one.port, PATH, BODY).status for _ in range(5)]
        finally:
            one.stop()
    assert statuses == [200, 200, 200, 402, 402]


def test_any_proxy_tells_what_the_team_used(tmp_path, up):
    """`usage --team` at one proxy has the requests and the budget of all, with those that a proxy told when it ended;
    without the server, and without a team, it says so and what to do."""
    up.default = [lambda sock: sock.sendall(answer(2))]
    with Server(tmp_path) as server:
        first, second = start_team(tmp_path, server, up, "guard.day_usd = 5", count=2)
        try:
            assert ask(first.port, PATH, BODY).status == 200
            assert [ask(second.port, PATH, BODY).status for _ in range(2)] == [200] * 2
            first.stop()

            def told():
                found = json.loads(show(second, "usage", "--team", "--json"))
                return found if found["total"]["requests"] == 3 else None

            found = until(told)
            assert found, show(second, "usage", "--team", "--json")
            assert [(one["name"], one["requests"]) for one in found["models"]] == [("model-a", 3)]
            assert found["total"]["cost_usd"] == pytest.approx(0.006)
            [budget] = found["budgets"]
            assert (budget["scope"], budget["limit"]) == ("all", 5)
            assert until(lambda: json.loads(show(second, "usage", "--team", "--json"))["budgets"][0]["spent"] > 0.005)
            shown = show(second, "usage", "--team")
            assert f"team team on 127.0.0.1:{server.port}" in shown
            assert "budget the daily budget of $5.00: $0.006" in shown
            assert "3 requests" in show(second, "usage", "--team", "--by", "home")
            server.kill()
            refused = run_in_home(second.home, "usage", "--team")
            assert refused.code == 1
            assert b"the team's sums cannot be read: 127.0.0.1:" in refused.err
        finally:
            first.stop()
            second.stop()
    (tmp_path / "alone").mkdir()
    alone = run_in_home(tmp_path / "alone" / "home", "usage", "--team")
    assert alone.code == 1
    assert b"no team is configured" in alone.err


def test_a_halt_outlives_a_restart_without_the_server(tmp_path, up):
    """A proxy that starts while its server is away refuses what another one halted before, though it may go on alone;
    a resume ends that for the next start too."""
    up.default = [lambda sock: sock.sendall(answer(2000))]
    with Server(tmp_path) as server:
        first, second = start_team(tmp_path, server, up, "guard.day_usd = 5", count=2, on_loss="allow")
        try:
            assert until(lambda: ask(first.port, PATH, BODY).status == 402)
            assert until(lambda: ask(second.port, PATH, BODY).status == 402)
        finally:
            first.stop()
            second.stop()
        server.kill()
        for halted in (True, False):
            again = proxy(tmp_path / "1", up)
            try:
                said = ask(again.port, PATH, BODY)
                assert said.status == (402 if halted else 200), said.body
                assert not halted or b"fairlead stopped this request" in said.body
                if halted:
                    assert "Halt ended: the daily budget" in show(again, "resume")
                    assert ask(again.port, PATH, BODY).status == 200
            finally:
                again.stop()


def test_a_share_that_is_held_is_used_up_in_an_outage(tmp_path, up, server):
    """A proxy whose server answers nothing any more goes on with its share, refuses what is beyond, and goes on once
    the server answers again."""
    up.default = [lambda sock: sock.sendall(answer(2))]
    [one] = start_team(tmp_path, server, up, "guard.day_usd = 5", count=1)
    try:
        assert ask(one.port, PATH, BODY).status == 200
        told = one.status()
        assert abs(told["shared"]["last_round"] - time.time()) < PATIENCE
        assert 0 <= told["guard"]["budgets"][0]["free_here"] <= 5
        server.kill()
        down = [ask(one.port, PATH, BODY).status for _ in range(2)]
        until(lambda: ask(one.port, PATH, BODY).status == 402)
        server.start()
        back = until(lambda: ask(one.port, PATH, BODY).status == 200)
    finally:
        one.stop()
    assert back
    assert set(down) <= {200, 402}


@pytest.mark.slow
def test_a_kill_an_outage_and_a_flush(tmp_path, up, busy, server):
    """Some 5,000 requests over four proxies and one budget; one is killed, the server is gone for 5 s and is flushed
    once: no more is spent than the limit and what was in flight, and a halt is seen by all within a second."""
    limit = 100
    proxies = start_team(tmp_path, server, up, f"guard.day_usd = {limit}")
    ports = [one.port for one in proxies]
    try:
        senders = Senders(ports, 10_000)
        until(lambda: senders.answered > 600)
        proxies[3].kill()
        killed = time.time()
        until(lambda: senders.answered > 1200)
        server.kill()
        down = time.time()
        threading.Event().wait(5)
        server.start()
        up_again = time.time()
        served = until(lambda: any(at > up_again and status == 200 for at, _, status in senders.statuses), 60)
        recovered = time.time() - up_again
        assert served
        before = senders.answered
        until(lambda: senders.answered > before + 300)
        server.command("FLUSHALL")
        flushed = time.time()
        until(lambda: any(at > flushed + 1 and status == 200 for at, _, status in senders.statuses), 60)
        senders.join()
        last = max(busy.begun)
    finally:
        codes = [one.stop() for one in proxies[:3]]
    assert codes == [0] * 3, [one.said() for one in proxies]
    refused = [at for at, _, status in senders.statuses if status == 402]
    print(f"server gone after {down - killed:.1f} s, served {recovered:.1f} s after its start")
    print(f"{senders.answered} answers, {len(refused)} refused")
    reached = check_spend(tmp_path, limit, spent_of(server), killed=killed)
    print(f"the last request was sent {last - reached:.2f} s after the limit was reached")
    assert last - reached < 1
