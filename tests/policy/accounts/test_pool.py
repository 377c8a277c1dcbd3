"""Which account serves: states, strategies, sessions; over random histories in virtual time."""

import math
import statistics
import time
from itertools import pairwise

import pytest

from router.policy.accounts import session_affinity
from router.policy.accounts.pool import HOURLY_SECONDS, Member, Pool, Want, cooling_seconds
from router.policy.accounts.rate_limit import RateLimit, RateSettings
from router.wire.headers.rate_limits import Limit


def members(number=3):
    return [Member(f"a{index}") for index in range(number)]


def herd():
    """Four accounts, the first with limits of the user's own."""
    found = members(4)
    found[0].rate_limit = RateLimit(RateSettings(rpm=3, tpm=100))
    return found


def room(member, used, left=3600.0, now=0.0, family="", name="5h"):
    member.headroom.note_limits((Limit(name, used, left, family),), now)


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("headroom", ["a1"] * 4),
        ("fill-first", ["a0"] * 4),
        ("round-robin", ["a0", "a1", "a2", "a0"]),
    ],
)
def test_strategies(strategy, expected):
    """The one with most left; the first; each in turn."""
    pool = Pool(members(), strategy)
    for member, used in zip(pool.members, (0.5, 0.1, 0.9), strict=True):
        room(member, used)
    assert [pool.choose(1.0).member.alias for _ in range(4)] == expected


def test_fill_first_leaves_what_is_drained():
    """The first account is left once it has two percent or less."""
    pool = Pool(members(), "fill-first")
    room(pool.members[0], 0.985)
    assert pool.choose(1.0).member.alias == "a1"


def test_equal_accounts_share_the_load():
    """Where nothing is known of limits, the one with the fewest requests under way is taken."""
    pool = Pool(members())
    chosen = []
    for _ in range(6):
        member = pool.choose(1.0).member
        pool.begin_request(member, 1.0)
        chosen.append(member.alias)
    assert sorted(chosen) == ["a0", "a0", "a1", "a1", "a2", "a2"]


def test_a_session_keeps_its_account_for_1000_turns():
    """Whatever the others have left, until its account is drained; the move shows what was given up."""
    pool = Pool(members())
    first = pool.choose(0.0, Want("s")).member
    for turn in range(1, 1000):
        for member in pool.members:
            room(member, 0.9 if member is first else 0.1, now=float(turn))
        choice = pool.choose(float(turn), Want("s"))
        assert choice.member is first
        assert choice.moved is None
    assert choice.binding.turns == 1000
    pool.affinity.note_cached("s", 96_000)
    room(first, 0.981, now=1000.0)
    moved = pool.choose(1000.0, Want("s"))
    assert moved.member is not first
    assert (moved.moved.account, moved.moved.cached, moved.binding.turns) == (first.alias, 96_000, 1)


def test_bindings_are_bounded():
    """2,000 of them, the least recently used goes first; six idle hours end one."""
    pool = Pool(members())
    for number in range(2500):
        pool.choose(float(number), Want(f"s{number}"))
        pool.choose(float(number), Want("steady"))
    assert len(pool.affinity) == session_affinity.LIMIT
    assert pool.affinity.get("steady", 2500.0).turns == 2500
    assert pool.affinity.get("s10", 2500.0) is None
    assert pool.affinity.get("steady", 2499.0 + session_affinity.IDLE_SECONDS + 1) is None


def test_a_family_is_parked_alone():
    """What is parked for opus serves haiku."""
    pool = Pool(members(1))
    pool.park(pool.members[0], 0.0, 600.0, "429", "opus")
    assert pool.choose(1.0, Want(family="haiku")) is not None
    assert pool.choose(1.0, Want(family="opus")) is None
    assert pool.ready_at(1.0, Want(family="opus")) == 600.0
    assert pool.choose(601.0, Want(family="opus")) is not None


