"""Budgets of a team over a real server: proxies with homes of their own, a kill, an outage, a flush, a cut link."""

import json
import threading
import time

import pytest

from router.store.team.round_script import LEASE_SECONDS

from ..commands import run_in_home
from ..patience import PATIENCE
from ..store.team.servers import Server
from .budgets import answer
from .processes import until
from .shared_budgets import crossing
from .team_budgets import Senders, list_rows, start_team
from .team_worlds import TeamProxy, make_loopback, make_machines, make_place


@pytest.fixture
def loopback(tmp_path):
    """A server that keeps what it was told, but for its last second, and an upstream whose answers take a moment and
    cost what chance says."""
    with make_loopback(tmp_path) as world:
        yield world


@pytest.fixture
def machines(tmp_path):
    """Two simulated machines with such upstreams, and such a server on a third."""
    with make_machines(tmp_path) as world:
        yield world


@pytest.fixture(params=["loopback", "machines"])
def world(request):
    """Each of them."""
    return request.getfixturevalue(request.param)


def show(proxy, *words, code=0):
    """What a command prints for the home of a proxy."""
    done = run_in_home(proxy.home, *words, before=proxy.machine.command)
    assert done.code == code, done.out + done.err
    return " ".join(done.out.decode().split())


def spent_of(server):
    """What the book of the one budget holds, in dollars."""
    find = "local k = redis.call('KEYS', 'fl:{team}:book:*') return redis.call('HGET', k[1], 'spent')"
    text = server.read("EVAL", find, 0)
    return int(text) / 1e9


def halted_at(server):
    """When the halt of all traffic began, in seconds since 1970."""
    return json.loads(server.read("HGET", "fl:{team}:halts", "all"))[0] / 1000


def check_spend(folder, limit, book, *, killed=None, alone=0.0):
    """No more was spent than the limit and what was in flight; the book has each row once. alone: dollars that came on
    top. When the book reached the limit, in seconds since 1970."""
    rows = [row for row in list_rows(folder) if row[3] == 200]
    cost = sum(row[2] for row in rows)
    reached = crossing([(begin, end, dollars) for begin, end, dollars, _ in rows], limit)
    in_flight = sum(dollars for begin, end, dollars, _ in rows if begin - 1 <= reached <= end + 1)
    last = 4 * max(row[2] for row in rows)
    print(f"{len(rows)} rows, ${cost:.3f} spent of ${limit}, book ${book:.3f}, ${in_flight:.3f} in flight")
    assert cost <= limit + alone + in_flight + last
    if killed is None:
        assert book == pytest.approx(cost, abs=1e-6)
    else:
        # Of the killed one's last second the row or its part of the book may be missing.
        lost = sum(dollars for _, end, dollars, _ in rows if abs(end - killed) <= 1.5)
        assert abs(book - cost) <= lost + last
    assert max(cost, book) >= limit
    # What a killed one had not told is missing from the book, which reaches the limit so much later.
    return reached if killed is None else crossing([row[:3] for row in rows], limit + max(0.0, cost - book))


def check_halt(world, reached):
    """All are halted, and none sent a request a second after the limit was reached, or the halt was told."""
    last, told = max(world.busy.begun), halted_at(world.server)
    print(
        f"the last request was sent {last - reached:.2f} s after the limit was reached, {last - told:.2f} after a halt"
    )
    assert last - reached < 1
    assert last - told < 1


def stop(proxies):
    """Stop them."""
    codes = [one.stop() for one in proxies]
    assert codes == [0] * len(codes), [one.said() for one in proxies]


