"""The admission queue of a backend, in virtual time: order, bounds, limits, and no request lost."""

import math
import random

import pytest
import trio
import trio.lowlevel
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from router.policy.accounts.rate_limit import RateLimit, RateSettings
from router.upstream.queue import AdmissionQueue, QueueTimeout


def run(main, *arguments):
    """Run in virtual time that jumps over waits."""
    return trio.run(main, *arguments, clock=MockClock(autojump_threshold=0))


def queue(**options):
    return AdmissionQueue(clock=trio.current_time, **options)


def always(_):
    return None


def test_one_behind_the_first_goes_when_it_can():
    """The first waiter watches the time for those behind it too, whose account may be ready sooner than its own."""

    async def main():
        here, went = queue(), []

        async def one(ready, plain):
            def ask(now):
                return None if now >= ready else ready

            await here.acquire(ask, patience=60.0, arrived=trio.current_time(), plain=plain)
            went.append(trio.current_time())
            here.release()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(one, 30.0, False)
            await trio.sleep(1)
            nursery.start_soon(one, 2.0, True)
        assert went == [2.0, 30.0]

    run(main)


def test_first_come_first_served():
    """With one place, the request that came first goes first, and each place is given back."""

    async def main():
        order, here = [], queue(limit=1)

        async def one(number):
            await trio.sleep(number / 1000)
            if not here.try_acquire(always, trio.current_time()):
                await here.acquire(always, patience=60.0, arrived=trio.current_time())
            order.append(number)
            await trio.sleep(0.1)
            here.release()

        async with trio.open_nursery() as nursery:
            for number in random.sample(range(200), 200):
                nursery.start_soon(one, number)
        assert order == list(range(200))
        assert (here.running, here.waiting) == (0, 0)

    run(main)


def test_who_leaves_frees_its_place():
    """Those behind move up at once."""

    async def main():
        here, went = queue(limit=1), []
        here.try_acquire(always, 0.0)

        async def one(number, scope):
            with scope:
                await here.acquire(always, patience=60.0, arrived=number)
                went.append(number)

        scopes = [trio.CancelScope() for _ in range(3)]
        async with trio.open_nursery() as nursery:
            for number, scope in enumerate(scopes):
                nursery.start_soon(one, number, scope)
            await trio.sleep(1)
            scopes[0].cancel()
            await trio.sleep(1)
            assert here.waiting == 2
            here.release()
            await trio.sleep(1)
            here.release()
        assert went == [1, 2]
        assert here.running == 1

    run(main)


def test_bounds():
    """Too many, and too long: each error has the limit that delayed the request."""

    async def main():
        here = queue(limit=1, most=2)
        assert here.try_acquire(always, 0.0)
        assert not here.try_acquire(always, 0.0)
        found = []

        async def one():
            try:
                await here.acquire(always, patience=5.0, arrived=trio.current_time())
            except QueueTimeout as waited:
                found.append((waited.limit, trio.current_time()))

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(one)
            await trio.sleep(3)
            assert here.stalled() == pytest.approx(3)
        assert sorted(found) == [("max_concurrent", 5.0), ("max_concurrent", 5.0), ("max_queued", 0.0)]
        assert here.stalled() is None

    run(main)


def test_waits_for_an_account():
    """Until the moment one is ready; not at all when that is after the request's patience ends."""

    async def main():
        here, ready = queue(), 20.0

        def ask(now):
            return None if now >= ready else ready

        await here.acquire(ask, patience=60.0, arrived=0.0)
        assert trio.current_time() == 20.0
        ready = 100.0
        with pytest.raises(QueueTimeout) as raised:
            await here.acquire(ask, patience=60.0, arrived=21.0)
        assert (raised.value.limit, raised.value.until, trio.current_time()) == ("accounts", 100.0, 20.0)

    run(main)


def test_one_that_needs_another_account_holds_up_nobody():
    """Requests behind one that is bound to a parked account go first."""

    async def main():
        here, went = queue(limit=5), []

        async def one(name, ask, plain):
            await here.acquire(ask, patience=60.0, arrived=0.0, plain=plain)
            went.append((name, trio.current_time()))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(one, "pinned", lambda now: None if now >= 30 else 30.0, False)
            await trio.sleep(0.01)
            nursery.start_soon(one, "plain", always, True)
        assert [name for name, _ in went] == ["plain", "pinned"]
        assert went[0][1] < 1

    run(main)


