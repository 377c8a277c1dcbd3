"""Rounds of several processes over a real server: shares, booking, halts, and a server that loses data."""

import random
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from router.policy.budget.budgets import ALL, Budget, budget_key, compute_share, find_budget_term
from router.policy.budget.guard import Halt, read_rules
from router.policy.budget.reservations import Claim
from router.settings import Secret, Settings
from router.settings.declaring.shared import find_zone, parse_address
from router.store.team import round as rounds_module
from router.store.team.client import Refused, TeamClient, Unreachable
from router.store.team.keys import KeyNames
from router.store.team.round import READ_SECONDS, Round, Rounds
from router.store.team.round_script import HEARD_SECONDS, LEASE_SECONDS, SETTLE_SECONDS

from ...patience import PATIENCE
from .servers import Server

LIMIT = 1000
ALL_DAY = Budget(ALL, "day", "usd", LIMIT, zone=find_zone("UTC"))
TERM = find_budget_term(ALL_DAY, time.time())
KEY = budget_key(ALL_DAY, TERM)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One server for all tests, each of which has a team of its own."""
    with Server(tmp_path_factory.mktemp("server")) as server:
        yield server


class World:
    """A team on the server."""

    def __init__(self, server, team):
        self.server = server
        self.names = KeyNames(team)
        self.client = TeamClient(parse_address(server.url), None, print)
        self.number = 0

    def process(self, home="home"):
        """A new process."""
        return Process(self, home)

    def settle(self):
        """Have the first second be over, in which nothing is handed out."""
        self.client.execute("HSET", self.names.name("state"), "at", 1)

    def age(self, process, seconds):
        """Have the last round of a process be so long ago."""
        beat = int((time.time() - seconds) * 1000)
        for name in ("procs",), ("lease", KEY):
            self.client.execute("ZADD", self.names.name(*name), beat, process.rounds.process)

    def flush(self):
        """Have the server lose all data."""
        self.client.execute("FLUSHALL")


class Process:
    """One process, and what it tells."""

    def __init__(self, world, home):
        self.world = world
        self.rounds = Rounds(world.client, world.names, home)
        self.turn = 0
        self.held = 0

    def tell(self, spent=0, *, keep=0, needed=0, since=0.0, history=0, claims=True, halts=(), lift=False, limit=LIMIT):
        """Tell a message; the reply."""
        self.turn += 1
        claim = Claim(ALL_DAY._replace(limit=limit), TERM, keep, keep, needed, since)
        told = Round(
            self.turn,
            {KEY: claim} if claims else {},
            [KEY],
            {KEY: spent},
            {KEY: history} if history else {},
            [(self.turn, halt) for halt in halts],
            self.turn if lift else 0,
            looks=False,
        )
        self.last = told
        return self.take(self.rounds.run(told))

    def look(self):
        """Tell nothing new; the reply."""
        return self.take(self.rounds.run(self.last._replace(looks=True, halts=(), lift=0)))

    def take(self, reply):
        """Note what is held."""
        self.held = reply.budgets[KEY].held if KEY in reply.budgets else 0
        return reply


@pytest.fixture
def world(server, request):
    """A team of its own that has settled."""
    server.command("FLUSHALL")
    world = World(server, "team")
    first = world.process()
    first.tell(claims=False)
    world.settle()
    yield world
    world.client.close()


def halt(scope=ALL, key=KEY, until=1800.0):
    """A halt that has just begun."""
    now = time.time()
    return Halt(scope, now, now + until, f"{scope} is used up", "req_1", key)


def test_shares_are_never_more_than_the_budget(world):
    """What all processes hold and what is spent is at most the limit; what is given back can be had by others."""
    one, two = world.process(), world.process()
    one.tell(needed=100)
    assert one.held >= 100
    two.tell(needed=LIMIT)
    assert one.held + two.held == LIMIT
    view = two.look().budgets[KEY]
    assert (view.held, view.others, view.idle, view.spent) == (two.held, one.held, one.held, 0)
    one.tell(spent=60, keep=0, claims=False)
    reply = two.tell(spent=0, keep=two.held, needed=LIMIT)
    assert (reply.budgets[KEY].spent, reply.budgets[KEY].others, two.held) == (60, 0, LIMIT - 60)


def test_a_round_that_is_told_again_books_once(world):
    """A reply may be lost after the server has booked: telling the same sum again changes nothing."""
    one, two = world.process(), world.process()
    one.tell(spent=70, halts=[halt()])
    for _ in range(3):
        one.rounds.run(one.last)
    assert two.tell().budgets[KEY].spent == 70
    lifted = two.tell(lift=True)
    assert (lifted.halts, lifted.budgets[KEY].spent) == ((), 0)
    one.rounds.run(one.last)
    two.rounds.run(two.last)
    view = two.look()
    assert (view.halts, view.budgets[KEY].spent) == ((), 0)


def test_the_shares_of_a_lost_process_fall_back(world):
    """After its lease, and not before, another process may have what a killed one held; its late spend still counts."""
    killed, other = world.process(), world.process()
    killed.tell(needed=LIMIT)
    other.tell(needed=500)
    assert (killed.held, other.held) == (LIMIT, 0)
    world.age(killed, LEASE_SECONDS + 5)
    other.tell(needed=500)
    assert other.held >= 500
    late = killed.tell(spent=300, keep=0)
    assert late.budgets[KEY].spent == 300


def test_a_flushed_server_is_filled_again(world):
    """Spend, halts and what an operator lifted come back from what one process remembers, that of killed ones too."""
    one, two, killed = world.process(), world.process("b"), world.process("c")
    killed.tell(spent=100)
    two.tell(spent=20, halts=[halt()])
    two.tell(spent=20, lift=True)
    one.tell(spent=3, halts=[halt("backend x", "")])
    before = one.look()
    assert (before.budgets[KEY].spent, len(before.halts)) == (3, 1)
    world.flush()
    after = one.look()
    assert after.budgets[KEY].spent == before.budgets[KEY].spent
    assert after.halts == before.halts
    assert one.rounds.losses == 1
    # What the other has spent since counts too, once.
    assert two.tell(spent=50).budgets[KEY].spent == 33
    assert one.look().budgets[KEY].spent == 33
    assert one.rounds.losses == 1


def test_nothing_is_handed_out_twice_after_a_loss(world):
    """Until each process that held a share has come, or its lease has ended, others keep what they have."""
    one, two = world.process(), world.process()
    two.tell(needed=600)
    held = two.held
    one.tell(needed=50)
    kept = one.held
    assert held + kept <= LIMIT
    world.flush()
    reply = one.tell(keep=kept, needed=LIMIT)
    assert (one.held, reply.settling) == (kept, True)
    world.settle()
    assert one.tell(keep=kept, needed=LIMIT).settling, "the other one has not come"
    two.tell(keep=held)
    reply = one.tell(keep=kept, needed=LIMIT)
    assert (reply.settling, one.held) == (False, LIMIT - two.held)


def test_a_killed_process_holds_a_new_epoch_up_for_its_lease_only(world):
    """What it held is free once its lease has ended."""
    one, killed = world.process(), world.process()
    killed.tell(needed=600)
    one.tell(needed=50)
    world.flush()
    one.tell(keep=one.held, needed=LIMIT)
    world.settle()
    world.age(killed, LEASE_SECONDS + 5)
    assert not one.tell(keep=one.held, needed=LIMIT).settling
    assert one.held == LIMIT


def test_a_server_with_older_data_is_found_out(world):
    """A server that restarted without its last second, or a replica that lagged, forgets turns it had confirmed: the
    process that had them confirmed fills it, and the others follow."""
    one, two = world.process(), world.process()
    two.tell(spent=10)
    one.tell(spent=5)
    for name in ("book", "part", "when", "share", "lease"):
        world.client.execute("COPY", world.names.name(name, KEY), f"old:{name}")
    one.tell(spent=400)
    assert two.look().budgets[KEY].spent == 410
    for name in ("book", "part", "when", "share", "lease"):
        world.client.execute("COPY", f"old:{name}", world.names.name(name, KEY), "REPLACE")
    world.client.execute("SET", world.names.name("turn", one.rounds.process), 1)
    assert one.tell(spent=450).budgets[KEY].spent == 460
    assert two.look().budgets[KEY].spent == 460
    assert (one.rounds.losses, two.rounds.losses) == (1, 1)


def test_what_a_home_spent_before_it_came_counts(world):
    """The history of a home counts once, whatever its processes have booked of it already; another's adds up."""
    one, two, other = world.process("a"), world.process("a"), world.process("b")
    assert one.tell(history=100).budgets[KEY].spent == 100
    assert one.tell(spent=30).budgets[KEY].spent == 130
    assert two.tell(history=130).budgets[KEY].spent == 130
    assert other.tell(history=7).budgets[KEY].spent == 137


