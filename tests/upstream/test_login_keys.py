"""Tokens of logins as keys, in virtual time: renewed beside the requests, before they end and after a sleep."""

import math

import pytest
import trio
from trio.testing import MockClock

from router.errors import CommandError
from router.host.clock import ClockReading
from router.login.ended import LoginEnded, make_ended
from router.login.tokens import Token
from router.server.heartbeat import BEAT_SECONDS, Heartbeat
from router.settings import Secret
from router.store.keys.own_keys import OwnKeys
from router.upstream.credentials import Credentials

WORK = "login:work"


class Script:
    """What stands for the logins of a home. tokens: one after the other, or what a fetch raises; the last one stays.
    seconds: that a fetch takes."""

    def __init__(self, *tokens, seconds=0.0):
        self._tokens = list(tokens)
        self.seconds = seconds
        #: (time, refused, renew) of each fetch.
        self.asked = []
        self.paused = True

    async def fetch(self, name, refused=None, *, renew=False):
        self.asked.append((trio.current_time(), refused, renew))
        await trio.sleep(self.seconds)
        found = self._tokens.pop(0) if len(self._tokens) > 1 else self._tokens[0]
        if isinstance(found, Exception):
            raise found
        return found

    def forget_pauses(self):
        self.paused = False


def token(text, *, ends=math.inf, due=math.inf):
    return Token(Secret(text), ends, due)


def used(script, use):
    """Run `use(credentials)`; what was hidden in logs, and the ends that were told."""
    hidden, ended = [], []

    async def main():
        credentials = Credentials({}, OwnKeys(), hidden.extend, trio.current_time, script)
        credentials.on_login = ended.append
        credentials.retain_only({WORK, "sk-1"})
        await use(credentials)

    trio.run(main, clock=MockClock(autojump_threshold=0))
    return hidden, ended


async def beat(credentials):
    credentials.renew_due()
    await trio.testing.wait_all_tasks_blocked()


def test_it_is_fetched_before_a_request_needs_it():
    """At the first beat, and once for all who ask meanwhile; the token is hidden in logs."""
    script = Script(token("at-1"), seconds=3)

    async def use(credentials):
        await beat(credentials)
        async with trio.open_nursery() as nursery:
            for _ in range(9):
                nursery.start_soon(credentials.key, WORK)
        assert trio.current_time() == 3
        assert await credentials.key(WORK) == Secret("at-1")
        assert trio.current_time() == 3
        assert credentials.list_fetched([WORK]) == [Secret("at-1")]

    hidden, _ = used(script, use)
    assert (hidden, len(script.asked)) == ([Secret("at-1")], 1)


def test_it_is_renewed_while_requests_go_on():
    """From its due time on, beside the requests: none waits for the issuer, and all get the old one until then."""
    script = Script(token("at-1", ends=3600, due=3300), token("at-2", ends=3600, due=3300))

    async def use(credentials):
        assert await credentials.key(WORK) == Secret("at-1")
        await trio.sleep(3299)
        await beat(credentials)
        assert len(script.asked) == 1
        await trio.sleep(2)
        script.seconds = 20
        await beat(credentials)
        await beat(credentials)
        now = trio.current_time()
        assert await credentials.key(WORK) == Secret("at-1")
        assert trio.current_time() == now
        await trio.sleep(21)
        assert await credentials.key(WORK) == Secret("at-2")
        assert [(refused, renew) for _, refused, renew in script.asked] == [(None, False), (None, True)]

    hidden, _ = used(script, use)
    assert hidden == [Secret("at-1"), Secret("at-2")]


def test_what_cannot_be_renewed_is_tried_again():
    """When the issuer says so, or in a minute; the token stays in use to its end, and not beyond."""
    script = Script(
        *(token("at-1", ends=600, due=300), token("at-1", ends=290, due=40), ValueError("a defect")),
        CommandError("the issuer is down."),
    )

    async def use(credentials):
        await credentials.key(WORK)
        for seconds, asked in ((310, 2), (30, 2), (11, 3), (50, 3), (11, 4)):
            await trio.sleep(seconds)
            await beat(credentials)
            assert len(script.asked) == asked
            assert await credentials.key(WORK) == Secret("at-1")
        await trio.sleep(200)
        with pytest.raises(CommandError, match="the issuer is down"):
            await credentials.key(WORK)

    used(script, use)


