"""One attempt: its properties while it runs."""

from dataclasses import replace

import trio

from router.exchange.attempt import note_try
from router.exchange.upstream_response.response import NOT_ASKED, BufferedResponse

from .playbook import on_stage, play, playing
from .worlds import CHAT, chat, good, refuses


def test_an_attempt_that_was_sent(one):
    """Its answer is the upstream's; nothing serves in its place."""
    attempt = playing(one, CHAT, chat(), good()).attempt
    assert attempt.sent
    assert attempt.response is attempt.upstream
    assert (attempt.fallback, attempt.target.account) == ("", "a0")
    attempt.upstream = NOT_ASKED
    assert not attempt.sent


def test_a_translated_answer_is_the_clients(one):
    """The upstream's own stays beside it."""
    attempt = playing(one, CHAT, chat(), good()).attempt
    attempt.translated = BufferedResponse(200, b"", [], b"{}")
    assert attempt.response is attempt.translated


def test_an_attempt_along_the_chain(chain):
    """It names the route that serves in place of the one asked for."""
    played = playing(chain, CHAT, chat(), refuses(500), good())
    assert played.attempt.fallback == "second:n"


def test_what_is_left_of_the_whole(one):
    """Seconds of the target's total, since the request arrived."""

    async def main():
        attempt = (await play(one, CHAT, chat(), good())).attempt
        attempt.target = replace(attempt.target, total=100.0)
        await trio.sleep(30)
        return attempt.left()

    assert on_stage(one, main) == 70


def test_tries_are_counted_by_backend_and_account(one):
    """Each has its moment, in seconds since the request arrived."""

    async def main():
        record = (await play(one, CHAT, chat(), good())).record
        record.backend, record.account = "other", "b0"
        return note_try(record, 3.0), record

    tried, record = on_stage(one, main)
    assert (tried.at, tried.backend, tried.account, record.attempts) == (3, "other", "b0", 2)
    assert record.tries[-1] is tried