def test_a_team_shares_one_budget(tmp_path, world):
    """Four proxies with homes of their own, on one machine or two, spend one budget together, each row is booked once,
    and a halt of one is seen by all within a second."""
    limit = 3
    proxies = start_team(tmp_path, world.places, f"guard.day_usd = {limit}")
    try:
        senders = Senders(proxies, 400)
        senders.join()
        until(lambda: all(one.spend().status == 402 for one in proxies))
        late = max(world.busy.begun) - min(at for at, _, status in senders.statuses if status == 402)
        where = world.network.addresses[0] if world.network else "127.0.0.1"
        assert f"team team on {where}:" in show(proxies[0], "status")
        checked = show(proxies[0], "doctor", "shared")
        assert "answers in" in checked
        assert f"the proxy on :{proxies[0].port}: team team on" in checked
        assert "last round" in show(proxies[0], "status")
        assert proxies[0].ask("/readyz").json() == {"status": "ready", "shared": "connected"}
        metrics = proxies[0].ask("/metrics", None, proxies[0].operator()).body.decode()
        assert "fairlead_shared_up 1.0" in metrics
        assert "fairlead_shared_losses_total 0.0" in metrics
        assert "fairlead_shared_last_round_timestamp_seconds" in metrics
    finally:
        stop(proxies)
    assert {status for _, _, status in senders.statuses} == {200, 402}
    check_spend(tmp_path, limit, spent_of(world.server))
    assert late < 1


def test_a_proxy_without_its_server_refuses_what_it_holds_no_share_for(tmp_path, up):
    """Where the server was never there, requests under a budget are refused with the reason and what to do; those
    without a budget, and the proxy's health and readiness, are not touched, and all that report on it say so."""
    with Server(tmp_path) as server:
        server.kill()
        [one] = start_team(tmp_path, [make_place(server, up)], "guard.day_usd = 5", count=1)
        try:
            said = one.spend()
            assert said.status == 402
            assert b"cannot ask the team for more of the daily budget of $5.00" in said.body
            assert b"shared.on_loss allow" in said.body
            assert one.ask("/health").status == 200
            ready = one.ask("/readyz")
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
        places = [make_place(server, up)]
        [one] = start_team(tmp_path, places, "guard.day_usd = 5", count=1, on_loss="allow")
        try:
            statuses = [one.spend().status for _ in range(5)]
        finally:
            one.stop()
    assert statuses == [200, 200, 200, 402, 402]


def test_any_proxy_tells_what_the_team_used(tmp_path, up):
    """`usage --team` at one proxy has the requests and the budget of all, with those that a proxy told when it ended;
    without the server, and without a team, it says so and what to do."""
    up.default = [lambda sock: sock.sendall(answer(2))]
    with Server(tmp_path) as server:
        first, second = start_team(tmp_path, [make_place(server, up)], "guard.day_usd = 5", count=2)
        try:
            assert first.spend().status == 200
            assert [second.spend().status for _ in range(2)] == [200] * 2
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
        first, second = start_team(tmp_path, [make_place(server, up)], "guard.day_usd = 5", count=2, on_loss="allow")
        try:
            assert until(lambda: first.spend().status == 402)
            assert until(lambda: second.spend().status == 402)
        finally:
            first.stop()
            second.stop()
        server.kill()
        for halted in (True, False):
            again = TeamProxy(tmp_path / "1", make_place(server, up))
            try:
                said = again.spend()
                assert said.status == (402 if halted else 200), said.body
                assert not halted or b"fairlead stopped this request" in said.body
                if halted:
                    assert "Halt ended: the daily budget" in show(again, "resume")
                    assert again.spend().status == 200
            finally:
                again.stop()


def test_a_resume_where_no_proxy_runs_is_the_teams(tmp_path, up):
    """At a home whose proxy has ended it ends the halts that the server and that home have, so that the other proxy
    goes on; without the server it fails, says so, and changes nothing."""
    up.default = [lambda sock: sock.sendall(answer(2000))]
    with Server(tmp_path) as server:
        first, second = start_team(tmp_path, [make_place(server, up)], "guard.day_usd = 5", count=2)
        try:
            assert until(lambda: first.spend().status == 402)
            assert until(lambda: second.spend().status == 402)
            second.stop()
            kept = second.home / "shared" / "halts.json"
            before = kept.read_bytes()
            assert b"used up" in before
            server.freeze()
            failed = run_in_home(second.home, "resume")
            server.thaw()
            assert failed.code == 1
            assert b"the halts of the team cannot be ended: 127.0.0.1:" in failed.err
            assert kept.read_bytes() == before
            assert first.spend().status == 402
            assert "Halt ended: the daily budget" in show(second, "resume")
            assert kept.read_bytes() == b"[]"
            assert until(lambda: first.spend().status == 200)
            assert show(second, "resume") == "Nothing was halted."
        finally:
            first.stop()
            second.stop()