@pytest.mark.parametrize(
    ("limits", "times"),
    [
        (RateSettings(interval=2.0), [0.0, 2.0, 4.0, 6.0]),
        (RateSettings(rpm=2), [0.0, 0.0, 61.0, 61.0]),
        (RateSettings(tpm=250), [0.0, 0.0, 61.0, 61.0]),
    ],
)
def test_the_users_own_limits(limits, times):
    """Requests wait for them in the queue; a minute is never shorter than one."""

    async def main():
        here, went = queue(), []
        here.set_limits(limits)

        async def one():
            now = trio.current_time()
            if not here.try_acquire(always, now, 100):
                await here.acquire(always, patience=600.0, arrived=now, tokens=100)
            went.append(trio.current_time())
            here.release()

        async with trio.open_nursery() as nursery:
            for _ in times:
                nursery.start_soon(one)
        assert went == pytest.approx(times)

    run(main)


def test_a_limit_beyond_patience_is_said_at_once():
    """A request does not wait at all for a minute that ends after its patience."""

    async def main():
        here = queue()
        here.set_limits(RateSettings(rpm=1))
        assert here.try_acquire(always, 0.0)
        with pytest.raises(QueueTimeout) as raised:
            await here.acquire(always, patience=30.0, arrived=0.0)
        assert (raised.value.limit, raised.value.until) == ("rpm", 61.0)
        assert trio.current_time() == 0.0

    run(main)


@given(
    st.lists(st.tuples(st.floats(0, 600), st.integers(0, 500)), min_size=1, max_size=60),
    st.one_of(st.none(), st.integers(1, 20)),
    st.one_of(st.none(), st.integers(1, 1000)),
    st.sampled_from([0.0, 0.5, 7.0]),
)
def test_no_minute_holds_more(arrivals, rpm, tpm, interval):
    """No 60 seconds have more requests or tokens than the limits, except that one request of any size is admitted."""
    rate, now, sent = RateLimit(RateSettings(rpm, tpm, interval)), 0.0, []
    for gap, tokens in arrivals:
        now += gap
        for _ in range(10):
            wait = rate.wait(now, tokens)
            if wait.until <= now:
                break
            now = wait.until
        assert rate.wait(now, tokens).until <= now
        rate.count_request(now, tokens)
        sent.append((now, tokens))
    for at, _ in sent:
        within = [tokens for other, tokens in sent if at <= other < at + 60]
        assert rpm is None or len(within) <= rpm
        assert tpm is None or sum(within) <= tpm or len([one for one in within if one]) <= 1


PEOPLE = st.lists(
    st.tuples(st.floats(0, 20), st.floats(0, 5), st.one_of(st.none(), st.floats(0, 10)), st.floats(0.1, 30)),
    min_size=1,
    max_size=40,
)


@given(PEOPLE, st.integers(1, 4), st.integers(1, 10), st.floats(0, 15))
def test_nobody_is_lost(people, limit, most, ready):
    """Requests that run, wait or leave all end, in order of arrival, and all places are free in the end."""

    async def main():
        here, went, ended = queue(limit=limit, most=most), [], []

        async def one(comes, stays, leaves, patience):
            await trio.sleep(comes)
            arrived = trio.current_time()

            def ask(now):
                if now < ready:
                    return ready
                went.append(arrived)  # in the order of the queue; tasks wake in any
                return None

            with trio.move_on_after(math.inf if leaves is None else leaves):
                try:
                    if not here.try_acquire(ask, arrived):
                        await here.acquire(ask, patience=patience, arrived=arrived)
                except QueueTimeout:
                    ended.append("refused")
                    return
                try:
                    assert here.running <= limit
                    await trio.sleep(stays)
                finally:
                    here.release()
            ended.append("over")

        async with trio.open_nursery() as nursery:
            for person in people:
                nursery.start_soon(one, *person)
        assert len(ended) == len(people)
        assert went == sorted(went)
        assert (here.running, here.waiting) == (0, 0)

    run(main)
