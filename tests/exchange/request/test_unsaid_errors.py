"""Errors that do not say in the form of their protocol what clients act on: plain texts, empty bodies, limits of rate
with the status of a request that is too large."""

import json

import pytest

from router.exchange.request.send import COMMIT_SECONDS

from ...overflows import WORDINGS
from ..upstreams import Silence, answer, says
from ..worlds import box, in_order
from .test_overflow import ASKS, JSON, ask, body_of, error_of, last_error, run


@pytest.fixture
def world(made):
    """A backend for each protocol, by its name."""
    return made(*(box(name, "a0", protocols=(name,)) for name in ASKS), settings=in_order())


TEXT = (b"content-type", b"text/plain; charset=utf-8")
SAID = "Prompt is too long: 9001 tokens > 4096 maximum"
GROQ = {
    "message": "Request too large for model `m` in organization `org_1` service tier `on_demand` on tokens per minute "
    "(TPM): Limit 6000, Requested 9000, please reduce your message size and try again.",
    "type": "tokens",
    "code": "rate_limit_exceeded",
}
#: The same as a server says it that has no codes.
WITHOUT_CODE = {"message": GROQ["message"], "type": "error"}
WORDS = {"messages": "prompt is too long", "chat": "maximum context length", "responses": "maximum context length"}


def check_told(caller, played):
    error = error_of(played)
    assert (played.status, error["type"]) == (400, "invalid_request_error")
    assert WORDS[caller] in error["message"].lower()
    assert caller == "messages" or error["code"] == "context_length_exceeded"
    assert [value for name, value in played.head if name.lower() == b"content-type"] == [JSON[1]]


@pytest.mark.parametrize("status", [400, 413, 500])
@pytest.mark.parametrize("spoken", ASKS)
@pytest.mark.parametrize("caller", ASKS)
def test_a_plain_text_that_a_request_is_too_long(world, caller, spoken, status):
    """It is told as if it had come in the form of the protocol, and its limit is learned."""

    async def main():
        played = await ask(world, caller, spoken, answer(status, TEXT, body=f"{SAID}\n".encode()))
        check_told(caller, played)
        assert "9001" in error_of(played)["message"]
        assert world.learned_limits.learned(spoken, "m")[:2] == (None, 4096)

    run(main)


@pytest.mark.parametrize("spoken", ASKS)
def test_a_plain_text_behind_the_head_of_a_stream(world, spoken):
    """A client that was sent the head of a stream meanwhile reads the code in the failed response."""

    async def main():
        script = [Silence(COMMIT_SECONDS + 5), *answer(400, TEXT, body=SAID.encode())]
        played = await ask(world, "responses", spoken, script, stream=True)
        assert played.status == 200
        assert last_error("responses", played)["code"] == "context_length_exceeded"

    run(main)


@pytest.mark.parametrize("spoken", ASKS)
@pytest.mark.parametrize("caller", ASKS)
def test_other_texts_are_quoted(world, caller, spoken):
    """A page that has such words, and a text about something else, keep their status and are no overflow."""

    async def main():
        for body in (
            f"<html><title>{SAID}</title></html>",
            "upstream connect error",
            '{"broken": "prompt is too long"',
        ):
            played = await ask(world, caller, spoken, answer(422, TEXT, body=body.encode()))
            assert "context_length_exceeded" not in json.dumps(played.json()), body
            assert not error_of(played)["message"].startswith("prompt is too long"), body
        assert world.learned_limits.learned(spoken, "m") is None

    run(main)


LONG = [{"role": "user", "content": "word " * 800}]


@pytest.mark.parametrize("status", [400, 413])
@pytest.mark.parametrize("spoken", ASKS)
@pytest.mark.parametrize("caller", ASKS)
def test_a_request_that_is_refused_without_a_word(world, caller, spoken, status):
    """Where it may be longer than the known limit of its model, that is the error; nothing is learned from it. Where no
    limit is known, the request is clearly shorter, or words cannot be read, it stays what it is."""
    more = {"input" if caller == "responses" else "messages": LONG}

    async def main():
        silent = answer(status, TEXT)
        assert "empty body" in error_of(await ask(world, caller, spoken, silent, **more))["message"]
        world.learned_limits.learn(spoken, "m", window=900, max_input=None)
        played = await ask(world, caller, spoken, silent, **more)
        check_told(caller, played)
        assert "without a word" in played.record.text
        assert world.learned_limits.learned(spoken, "m")[:2] == (900, None)
        for played in (
            await ask(world, caller, spoken, silent),
            await ask(world, caller, spoken, answer(status, (b"content-encoding", b"odd"), body=b"x"), **more),
        ):
            assert played.status == status
            assert "maximum" not in error_of(played)["message"]

    run(main)


@pytest.mark.parametrize("error", [GROQ, WITHOUT_CODE], ids=["code", "text"])
@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("spoken", ASKS)
def test_a_limit_of_rate_that_is_told_as_a_413(world, spoken, form, error):
    """Claude Code gives up at once on a 413, and asks again on a 429; the words stay, and a wait that they do not tell
    is not made up. The account serves other requests meanwhile."""

    async def main():
        body = {"type": "error", "error": error} if spoken == "messages" else {"error": error}
        script = says(413, body) if form == "json" else answer(413, TEXT, body=error["message"].encode())
        played = await ask(world, "messages", spoken, script)
        assert (played.status, error_of(played)["type"]) == (429, "rate_limit_error")
        assert "Limit 6000, Requested 9000" in error_of(played)["message"]
        assert b"retry-after" not in played.fields
        assert b"x-should-retry" not in played.fields
        assert (await ask(world, "messages", spoken, says(413, body_of(WORDINGS["a 413"], spoken)))).status == 400

    run(main)


@pytest.mark.parametrize("caller", ["chat", "responses"])
def test_the_same_reaches_others_as_a_429(world, caller):
    """Clients of OpenAI's protocols wait on a 429 as well; they read what their provider says."""

    async def main():
        played = await ask(world, caller, caller, says(413, {"error": GROQ}))
        told = played.json()["error"]
        assert (played.status, told["type"]) == (429, "rate_limit_error")
        assert {name: told[name] for name in ("message", "code")} == {name: GROQ[name] for name in ("message", "code")}

    run(main)