def test_a_halt_holds_for_all_and_keeps_its_first_reason(world):
    """A second halt of a scope does not replace one that holds; one that is over is replaced."""
    one, two = world.process(), world.process()
    first = halt()
    one.tell(halts=[first])
    [seen] = two.tell(halts=[halt(key="")]).halts
    assert (seen.scope, seen.reason, seen.budget_key) == (ALL, first.reason, KEY)
    assert seen.until == pytest.approx(first.until, abs=0.5)
    assert two.look().halts[0] is seen
    over = halt("tag x", "", until=-5.0)
    one.tell(halts=[over])
    one.tell(halts=[halt("tag x", "", until=50.0)])
    assert {one.scope: one.until > time.time() for one in two.look().halts} == {ALL: True, "tag x": True}


def test_a_lost_reply_is_told_again(world, monkeypatch):
    """A round that was booked and not answered is told again with the next one, which books the difference alone."""
    one = world.process()
    one.tell(spent=1)
    real = world.client.run

    def lose(*arguments):
        real(*arguments)
        raise Unreachable

    with monkeypatch.context() as patched:
        patched.setattr(world.client, "run", lose)
        with pytest.raises(Unreachable):
            one.tell(spent=40)
    assert one.tell(spent=45).budgets[KEY].spent == 45


