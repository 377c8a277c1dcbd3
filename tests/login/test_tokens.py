"""The tokens of logins for whoever sends requests: given at once while valid, renewed in time, and used while their
issuer fails."""

import math
import time

import pytest
import trio

from router.errors import CommandError
from router.login.ended import LoginEnded
from router.login.tokens import LONGEST_PAUSE_SECONDS, Logins
from router.net.client.outbound import DIRECT
from router.settings import Secret
from router.store.keys.logins import Tokens

from .issuer import running
from .stored import store


@pytest.fixture
def issuer():
    """An issuer."""
    with running() as server:
        yield server


class Clock:
    """Seconds that the test sets."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def fetched(home, use):
    """Run `use(logins, clock)`; what was written to the log."""

    said = []

    async def main():
        clock = Clock()
        await use(Logins(home, lambda: DIRECT, clock, said.append), clock)

    trio.run(main)
    return said


def test_a_valid_token_is_given_at_once(home, issuer):
    """Also when it is due: only who asks for a renewal waits for one."""
    login = store(home, issuer, age=3400)

    async def use(tokens, clock):
        now = await tokens.fetch("work")
        assert (now.secret, now.due_in) == (login.access, 0.0)
        assert now.ends_in == pytest.approx(200, abs=20)
        assert issuer.count("refresh_token") == 0
        new = await tokens.fetch("work", renew=True)
        assert new.secret != login.access
        assert new.due_in == pytest.approx(3240, abs=20)
        # Not due any more.
        assert (await tokens.fetch("work", renew=True)).secret == new.secret

    fetched(home, use)
    assert issuer.count("refresh_token") == 1


def test_an_ended_or_refused_token_is_renewed_first(home, issuer):
    """Nobody gets one that is known not to work."""
    old = store(home, issuer, age=4000)

    async def use(tokens, clock):
        one = await tokens.fetch("work")
        assert one.secret != old.access
        two = await tokens.fetch("work", one.secret)
        assert two.secret not in (one.secret, old.access)
        # Another process may have renewed it since: then it is not asked again.
        assert (await tokens.fetch("work", old.access)).secret == two.secret

    fetched(home, use)
    assert issuer.count("refresh_token") == 2


def test_a_failing_issuer_is_asked_ever_more_rarely(home, issuer):
    """After 5, 10, 20 … seconds, five minutes at most; the valid token is given all the time; the first success ends
    it."""
    login = store(home, issuer, age=3400)
    issuer.failing = [503, 502, 500, 503, 503, 503, 503, 503, 503]

    async def use(tokens, clock):
        waits = []
        for number in range(1, 10):
            found = await tokens.fetch("work", renew=True)
            assert found.secret == login.access
            again = await tokens.fetch("work", renew=True)
            assert again.due_in == found.due_in
            assert issuer.count("refresh_token") == number
            waits.append(found.due_in)
            clock.now += found.due_in
        assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]
        assert (await tokens.fetch("work", renew=True)).secret != login.access

    (said,) = fetched(home, use)
    assert said.startswith("warning: the login work could not be renewed, and will be tried again: ")


def test_without_a_valid_token_the_failure_is_told(home, issuer):
    """With the cause, also to those who come while the issuer is left alone; a reload asks again."""
    store(home, issuer, age=4000)
    issuer.failing = [503]

    async def use(tokens, clock):
        for _ in range(3):
            with pytest.raises(CommandError, match=r"the login work could not be renewed: .* answered 503"):
                await tokens.fetch("work")
        assert issuer.count("refresh_token") == 1
        tokens.forget_pauses()
        assert (await tokens.fetch("work")).secret.reveal() in issuer.live

    fetched(home, use)


def test_what_does_not_pass_is_tried_rarely(home, issuer):
    """A client that the issuer does not know: no `invalid_grant`, so the login has not ended."""
    login = store(home, issuer, age=3400, client_id="another")

    async def use(tokens, clock):
        found = await tokens.fetch("work", renew=True)
        assert (found.secret, found.due_in) == (login.access, LONGEST_PAUSE_SECONDS)

    fetched(home, use)


def test_an_ended_login_is_used_while_its_token_is_valid(home, issuer):
    """The issuer renews it no more; what it gave is good until it ends, or is refused."""
    login = store(home, issuer, age=3400)
    next(iter(issuer.families.values()))["live"] = False

    async def use(tokens, clock):
        for _ in range(3):
            found = await tokens.fetch("work", renew=True)
            assert (found.secret, found.due_in) == (login.access, math.inf)
        with pytest.raises(LoginEnded, match="invalid_grant"):
            await tokens.fetch("work", login.access)
        assert issuer.count("refresh_token") == 1

    (said,) = fetched(home, use)
    assert said.startswith("warning: login ended: ")
    assert said.endswith("The token of work is used until it ends. Log in again:   fairlead login work")


def test_a_login_without_a_refresh_token(home, issuer):
    """It serves until its end; that it was refused changes nothing, as there is no other."""
    login = store(home, issuer, tokens=Tokens("key-1", "", time.time(), 3600.0))

    async def use(tokens, clock):
        assert (await tokens.fetch("work", login.access, renew=True)).due_in == math.inf
        store(home, issuer, tokens=Tokens("key-1", "", time.time() - 4000, 3600.0))
        with pytest.raises(LoginEnded, match="gave none to renew it with"):
            await tokens.fetch("work")

    fetched(home, use)
    assert issuer.asked == []


def test_a_token_without_an_end(home, issuer):
    """It is used until it is refused."""
    issuer.lifetime = None
    issuer.grant = {"expires_in": None}
    login = store(home, issuer, age=1e6)

    async def use(tokens, clock):
        found = await tokens.fetch("work", renew=True)
        assert found == (login.access, math.inf, math.inf)
        assert (await tokens.fetch("work", found.secret)).secret != login.access

    fetched(home, use)


def test_no_such_login(home):
    """Told with what helps."""

    async def use(tokens, clock):
        with pytest.raises(LoginEnded, match="there is no login work") as caught:
            await tokens.fetch("work", Secret("x"))
        assert caught.value.hint == "Log in again:   fairlead login work"

    fetched(home, use)