def test_refusals_cool_down_longer_each_time():
    """60 s, doubled up to 30 min; then the account is called revoked, and it still returns by time alone."""
    assert [cooling_seconds(number) for number in range(1, 8)] == [60, 120, 240, 480, 960, 1800, 1800]
    pool = Pool(members(2))
    bad, now = pool.members[0], 0.0
    for number in range(1, 8):
        pool.cool_down(bad, now, now, "401")
        assert bad.state(now) == ("revoked" if number >= 6 else "cooling")
        now = bad.closed
        assert bad.state(now) == "ready"
    pool.reopen(bad, now)
    assert (bad.rejections, bad.state(now)) == (0, "ready")


def wants(model, session=""):
    return Want(session, model=model)


def test_a_model_is_closed_alone():
    """A limit of one model leaves the others, and the conversations that use them, where they are."""
    pool = Pool(members(2))
    first = pool.choose(0.0, wants("flash", "s")).member
    pool.park(first, 1.0, 600.0, "429", "pro")
    assert pool.choose(2.0, wants("flash", "s")).member is first
    assert pool.choose(2.0, wants("pro")).member is not first
    assert (first.state(2.0), first.until("", "pro"), first.until("", "flash")) == ("ready", 601.0, 0.0)


def test_a_model_that_is_refused_is_closed_alone_and_longer_each_time():
    """403: 60 s, doubled; other models are served meanwhile, which opens nothing for this one."""
    pool = Pool(members(1))
    member, now = pool.members[0], 0.0
    for seconds in (60.0, 120.0, 240.0):
        pool.refuse_model(member, now, now, "paid", "403")
        assert (member.until("", "paid"), member.state(now)) == (now + seconds, "ready")
        pool.reopen(member, now + 1, wants("free"))
        assert member.until("", "paid") == now + seconds
        now += seconds
    pool.reopen(member, now, wants("paid"))
    pool.refuse_model(member, now, now, "paid", "403")
    assert member.until("", "paid") == now + 60.0


def test_a_model_that_is_refused_is_tried_when_there_is_no_other_account():
    """As an account that cools down: not trying costs a request. A limit of the model is waited for."""
    pool = Pool(members(1))
    pool.refuse_model(pool.members[0], 0.0, 0.0, "paid", "403")
    assert pool.choose(1.0, wants("paid")) is not None
    pool.park(pool.members[0], 0.0, 600.0, "429", "other")
    assert pool.choose(1.0, wants("other")) is None


def test_a_second_refused_model_closes_the_account():
    """Then its key is refused, and the account cools down as after a 401, longer each time."""
    pool = Pool(members(2))
    member = pool.members[0]
    pool.refuse_model(member, 0.0, 0.0, "one", "403")
    pool.refuse_model(member, 1.0, 1.0, "two", "403")
    assert (member.state(2.0), member.closed, member.rejections) == ("cooling", 61.0, 1)
    pool.refuse_model(member, 70.0, 70.0, "three", "403")
    assert (member.closed, member.rejections) == (190.0, 2)
    pool.reopen(member, 200.0, wants("one"))
    assert (member.state(200.0), member.rejections, member.refused) == ("ready", 0, set())
    pool.refuse_model(member, 201.0, 201.0, "two", "403")
    assert member.state(202.0) == "ready"


def test_a_refusal_between_answers_closes_no_account():
    """A key that serves anything is not refused, however many models it is not for."""
    pool = Pool(members(1))
    for number in range(10):
        pool.refuse_model(pool.members[0], number, number, f"m{number}", "403")
        pool.reopen(pool.members[0], number + 0.5, wants("free"))
    assert (pool.members[0].state(10.0), pool.members[0].rejections) == ("ready", 0)


def test_refusals_of_a_model_at_once_count_as_one():
    """Of requests that were under way together, one doubles the time."""
    pool = Pool(members(1))
    for now in (10.0, 10.1, 10.2):
        pool.refuse_model(pool.members[0], now, 5.0, "m", "403")
    assert pool.members[0].until("", "m") == 70.0


def test_closed_models_are_bounded():
    """Names of models come from clients."""
    pool = Pool(members(1))
    for number in range(500):
        pool.park(pool.members[0], float(number), 600.0, "429", f"m{number}")
    assert len(pool.members[0].closed_for) <= 64
    assert pool.choose(500.0, wants("m499")) is None


