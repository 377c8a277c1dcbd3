"""Keys that end: renewed before, once for all requests, while these go on with the one that is still valid."""

import json
import os
import sys
import time

import pytest
import trio
from trio.testing import MockClock

from router.errors import CommandError
from router.settings import Secret
from router.store.keys.own_keys import OwnKeys
from router.upstream.credentials import Credentials
from router.upstream.keys import sources
from router.upstream.keys.fetched_key import FetchedKey

REFERENCE = 'cmd:["prog"]'


class Issuer:
    """Gives a new key each time, which lives so long; `failing` so many times it gives none."""

    def __init__(self, life, took=0.0):
        self.life, self.took = life, took
        self.asked = []
        self.running = self.most = self.failing = 0

    async def fetch(self, reference):
        self.asked.append(trio.current_time())
        self.running += 1
        self.most = max(self.most, self.running)
        await trio.sleep(self.took)
        self.running -= 1
        if self.failing:
            self.failing -= 1
            raise CommandError("the issuer is away.")
        return FetchedKey(Secret(f"key-{len(self.asked)}"), self.life, (Secret(f"part-{len(self.asked)}"),))


@pytest.fixture
def use(monkeypatch):
    """Run `use(credentials)` with an issuer on a clock that only sleeps move; gives its result and what was hidden."""

    def use(issuer, main):
        monkeypatch.setattr(sources.Sources, "fetch", lambda self, reference: issuer.fetch(reference))
        hidden = []

        async def run():
            return await main(Credentials({}, OwnKeys(), hidden.extend, clock=trio.current_time))

        return trio.run(run, clock=MockClock(autojump_threshold=0.0)), hidden

    return use


def test_fifty_requests_across_the_end_of_a_short_key(use):
    """A key of two seconds: one renewal for fifty requests across its end, none waits for it, and each has a key that
    is valid when it asks."""
    issuer = Issuer(2.0, took=0.2)
    waited = []

    async def main(credentials):
        await credentials.key(REFERENCE)
        got = {}

        async def ask(number):
            await trio.sleep(number * 0.04)
            began = trio.current_time()
            key = (await credentials.key(REFERENCE)).reveal()
            waited.append(trio.current_time() - began)
            got[key] = trio.current_time()

        async with trio.open_nursery() as nursery:
            for number in range(50):
                nursery.start_soon(ask, number)
        return got

    got, _ = use(issuer, main)
    assert len(issuer.asked) == 2
    assert issuer.most == 1
    assert max(waited) == 0.0
    for number, last in enumerate(got.values()):
        # Fetched 0.2 s after it was asked for.
        assert last <= issuer.asked[number] + 0.2 + 2.0


def test_all_at_once_are_one_renewal(use):
    """A hundred requests at the moment at which a key is due."""
    issuer = Issuer(3600.0, took=1.0)

    async def main(credentials):
        first = await credentials.key(REFERENCE)
        await trio.sleep(3600 - 300 + 0.1 - 1.0 + 1.0)
        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(credentials.key, REFERENCE)
        assert await credentials.key(REFERENCE) == first
        await trio.sleep(2)
        assert await credentials.key(REFERENCE) != first

    use(issuer, main)
    assert len(issuer.asked) == 2


def test_a_key_that_lives_for_years_is_fetched_once_a_day(use):
    """Another one may have taken its place."""
    issuer = Issuer(10 * 365 * 86_400.0)

    async def main(credentials):
        await credentials.key(REFERENCE)
        await trio.sleep(86_000 * 0.5)
        assert (await credentials.key(REFERENCE)).reveal() == "key-1"
        for _ in range(2):
            await trio.sleep(86_000 * 0.51)
        assert (await credentials.key(REFERENCE)).reveal() == "key-2"

    use(issuer, main)


def test_an_idle_key_is_not_renewed(use):
    """Without requests nothing is asked; the first one after the end waits for a new key."""
    issuer = Issuer(3600.0)

    async def main(credentials):
        await credentials.key(REFERENCE)
        for _ in range(100):
            await trio.sleep(100)
            credentials.renew_due()
        return await credentials.key(REFERENCE)

    key, _ = use(issuer, main)
    assert key.reveal() == "key-2"
    assert len(issuer.asked) == 2