def test_a_share_that_is_held_is_used_up_in_an_outage(tmp_path, up):
    """A proxy whose server answers nothing any more goes on with its share, refuses what is beyond, and goes on once
    the server answers again."""
    up.default = [lambda sock: sock.sendall(answer(2))]
    with Server(tmp_path, persistent=True) as server:
        [one] = start_team(tmp_path, [make_place(server, up)], "guard.day_usd = 5", count=1)
        try:
            assert one.spend().status == 200
            told = one.status()
            assert abs(told["shared"]["last_round"] - time.time()) < PATIENCE
            assert 0 <= told["guard"]["budgets"][0]["free_here"] <= 5
            server.kill()
            down = [one.spend().status for _ in range(2)]
            until(lambda: one.spend().status == 402)
            server.start()
            back = until(lambda: one.spend().status == 200)
        finally:
            one.stop()
    assert back
    assert set(down) <= {200, 402}


def test_a_machine_that_is_cut_off_uses_up_its_share_alone(tmp_path, machines):
    """The proxy behind a link that is cut goes on with its share, and refuses what is beyond; the other is not touched.
    Once the link is mended both spend the same budget again, and what the one spent alone is booked."""
    for place in machines.places:
        place.up.default = [lambda sock: sock.sendall(answer(200))]
    cut, other = proxies = start_team(tmp_path, machines.places, "guard.day_usd = 10", count=2)
    try:
        assert [one.spend().status for one in proxies] == [200, 200]
        machines.network.cut(0)
        refused = until(lambda: (said := cut.spend()).status == 402 and said)
        assert b"cannot ask the team for more of the daily budget of $10.00" in refused.body
        assert cut.ask("/readyz").status == 200
        assert other.spend().status == 200
        machines.network.mend(0)
        assert until(lambda: cut.spend().status == 200)
        for one in proxies:
            assert until(lambda one=one: b"is used up" in one.spend().body)
    finally:
        stop(proxies)
    check_spend(tmp_path, 10, spent_of(machines.server))


@pytest.mark.slow
def test_a_kill_an_outage_and_a_flush(tmp_path, world):
    """Some 5,000 requests over four proxies and one budget; one is killed, the server is gone for 5 s and is flushed
    once: no more is spent than the limit and what was in flight, and a halt is seen by all within a second."""
    limit, server = 100, world.server
    proxies = start_team(tmp_path, world.places, f"guard.day_usd = {limit}")
    try:
        senders = Senders(proxies, 10_000)
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
    finally:
        stop(proxies[:3])
    refused = [at for at, _, status in senders.statuses if status == 402]
    print(f"server gone after {down - killed:.1f} s, served {recovered:.1f} s after its start")
    print(f"{senders.answered} answers, {len(refused)} refused")
    check_halt(world, check_spend(tmp_path, limit, spent_of(server), killed=killed))


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [5, 40])
def test_a_partition(tmp_path, machines, seconds):
    """Some 5,000 requests over four proxies on two machines, of which one is cut off from the server: no more is spent
    than the limit and what was in flight, and a halt is seen by all within a second. Where it is cut off for longer
    than its shares last, others have them, and what it spent of them comes on top."""
    limit = 100
    proxies = start_team(tmp_path, machines.places, f"guard.day_usd = {limit}")
    try:
        senders = Senders(proxies, 10_000, threads=10 if seconds < LEASE_SECONDS else 2)
        until(lambda: senders.answered > 600)
        machines.network.cut(0)
        since = time.time()
        threading.Event().wait(seconds)
        alone = [status for at, number, status in senders.statuses if at > since and number % 2 == 0]
        machines.network.mend(0)
        mended = time.time()
        back = until(lambda: senders.have_gone_on((0, 2), mended), 60)
        print(f"{alone.count(200)} served and {alone.count(402)} refused while cut off, both went on", end=" ")
        print(f"{time.time() - mended:.1f} s after the link was mended")
        assert back
        senders.join()
    finally:
        stop(proxies)
    spent = [row[2] for row in list_rows(tmp_path, "[02]") if since - 1 <= row[1] <= mended]
    print(f"${sum(spent):.3f} spent while cut off")
    more = sum(spent) if seconds > LEASE_SECONDS else 0.0
    check_halt(machines, check_spend(tmp_path, limit, spent_of(machines.server), alone=more))
