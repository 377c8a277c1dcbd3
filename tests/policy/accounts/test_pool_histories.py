"""Whatever happens to accounts, in any order and at any distance in time: what a pool promises holds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.policy.accounts import session_affinity
from router.policy.accounts.pool import COOL_LIMIT, HOURLY_SECONDS, SHAKY_LIMIT, Pool, Want
from router.wire.headers.times import LONGEST, UNREADABLE

from .test_pool import herd, room

# Histories: what may happen to an account, at any distance in time.
SECONDS = st.one_of(st.floats(0, 100), st.floats(0, LONGEST), st.sampled_from([UNREADABLE, 0.0, 1e-9]))
STEPS = st.one_of(
    st.tuples(st.just("sleep"), st.one_of(st.floats(0, 120), st.floats(0, 400 * 86_400.0))),
    st.tuples(st.just("choose"), st.tuples(st.sampled_from(["", "s1", "s2", "s3"]), st.sampled_from(["", "opus"]))),
    st.tuples(st.just("parked"), st.tuples(st.integers(0, 3), SECONDS, st.sampled_from(["", "opus"]))),
    st.tuples(st.just("refused"), st.integers(0, 3)),
    st.tuples(st.just("model refused"), st.tuples(st.integers(0, 3), st.sampled_from(["m1", "m2"]))),
    st.tuples(st.just("shook"), st.integers(0, 3)),
    st.tuples(st.just("answered"), st.integers(0, 3)),
    st.tuples(st.just("read"), st.tuples(st.integers(0, 3), st.floats(0, 1), SECONDS, st.sampled_from(["", "opus"]))),
)


def lived(pool, steps):
    """Play a history; checks that hold at each moment are made here. The time at its end."""
    now = 1000.0
    for what, detail in steps:
        if what == "sleep":
            now += detail
        elif what == "choose":
            session, family = detail
            want = Want(session, family)
            choice = pool.choose(now, want)
            if choice is None:
                assert pool.ready_at(now, want) > now
                continue
            member = choice.member
            parked = now < member.until(family) and not (member.cools and now < member.closed)
            rested = now - member.closed_at >= HOURLY_SECONDS
            assert not parked or rested, "a parked account was chosen"
            assert member.limited_until <= now, "an account at its own limit was chosen"
            pool.begin_request(member, now, 30)
            pool.end_request(member, now, 10)
        elif what == "parked":
            pool.park(pool.members[detail[0]], now, detail[1], "429", detail[2])
        elif what == "read":
            room(pool.members[detail[0]], detail[1], detail[2], now, detail[3], f"{detail[3]}limit")
        elif what == "model refused":
            pool.refuse_model(pool.members[detail[0]], now, now, detail[1], "403")
        elif what == "answered":
            pool.reopen(pool.members[detail], now)
        elif what == "shook":
            pool.mark_failed(pool.members[detail], now, now)
        else:
            pool.cool_down(pool.members[detail], now, now, "401")
        for member in pool.members:
            for family in ("", "opus"):
                assert 0.0 <= pool.share(member, now, family) <= 1.0
            assert member.running == 0
        assert len(pool.affinity) <= session_affinity.LIMIT
    return now


@settings(deadline=None)
@pytest.mark.parametrize("strategy", ["headroom", "fill-first", "round-robin"])
@given(steps=st.lists(STEPS, max_size=60))
def test_histories(strategy, steps):
    """Headroom stays within 0 and 1, no parked account is chosen, and every one returns by time alone."""
    pool = Pool(herd(), strategy)
    now = lived(pool, steps)
    for member in pool.members:
        assert max(member.until("opus"), member.until("", "m1")) <= now + LONGEST + COOL_LIMIT
        assert member.shaky <= now + SHAKY_LIMIT
    later = now + LONGEST + COOL_LIMIT
    assert all(member.state(later) == "ready" for member in pool.members)
    assert all(pool.share(member, later, "opus") == 1.0 for member in pool.members)
    assert pool.choose(later, Want("s1", "opus", model="m1")) is not None


@pytest.mark.slow
@settings(max_examples=34_000, deadline=None)
@pytest.mark.parametrize("strategy", ["headroom", "fill-first", "round-robin"])
@given(steps=st.lists(STEPS, max_size=40))
def test_many_histories(strategy, steps):
    """The same over 100,000 histories."""
    pool = Pool(herd(), strategy)
    later = lived(pool, steps) + LONGEST + COOL_LIMIT
    assert all(member.state(later) == "ready" for member in pool.members)