def test_money_that_is_used_up_everywhere():
    """It is known that waiting for a limit does not help."""
    pool = Pool(members(2))
    pool.park(pool.members[0], 0.0, 600.0, "402 quota", spent=True)
    assert not pool.is_spent(1.0)
    pool.park(pool.members[1], 0.0, 600.0, "402 quota", spent=True)
    assert pool.is_spent(1.0)
    assert not pool.is_spent(601.0)
    pool.park(pool.members[1], 2.0, 900.0, "429 window")
    assert not pool.is_spent(3.0)


def test_what_clients_are_told_grows_as_their_own_waits():
    """By the account that failed least often in a row; a success ends it."""
    pool = Pool(members(2))
    told = []
    for now in range(8):
        for member in pool.members:
            pool.mark_failed(member, float(now), float(now))
        told.append(pool.repeat_after(float(now)))
    assert told == [1, 1, 2, 4, 8, 16, 30, 30]
    pool.reopen(pool.members[1], 9.0)
    assert pool.repeat_after(9.0) == 1
    for now in range(10, 13):
        pool.note_missed(pool.members[1], float(now), float(now))
        pool.note_missed(pool.members[1], float(now), now - 0.5)
    assert (pool.repeat_after(13.0), pool.members[1].faults) == (2, 0)
    pool.park(pool.members[1], 13.0, 600.0, "429")
    assert pool.repeat_after(13.0) == 30


def test_many_refusals_at_once_count_as_one():
    """Of requests that were under way together, one doubles the time."""
    pool = Pool(members(2))
    for now in (10.0, 10.1, 10.2):
        pool.cool_down(pool.members[0], now, 5.0, "401")
    assert pool.members[0].rejections == 1


def test_an_answer_to_an_older_request_opens_nothing():
    """A request that was sent before the account was parked says nothing of it."""
    pool = Pool(members(1))
    member = pool.members[0]
    pool.park(member, 10.0, 600.0, "429")
    pool.reopen(member, 5.0)
    assert member.state(11.0) == "parked"
    pool.reopen(member, 12.0)
    assert member.state(12.0) == "ready"


def test_the_longest_parked_is_tried_hourly():
    """With nothing else, one request an hour asks the account that is parked for longest."""
    pool = Pool(members(2))
    for at, member in enumerate(pool.members):
        pool.park(member, float(at), 20 * 86_400.0, "429")
    tries = []
    for now in range(0, 4 * 3600, 60):
        choice = pool.choose(float(now))
        if choice is not None:
            pool.begin_request(choice.member, float(now))
            pool.end_request(choice.member)
            tries.append((now, choice.member.alias))
    assert len(tries) >= 3
    assert all(later - earlier <= 2 * HOURLY_SECONDS for (earlier, _), (later, _) in pairwise(tries))


def test_one_that_cools_down_is_tried_when_there_is_no_other():
    """Trying it costs a refusal, refusing costs a request; one that is parked is not tried."""
    pool = Pool(members(2))
    pool.cool_down(pool.members[0], 0.0, 0.0, "401")
    pool.park(pool.members[1], 0.0, 600.0, "429")
    assert pool.choose(1.0).member is pool.members[0]


def test_shaky_ones_wait_behind_steady_ones():
    """What failed a moment ago is chosen when there is no other."""
    pool = Pool(members(2))
    pool.mark_failed(pool.members[0], 0.0, 0.0)
    assert pool.choose(0.5).member is pool.members[1]
    pool.park(pool.members[1], 0.5, 600.0, "429")
    assert pool.choose(0.6).member is pool.members[0]


def test_faults_of_one_moment_count_once():
    """Of requests that were under way together one shakes the account; one that was sent later shakes it for longer."""
    pool = Pool(members(2))
    bad = pool.members[0]
    for now in (10.0, 10.1, 10.2):
        pool.mark_failed(bad, now, 5.0)
    assert (bad.faults, bad.shaky) == (1, 12.0)
    pool.mark_failed(bad, 11.0, 10.5)
    assert (bad.faults, bad.shaky) == (2, 15.0)