def test_a_limit_may_change(world):
    """A lower limit is used by the next round."""
    one = world.process()
    one.tell(needed=10)
    assert one.tell(keep=0, needed=LIMIT, limit=40).budgets[KEY].held == 40


def test_nothing_of_a_home_or_prompt_is_on_the_server(world):
    """A dump of the server has names of scopes and random names of processes, no more."""
    one = world.process("0123456789abcdef")
    one.tell(spent=5, needed=2 * LIMIT, since=time.time(), halts=[halt()])
    keys = sorted(key.decode() for key in world.client.execute("KEYS", "*"))
    assert all(key.startswith("fl:{team}:") for key in keys)
    assert {key.split(":")[2] for key in keys} == {
        *("book", "part", "when", "share", "lease", "wait", "procs", "reported", "state", "turn", "halts"),
    }
    assert all(world.client.execute("PTTL", key) > 0 for key in keys)


STEPS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 300),
        st.integers(0, 700),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


@profile(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_shares_are_those_of_the_policy(world, steps):
    """The script hands out what `compute_share` does, which the embedded store and the simulation use."""
    world.flush()
    processes = [world.process() for _ in range(3)]
    held, spent, present = [0, 0, 0], [0, 0, 0], set()
    processes[0].tell(claims=False)
    world.settle()
    for number, more, needed, gives in steps:
        keep = 0 if gives else held[number]
        spent[number] += min(more, keep)
        present.add(number)
        others = sum(held) - held[number]
        # Waits of 1970 are over, so that nobody yields to them.
        processes[number].tell(spent=spent[number], keep=keep, needed=needed, since=1.0)
        held[number] = compute_share(
            limit=LIMIT, spent=sum(spent), others=others, keep=keep, needed=needed, processes=len(present)
        )
        assert processes[number].held == held[number]


def test_who_waits_longest_goes_first(world):
    """What is free is left to the process whose request waits for longest."""
    now = time.time()
    holder, early, late = (world.process() for _ in range(3))
    holder.tell(needed=LIMIT)
    late.tell(needed=200, since=now - 1)
    early.tell(needed=200, since=now - 5)
    holder.tell(keep=LIMIT - 250)
    assert holder.held == LIMIT - 250
    assert late.tell(needed=200, since=now - 1).budgets[KEY].held == 0
    assert early.tell(needed=200, since=now - 5).budgets[KEY].held >= 200
    assert late.tell(needed=200, since=now - 1).budgets[KEY].held <= 50


def test_all_that_wait_are_served_at_once_where_there_is_room(world):
    """One that waits for less long has what it needs in its first round when all that wait can be served."""
    now = time.time()
    holder, early, late = (world.process() for _ in range(3))
    holder.tell(needed=LIMIT)
    early.tell(needed=200, since=now - 5)
    late.tell(needed=200, since=now - 1)
    holder.tell(keep=LIMIT - 450)
    assert late.tell(needed=200, since=now - 1).budgets[KEY].held >= 200
    assert early.tell(needed=200, since=now - 5).budgets[KEY].held >= 200


def test_room_is_left_for_those_that_wait_longer_alone(world):
    """Of three that need more than there is, the second is served beside the first, and has no more than it needs."""
    now = time.time()
    holder, first, second, third = (world.process() for _ in range(4))
    holder.tell(needed=LIMIT)
    waiting = {first: now - 5, second: now - 3, third: now - 1}
    for process, since in waiting.items():
        process.tell(needed=200, since=since)
    holder.tell(keep=LIMIT - 450)
    assert third.tell(needed=200, since=now - 1).budgets[KEY].held == 0
    assert second.tell(needed=200, since=now - 3).budgets[KEY].held == 200
    assert first.tell(needed=200, since=now - 5).budgets[KEY].held == 200


def test_one_that_is_cut_off_stops_nobody(world):
    """A request whose process was not heard of for HEARD_SECONDS is not waited for; once it is heard again, it has its
    place in the line again."""
    now = time.time()
    holder, gone, other = (world.process() for _ in range(3))
    holder.tell(needed=LIMIT)
    gone.tell(needed=200, since=now - 5)
    other.tell(needed=200, since=now - 1)
    holder.tell(keep=LIMIT - 200)
    assert other.tell(needed=200, since=now - 1).budgets[KEY].held == 0
    gone.tell(needed=200, since=now - 5, keep=0)
    holder.tell(keep=LIMIT)
    gone.tell(needed=200, since=now - 5)
    world.age(gone, HEARD_SECONDS + 1)
    holder.tell(keep=LIMIT - 200)
    assert other.tell(needed=200, since=now - 1).budgets[KEY].held == 200
    view = holder.look().budgets[KEY]
    assert not view.wanted
    gone.tell(needed=200, since=now - 5)
    assert holder.look().budgets[KEY].wanted


def test_the_sums_are_those_of_the_shares(world):
    """After processes came, were killed and left, what a round counts for all is what each holds."""
    dice = random.Random(1)
    team = [world.process() for _ in range(5)]
    for _ in range(80):
        number = dice.randrange(len(team))
        process = team[number]
        action = dice.random()
        if action < 0.1:
            process.rounds.leave()
            team[number] = world.process()
        elif action < 0.2:
            world.age(process, LEASE_SECONDS + 5)
            team[number] = world.process()
        else:
            needed = dice.choice((0, 0, 50, 400))
            process.tell(
                keep=dice.choice((0, process.held)),
                needed=needed,
                since=time.time() - 5 * dice.random(),
                claims=action < 0.9,
            )
        flat = world.client.execute("HGETALL", world.names.name("share", KEY))
        share = dict(zip(flat[::2], flat[1::2], strict=True)) if isinstance(flat, list) else dict(flat)
        [*summed] = map(int, share.pop(b"+", b"0|0|0").split(b"|"))
        rows = [tuple(map(int, one.split(b"|"))) for one in share.values()]
        held = sum(row[0] for row in rows)
        assert summed == [held, sum(max(0, row[0] - row[1]) for row in rows), sum(row[2] for row in rows)]
        assert held <= LIMIT


def test_the_parts_of_all_are_read_now_and_then(world, monkeypatch):
    """A round brings what each has spent only once READ_SECONDS for each process have passed; what a new process
    tells is counted at once all the same."""
    clock = [1000.0]
    monkeypatch.setattr(rounds_module.time, "monotonic", lambda: clock[0])
    one, two = world.process(), world.process()
    two.tell(spent=7)
    one.tell()
    two.tell(spent=9)
    assert one.look().budgets[KEY].spent == 9
    assert list(one.rounds._books[KEY].parts.values()) == [7]
    clock[0] += 2 * READ_SECONDS
    one.look()
    assert list(one.rounds._books[KEY].parts.values()) == [9]


def test_a_new_team_settles_within_a_second(server):
    """The first request of a team waits for its share no longer than SETTLE_SECONDS and a round."""
    server.command("FLUSHALL")
    world = World(server, "fresh")
    one = world.process()
    ends = time.monotonic() + PATIENCE
    began = time.time()
    while one.tell(keep=one.held, needed=10).settling:
        assert time.monotonic() < ends
        time.sleep(0.02)
    assert time.time() - began >= SETTLE_SECONDS - 0.2
    assert one.held >= 10
    world.client.close()


def test_a_user_of_the_server_needs_few_rights(tmp_path):
    """The user of `ACL` in the example can do all that rounds need, and can neither see other keys nor manage."""
    with Server(tmp_path, "--aclfile", str(write_acl(tmp_path))) as server:
        address = parse_address(server.url.replace("127.0.0.1", "fairlead@127.0.0.1"))
        client = TeamClient(address, Secret("password-of-the-server"), print)
        rounds = Rounds(client, KeyNames("team"), "home")
        claim = Claim(ALL_DAY, TERM, 0, 0, 10, time.time())
        reply = rounds.run(Round(1, {KEY: claim}, [], {KEY: 5}, {}, [(1, halt())], 0, looks=False))
        assert reply.budgets[KEY].spent == 5
        rounds.leave()
        for command in (("GET", "other:key"), ("FLUSHALL",), ("CONFIG", "GET", "*"), ("KEYS", "*"), ("ACL", "LIST")):
            with pytest.raises((Unreachable, Refused)):
                client.execute(*command)
        client.close()


def write_acl(folder):
    """The example's file of users, as it stands on the reference page."""
    text = (Path(__file__).parents[3] / "packaging" / "reference" / "teams.md").read_text("utf-8")
    lines = [line for line in text.splitlines() if line.startswith("user ")]
    path = folder / "users.acl"
    path.write_text("\n".join(lines).replace("PASSWORD", "password-of-the-server") + "\n")
    return path


def test_days_of_a_team_begin_in_its_time_zone():
    """All machines count a moment in the same day, whatever their own time zones are; without a team it is theirs."""
    settings = Settings(shared_url="redis://localhost", shared_timezone="Asia/Tokyo", guard_day_usd=1.0)
    [budget] = read_rules(settings).budgets
    evening = 1_796_140_800.0  # 2026-12-01T16:00Z
    assert find_budget_term(budget, evening).label == "day 2026-12-02"
    [budget] = read_rules(replace(settings, shared_timezone="UTC")).budgets
    assert find_budget_term(budget, evening) == ("day 2026-12-01", 1_796_083_200.0, 1_796_169_600.0)
    [budget] = read_rules(replace(settings, shared_url=None)).budgets
    assert budget.zone is None