def test_a_renewal_that_fails_leaves_the_key_in_use(use):
    """It is tried again a minute later, and no request fails before the key ends."""
    issuer = Issuer(3600.0)

    async def main(credentials):
        await credentials.key(REFERENCE)
        issuer.failing = 3
        await trio.sleep(3301)
        for _ in range(28):
            assert (await credentials.key(REFERENCE)).reveal() in ("key-1", "key-5")
            await trio.sleep(10)
        return (await credentials.key(REFERENCE)).reveal()

    key, _ = use(issuer, main)
    assert key == "key-5"
    assert len(issuer.asked) == 5


def test_a_key_that_cannot_be_renewed_ends(use):
    """After its end a request gets the error of the issuer, and not the old key."""
    issuer = Issuer(100.0)

    async def main(credentials):
        await credentials.key(REFERENCE)
        issuer.failing = 10
        await trio.sleep(101)
        with pytest.raises(CommandError, match="the issuer is away"):
            await credentials.key(REFERENCE)

    use(issuer, main)


@pytest.mark.parametrize(("reference", "times"), [("google:adc", 2), ("azure:metadata", 2), (REFERENCE, 12)])
def test_an_issuer_that_fails_is_not_asked_by_each_request(use, reference, times):
    """Its error is told for five seconds; a command is run again, since its user may have mended it."""
    issuer = Issuer(3600.0)
    issuer.failing = 100

    async def main(credentials):
        for _ in range(12):
            with pytest.raises(CommandError, match="the issuer is away"):
                await credentials.key(reference)
            await trio.sleep(0.8)
        before = len(issuer.asked)
        issuer.failing = 0
        credentials.wake()
        await credentials.key(reference)
        assert len(issuer.asked) == before + 1
        return before

    before, _ = use(issuer, main)
    assert before == times


def test_a_refused_key_is_fetched_once_and_then_left_alone(use):
    """A 401 fetches anew at once; when that key is refused too, the issuer is not asked for a while."""
    issuer = Issuer(3600.0)

    async def main(credentials):
        first = await credentials.key(REFERENCE)
        assert credentials.forget(REFERENCE, first) is False
        second = await credentials.key(REFERENCE)
        assert second != first
        assert credentials.forget(REFERENCE, second) is True
        assert await credentials.key(REFERENCE) == second

    use(issuer, main)
    assert len(issuer.asked) == 2


def test_a_refusal_of_the_former_key_does_not_drop_the_renewed_one(use):
    """A request may have gone out with the key before."""
    issuer = Issuer(100.0)

    async def main(credentials):
        first = await credentials.key(REFERENCE)
        await trio.sleep(60)
        await credentials.key(REFERENCE)
        await trio.sleep(1)
        second = await credentials.key(REFERENCE)
        assert second != first
        credentials.forget(REFERENCE, first)
        assert await credentials.key(REFERENCE) == second

    use(issuer, main)
    assert len(issuer.asked) == 2


def test_what_a_key_was_made_of_is_hidden_too(use):
    """From the log, and from what an upstream repeats."""

    async def main(credentials):
        await credentials.key(REFERENCE)
        return credentials.list_fetched([REFERENCE])

    listed, hidden = use(Issuer(100.0), main)
    assert listed == hidden == [Secret("key-1"), Secret("part-1")]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX programs")
def test_a_command_is_run_again_when_its_token_ends(program, tmp_path):
    """The end that the command prints counts, not the five minutes of keys without one: an hour later it has run
    once."""
    file = tmp_path / "token.json"
    file.write_text(json.dumps({"access_token": "tok-0123456789", "expires_on": time.time() + 7200}))
    reference = program(f"cat {file}")

    async def main():
        clock = [0.0]
        credentials = Credentials({"PATH": os.environ["PATH"]}, OwnKeys(), clock=lambda: clock[0])
        for clock[0] in (0.0, 3600.0, 6000.0):
            assert await credentials.key(reference) == Secret("tok-0123456789")
        assert program.runs() == 1
        clock[0] = 7201.0
        await credentials.key(reference)
        return program.runs()

    assert trio.run(main) == 2
