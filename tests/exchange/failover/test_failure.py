"""The client's answer when no account gave a good one: the error with the best rank, and when to ask again."""

import pytest
import trio

from router.errors import RateLimited, Unavailable
from router.settings.tables import BackendOptions

from ..playbook import on_stage, play, playing
from ..upstreams import Break
from ..worlds import (
    CHAT,
    box,
    chat,
    good,
    in_order,
    refuses,
    wait,
)

QUOTA = {"code": "insufficient_quota"}


@pytest.mark.parametrize(
    ("failures", "status", "account"),
    [
        ((401, 429, 503), 429, b"a1"),
        ((429, 401, 503), 429, b"a0"),
        ((503, 401, 403), 401, b"a1"),
        ((403, 503, 401), 401, b"a2"),
        ((401, 401, 401), 401, b"a2"),
        ((403, 500, 403), 403, b"a2"),
    ],
)
def test_the_most_telling_error_is_given(three, failures, status, account):
    """Of all errors the client gets the one with the best rank, the latest of equal ones, with its backend."""
    script = [refuses(one, *[wait(900)] * (one == 429), message=f"no {one}") for one in failures]
    played = playing(three, CHAT, chat(), *script, *[refuses(500)] * 3)
    assert (played.status, played.fields[b"x-fairlead-account"]) == (status, account)
    assert played.json()["error"]["message"] == f"no {status}"
    assert played.record.account == account.decode()


def test_an_upstreams_words_go_before_our_own(three):
    """An error that an upstream answered with says more than that another broke off."""
    played = playing(three, CHAT, chat(), [Break()], refuses(500, message="busy"), *[[Break()]] * 4)
    assert (played.status, played.json()["error"]["message"]) == (500, "busy")


def test_a_connection_that_broke_off_is_told(made):
    """With nothing better to give, the client reads which backend broke off."""
    runtime = made(box("box", "a0"), settings=in_order())
    played = playing(runtime, CHAT, chat(), [Break()])
    assert played.status == 502
    assert "Backend box closed the connection before the answer was complete" in played.json()["error"]["message"]
    assert played.record.error == "upstream_broke_off"


@pytest.mark.parametrize(
    ("fields", "told"),
    [((), b"60"), ((wait(900),), b"900")],
)
def test_a_limit_says_when_to_ask_again(made, fields, told):
    """A 429 without retry-after gets one, when it is known; its own stays."""
    runtime = made(box("box", "a0"), settings=in_order(queue_timeout=5.0))
    played = playing(runtime, CHAT, chat(), refuses(429, *fields))
    assert (played.status, played.fields[b"retry-after"]) == (429, told)
    assert b"x-should-retry" not in played.fields


def test_a_quota_says_nothing_of_time(made):
    """Waiting does not help, so the answer has no retry-after."""
    runtime = made(box("box", "a0"), settings=in_order())
    played = playing(runtime, CHAT, chat(), refuses(429, **QUOTA))
    assert (played.status, b"retry-after" in played.fields) == (429, False)


def test_an_upstreams_word_on_retries_is_overruled(three):
    """fairlead tried again itself, so the client need not, even if the upstream's answer says so."""
    asks_again = (b"x-should-retry", b"true")
    played = playing(three, CHAT, chat(), *[refuses(401, asks_again)] * 3)
    assert played.fields[b"x-should-retry"] == b"false"


def test_no_account_is_ready(three):
    """When all accounts are parked for long, the error names each, and says when the first is ready."""

    async def main():
        await play(three, CHAT, chat(), *[refuses(429, wait(seconds)) for seconds in (900, 600, 700)])
        return await play(three, CHAT, chat())

    played = on_stage(three, main)
    assert (played.asked, played.status, played.fields[b"retry-after"]) == ([], 429, b"600")
    assert isinstance(played.error, RateLimited)
    assert "a1: parked" in played.json()["error"]["message"]
    assert played.record.attempts == 0


def test_places_at_a_backend(made):
    """More requests than may run wait their turn; the error of one that waits too long names the limit."""
    options = {"box": BackendOptions(max_concurrent=1)}
    runtime = made(box("box", "a0"), settings=in_order(queue_timeout=5.0, backends=options))
    found = []

    async def ask_while_another_runs(seconds):
        line = runtime.snapshot.services["box"].queue
        assert line.try_acquire(lambda _now: None, line.clock())
        async with trio.open_nursery() as nursery:

            async def leave():
                await trio.sleep(seconds)
                line.release()

            async def asks():
                found.append(await play(runtime, CHAT, chat(), good(), alone=False))

            nursery.start_soon(leave)
            nursery.start_soon(asks)

    async def main():
        await ask_while_another_runs(3)
        await ask_while_another_runs(9)

    on_stage(runtime, main)
    served, refused = found
    assert (served.status, served.record.queued) == (200, 3)
    assert "waited 3 s for a free place at box (max_concurrent 1)" in served.record.notes
    assert (refused.status, refused.record.total, refused.fields[b"retry-after"]) == (503, 5, b"1")
    assert "(max_concurrent)" in refused.json()["error"]["message"]
    assert isinstance(refused.error, Unavailable)


def test_no_place_to_wait(made):
    """A full queue refuses at once."""
    options = {"box": BackendOptions(rpm=1)}
    runtime = made(box("box", "a0"), settings=in_order(queue_max_queued=0, backends=options))

    async def main():
        await play(runtime, CHAT, chat(), good())
        return await play(runtime, CHAT, chat())

    played = on_stage(runtime, main)
    assert (played.status, played.asked, played.record.total) == (503, [], 0)
    assert "(queue.max_queued)" in played.json()["error"]["message"]


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (BackendOptions(rpm=1), "backends.box.rpm = 1, 1 in use"),
        (BackendOptions(tpm=9), "backends.box.tpm = 9, "),
        (BackendOptions(min_interval=50.0), "backends.box.min_interval = 50 s"),
    ],
)
def test_the_users_own_limit_of_a_backend(made, limit, words):
    """It is named with how full it is, and when its next place is."""
    runtime = made(box("box", "a0"), settings=in_order(queue_timeout=5.0, backends={"box": limit}))

    async def main():
        await play(runtime, CHAT, chat(), good())
        return await play(runtime, CHAT, chat())

    played = on_stage(runtime, main)
    assert (played.status, played.asked) == (429, [])
    assert words in played.json()["error"]["message"]
    assert 5 < int(played.fields[b"retry-after"]) <= 61


def test_a_full_queue_and_no_account(made):
    """When no account is ready in time there is nothing to queue for: that is said, not that the queue is full."""
    runtime = made(box("box", "a0"), settings=in_order(queue_max_queued=0))

    async def main():
        await play(runtime, CHAT, chat(), refuses(429, wait(900)))
        return await play(runtime, CHAT, chat())

    played = on_stage(runtime, main)
    assert (played.status, played.fields[b"retry-after"]) == (429, b"900")


def test_the_first_limit_along_the_chain_is_told(made):
    """The request is for the first backend: its limit is named where the whole chain has no place in time."""
    options = {name: BackendOptions(rpm=1) for name in ("box", "second")}
    settings = in_order(queue_timeout=5.0, fallback={"*": ("second:n",)}, backends=options)
    runtime = made(box("box", "a"), box("second", "b"), settings=settings)

    async def main():
        await play(runtime, CHAT, chat(), good())
        await play(runtime, CHAT, chat(), good())
        return await play(runtime, CHAT, chat())

    played = on_stage(runtime, main)
    assert (played.asked, played.status) == ([], 429)
    assert "backends.box.rpm" in played.json()["error"]["message"]
