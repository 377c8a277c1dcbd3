"""A source of keys whose fresh key is refused rests: a command or a keyring may ask its user each time."""

import os
import sys

import keyring
import pytest
import trio
from keyring.backend import KeyringBackend
from trio.testing import MockClock

from router.store.keys.own_keys import OwnKeys
from router.upstream.credentials import Credentials

from .conftest import CANARY

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX programs")


def resting(use):
    """Run `use(credentials)` on a clock that only sleeps move."""

    async def main():
        return await use(Credentials({"PATH": os.environ["PATH"]}, OwnKeys(), clock=trio.current_time))

    return trio.run(main, clock=MockClock(autojump_threshold=0.4))


async def refuse_again(credentials, reference, times):
    """So many requests in a row whose key is refused; how many of them left the command alone."""
    rested = 0
    for _ in range(times):
        key = await credentials.key(reference)
        rested += credentials.forget(reference, key)
    return rested


@pytest.mark.parametrize("body", [f"echo {CANARY}", "date +sk-%N-0123456789"], ids=["the same", "another each time"])
def test_a_command_whose_fresh_key_is_refused_rests(program, body):
    """Forty refused requests run it twice; then it rests for 60 s, 120 s, ... at most 30 min, each time for one run."""
    reference = program(body)

    async def use(credentials):
        assert await refuse_again(credentials, reference, 40) == 39
        assert program.runs() == 2
        for number, seconds in enumerate((60, 120, 240, 480, 960, 1800, 1800)):
            now = trio.current_time()
            assert credentials.rests_until(reference) - now == pytest.approx(seconds, abs=5)
            await trio.sleep(credentials.rests_until(reference) - now - 1)
            await refuse_again(credentials, reference, 3)
            assert program.runs() == 2 + number
            await trio.sleep(2)
            await refuse_again(credentials, reference, 10)
            assert program.runs() == 3 + number

    resting(use)


def test_an_accepted_key_ends_the_rest(program):
    """The next refusal runs the command at once; that a former key was accepted says nothing."""
    reference = program("date +sk-%N-0123456789")

    async def use(credentials):
        former = await credentials.key(reference)
        await refuse_again(credentials, reference, 5)
        credentials.accept(reference, former)
        assert credentials.rests_until(reference)
        credentials.accept(reference, await credentials.key(reference))
        assert not credentials.rests_until(reference)
        assert not credentials.forget(reference, await credentials.key(reference))
        await credentials.key(reference)
        assert program.runs() == 3

    resting(use)


def test_a_reload_or_another_reference_ends_the_rest(program):
    """After a reload the command is run at once; another reference has nothing to do with it."""
    reference = program(f"echo {CANARY}")

    async def use(credentials):
        await refuse_again(credentials, reference, 5)
        assert program.runs() == 2
        credentials.wake()
        await credentials.key(reference)
        assert program.runs() == 3
        await refuse_again(credentials, reference, 5)
        assert program.runs() == 4
        credentials.retain_only({"file:/other"})
        assert not credentials.rests_until(reference)
        await credentials.key(reference)
        assert program.runs() == 5

    resting(use)


def test_many_at_once_count_as_one_refusal(program):
    """Forty requests with one refused key run the command once more, and its rest is the first."""
    reference = program(f"sleep 0.2; echo {CANARY}")

    async def use(credentials):
        async def ask():
            for _ in range(2):
                credentials.forget(reference, await credentials.key(reference))

        async with trio.open_nursery() as nursery:
            for _ in range(40):
                nursery.start_soon(ask)
        assert program.runs() == 2
        assert 0 < credentials.rests_until(reference) - trio.current_time() <= 60

    resting(use)


def test_a_file_never_rests(tmp_path):
    """Reading it asks nobody: a rotated key is found by the next request."""
    file = tmp_path / "key"
    file.touch(0o600)
    file.write_text("sk-former-0123456789")

    async def use(credentials):
        assert await refuse_again(credentials, f"file:{file}", 10) == 0
        file.write_text("sk-newer-0123456789")
        return await credentials.key(f"file:{file}")

    assert resting(use).reveal() == "sk-newer-0123456789"


class Counting(KeyringBackend):
    """A keyring that counts how often it is asked."""

    priority = 1
    asked = 0

    def get_password(self, service, username):
        Counting.asked += 1
        return CANARY

    def set_password(self, service, username, password):
        raise AssertionError

    def delete_password(self, service, username):
        raise AssertionError


def test_a_keyring_whose_key_is_refused_rests(monkeypatch):
    """It may ask its user for a password each time, as a command may."""
    before = keyring.get_keyring()
    monkeypatch.setattr(Counting, "asked", 0)
    keyring.set_keyring(Counting())
    try:

        async def use(credentials):
            assert await refuse_again(credentials, "keyring:svc/me", 20) == 19

        resting(use)
    finally:
        keyring.set_keyring(before)
    assert Counting.asked == 2