def test_of_shaky_ones_the_steadiest():
    """When all failed a moment ago, the one that failed least often in a row."""
    pool = Pool(members(3), "fill-first")
    for index, moments in enumerate(((0.0, 2.0, 6.0), (5.0,), (3.0, 5.0))):
        for now in moments:
            pool.mark_failed(pool.members[index], now, now)
    assert [member.faults for member in pool.members] == [3, 1, 2]
    assert pool.choose(6.5).member is pool.members[1]


def test_limits_of_the_users_own():
    """An account at its own limit is passed over, also by a session that is bound to it, and is back in a minute."""
    pool = Pool(members(2))
    pool.members[0].rate_limit = RateLimit(RateSettings(rpm=2))
    pool = Pool(pool.members, "fill-first")
    for now in (0.0, 1.0):
        choice = pool.choose(now, Want("s"))
        assert choice.member is pool.members[0]
        pool.begin_request(choice.member, now)
    moved = pool.choose(2.0, Want("s"))
    assert (moved.member, moved.moved.account) == (pool.members[1], "a0")
    assert pool.members[0].state(2.0) == "parked"
    pool.park(pool.members[1], 2.0, 7200.0, "429")
    assert pool.choose(3.0) is None, "one at its own limit is no last resort"
    assert 60.0 <= pool.ready_at(3.0) <= 61.0
    assert pool.choose(61.0).member is pool.members[0]


def test_budgets_steer():
    """The account whose own budget is used least is preferred, and one whose budget is used up loses its sessions."""
    spent = {"a0": 0.5, "a1": 0.2}
    pool = Pool(members(2), spent=spent.__getitem__)
    assert pool.choose(0.0, Want("s")).member.alias == "a1"
    spent["a1"] = 1.3
    assert pool.share(pool.members[1], 0.0) == 0.0
    assert pool.choose(1.0, Want("s")).member.alias == "a0"


def test_barred_accounts():
    """What the guard has halted is not chosen, whatever it has left."""
    pool = Pool(members(2))
    room(pool.members[1], 0.9)
    assert pool.choose(0.0, Want("s", barred=("a0",))).member.alias == "a1"
    assert pool.ready_at(0.0, Want(barred=("a0", "a1"))) == math.inf


def test_pinned_grouped_and_unusable_accounts():
    """An id pins its account; what is sealed stays in its group; without a key no account is chosen."""
    pool = Pool(members())
    pool.members[1].group = pool.members[2].group = "org"
    assert pool.choose(0.0, Want(only="a2")).member.alias == "a2"
    assert pool.choose(0.0, Want(group="org")).member.alias in ("a1", "a2")
    pool.members[1].usable = pool.members[2].usable = False
    assert pool.choose(0.0, Want(group="org")) is None
    assert pool.ready_at(0.0, Want(group="org")) == math.inf


def test_callers_with_keys_of_their_own_share_no_state():
    """What one caller's credential met says nothing of the next one's."""
    pool = Pool(members(1), stateless=True)
    pool.park(pool.members[0], 0.0, 600.0, "429")
    pool.cool_down(pool.members[0], 0.0, 0.0, "401")
    assert pool.choose(1.0).member.state(1.0) == "ready"


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["headroom", "fill-first", "round-robin"])
def test_choosing_is_quick(strategy):
    """With 50 accounts and 2,000 bindings a choice takes at most 20 µs, the usual one of a bound session 5 µs."""
    pool = Pool([Member(f"a{number}") for number in range(50)], strategy)
    for number, member in enumerate(pool.members):
        member.headroom.note_limits((Limit("5h", number / 60, 1e6), Limit("7d", number / 70, 1e6)), 0.0)
    sessions = [Want(f"{number:016x}") for number in range(2000)]
    strangers = [Want(f"new-{number}") for number in range(5000)]
    for want in sessions:
        pool.choose(0.0, want)
    assert median(lambda number: pool.choose(1.0, sessions[number * 7919 % 2000])) <= 5e-6
    assert median(lambda number: pool.choose(1.0, strangers[number])) <= 20e-6


def median(function):
    """The usual time of a call, in seconds."""
    times = []
    for number in range(5000):
        start = time.perf_counter()
        function(number)
        times.append(time.perf_counter() - start)
    return statistics.median(times)