def test_a_refused_token_is_fetched_anew_once():
    """The login is told which one was refused; when the next is refused too, the issuer is left alone for a while."""
    script = Script(token("at-1"), token("at-2"), token("at-3"))

    async def use(credentials):
        one = await credentials.key(WORK)
        assert credentials.forget(WORK, one) is False
        two = await credentials.key(WORK)
        assert (two, script.asked[-1][1]) == (Secret("at-2"), one)
        assert credentials.forget(WORK, two) is True
        for _ in range(20):
            assert await credentials.key(WORK) == two
            assert credentials.forget(WORK, two) is True
        assert len(script.asked) == 2
        await trio.sleep(61)
        assert credentials.forget(WORK, two) is False
        assert await credentials.key(WORK) == Secret("at-3")

    used(script, use)


def test_a_resting_login_is_not_used_beyond_its_end():
    """Its old token stays in use while the issuer is left alone, but not when it has ended."""
    script = Script(token("at-1"), token("at-2", ends=30), token("at-3"))

    async def use(credentials):
        credentials.forget(WORK, await credentials.key(WORK))
        assert credentials.forget(WORK, await credentials.key(WORK)) is True
        await trio.sleep(31)
        assert await credentials.key(WORK) == Secret("at-3")

    used(script, use)


@pytest.mark.parametrize("renewing", [True, False])
def test_an_ended_login_is_asked_for_no_more(renewing):
    """Told once; every request gets the reason at once; a reload looks again."""
    ended = make_ended("work", "invalid_grant.")
    script = Script(*([token("at-1", ends=600, due=300)] if renewing else []), ended, ended, token("at-2"))

    async def use(credentials):
        if renewing:
            await credentials.key(WORK)
            await trio.sleep(301)
            await beat(credentials)
        before = None
        for _ in range(5):
            with pytest.raises(LoginEnded, match="login ended: invalid_grant") as caught:
                await credentials.key(WORK)
            assert caught.value.hint == "Log in again:   fairlead login work"
            before = before or len(script.asked)
            await beat(credentials)
            assert len(script.asked) == before
        credentials.wake()
        assert not script.paused
        await beat(credentials)
        credentials.wake()
        assert await credentials.key(WORK) == Secret("at-2")

    _, told = used(script, use)
    assert len(told) == 2


def test_a_new_login_is_found_without_a_reload():
    """In the place of one that had ended: looked for each minute, without asking the issuer."""
    ended = make_ended("work", "invalid_grant.")
    script = Script(ended, ended, token("at-2"))

    async def use(credentials):
        for seconds, asked in ((0, 1), (59, 1), (2, 2), (58, 2)):
            await trio.sleep(seconds)
            await beat(credentials)
            with pytest.raises(LoginEnded):
                await credentials.key(WORK)
            assert len(script.asked) == asked
        await trio.sleep(3)
        await beat(credentials)
        assert await credentials.key(WORK) == Secret("at-2")
        assert len(script.asked) == 3

    _, told = used(script, use)
    assert [type(one) for one in told] == [LoginEnded, type(None)]


def test_a_reload_reads_it_again_beside_requests():
    """The user may have logged in anew; until that is read the old token serves."""
    script = Script(token("at-1"), token("at-2"))

    async def use(credentials):
        await credentials.key(WORK)
        credentials.wake()
        script.seconds = 5
        await beat(credentials)
        assert await credentials.key(WORK) == Secret("at-1")
        await trio.sleep(6)
        assert await credentials.key(WORK) == Secret("at-2")

    used(script, use)


def test_logins_that_no_account_has_are_left_alone():
    """Nothing is fetched for them."""
    script = Script(token("at-1"))

    async def use(credentials):
        credentials.retain_only({"sk-1"})
        await beat(credentials)
        assert script.asked == []

    used(script, use)


def test_without_logins_it_is_told():
    """As in a part of the program that has no home."""

    async def main():
        with pytest.raises(CommandError, match="no logins can be read here"):
            await Credentials({}, OwnKeys()).key(WORK)

    trio.run(main)


def test_after_a_sleep_it_is_fetched_before_a_request_comes(made, home):
    """At the beat that notices it; a token that has ended meanwhile is not used."""
    script = Script(token("at-1", ends=3600), token("at-2"))

    async def main():
        slept = 0.0

        def clocks():
            now = trio.current_time()
            return ClockReading(now, 1e9 + now + slept, now + slept)

        runtime = made()
        credentials = runtime.credentials
        credentials._logins, credentials._clock = script, lambda: trio.current_time() + slept
        credentials.retain_only({WORK})
        heart = Heartbeat(runtime, clocks=clocks, addresses=tuple)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(heart.run)
            await trio.sleep(BEAT_SECONDS * 1.5)
            assert await credentials.key(WORK) == Secret("at-1")
            slept = 7200.0
            await trio.sleep(BEAT_SECONDS)
            assert len(script.asked) == 2
            assert await credentials.key(WORK) == Secret("at-2")
            nursery.cancel_scope.cancel()

    trio.run(main, clock=MockClock(autojump_threshold=0))
