"""A request that is too long: what each caller is told, whichever protocol the backend speaks, and what is learned."""

import dataclasses
import json

import pytest
import trio
from trio.testing import MockClock

from router.exchange.request.send import COMMIT_SECONDS
from router.policy.facts.book import FactBook
from router.policy.facts.learned import LearnedLimit
from router.policy.facts.listed import BackendFacts, Said
from router.policy.facts.model_facts import ModelFacts

from ...overflows import OTHERS, WORDINGS, said
from ..playbook import play
from ..upstreams import Silence, answer, says, streams
from ..worlds import CHAT, MESSAGES, RESPONSES, box, chat, good, in_order, message, response

ASKS = {"messages": (MESSAGES, message), "chat": (CHAT, chat), "responses": (RESPONSES, response)}
JSON = (b"content-type", b"application/json")
EVENTS = (b"content-type", b"text/event-stream")


@pytest.fixture
def world(made):
    """A backend for each protocol, by its name."""
    return made(*(box(name, "a0", protocols=(name,)) for name in ASKS), settings=in_order())


def run(main):
    return trio.run(main, clock=MockClock(autojump_threshold=0))


def body_of(wording, spoken):
    """The error as a backend of the protocol sends it."""
    body = wording.body
    if spoken == "messages" and isinstance(body, dict) and isinstance(body.get("error"), dict):
        return {"type": "error", **body}
    return body


async def ask(world, caller, spoken, *scripts, **more):
    path, make = ASKS[caller]
    return await play(world, path, make(f"{spoken}:m", **more), *scripts)


def talk(caller, text):
    """The fields of a request that says this."""
    return {"input": text} if caller == "responses" else {"messages": [{"role": "user", "content": text}]}


def error_of(played):
    return played.json()["error"]


def check(caller, played, provider):
    """The client understands the error, which has the numbers of the upstream's."""
    error, numbers = error_of(played), WORDINGS[provider].numbers
    assert played.status == 400, provider
    if caller == "responses":
        assert (error["type"], error["code"]) == ("invalid_request_error", "context_length_exceeded"), provider
    elif caller == "chat":
        assert error.get("code") == "context_length_exceeded" or "maximum context length is" in error["message"], (
            provider
        )
    else:
        words = ("prompt is too long", "input length and `max_tokens` exceed", "Input is too long")
        assert error["message"].startswith(words), provider
        assert error["type"] == "invalid_request_error", provider
    if caller == "messages" and numbers.limit and numbers.requested and not numbers.input_fits:
        assert f"{numbers.requested} tokens > {numbers.limit} maximum" in error["message"], provider
    if caller == "chat" and numbers.limit:
        assert str(numbers.limit) in error["message"], provider


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("spoken", ASKS)
@pytest.mark.parametrize("caller", ASKS)
def test_callers_are_told_in_their_own_words(world, caller, spoken, stream):
    """Every wording, translated and passed through: 400, with the words or the code that the caller's clients know."""

    async def main():
        for provider, wording in WORDINGS.items():
            script = says(wording.status, body_of(wording, spoken))
            check(caller, await ask(world, caller, spoken, script, stream=stream), provider)

    run(main)


# Wordings that clients of the protocol know -> passed on as they came.
KNOWN = {
    "messages": ("anthropic", "anthropic, output", "bedrock, short"),
    "chat": (
        *("openai", "openai, responses", "openai, input", "openai, older", "azure", "vllm", "vllm, newest", "deepseek"),
        *("openrouter", "groq"),
    ),
    "responses": ("openai", "openai, responses", "openai, input", "azure", "groq"),
}


@pytest.mark.parametrize("caller", ASKS)
def test_what_clients_know_passes_as_it_is(world, caller):
    """Byte for byte; any other wording is replaced, which is said in a header and a note, and the history keeps what
    the upstream said."""

    async def main():
        for provider, wording in WORDINGS.items():
            body = body_of(wording, caller)
            played = await ask(world, caller, caller, says(wording.status, body))
            same = played.json() == body
            assert same is (provider in KNOWN[caller]), provider
            assert (played.fields.get(b"x-fairlead-loss") == b"error=weakened") is not same, provider
            assert any("too long" in note for note in played.record.notes) is not same, provider
            assert played.record.text, provider

    run(main)


@pytest.mark.parametrize("spoken", ASKS)
@pytest.mark.parametrize("caller", ASKS)
def test_other_errors_keep_their_words(world, caller, spoken):
    """A limit of a rate or an output is no reason to shorten the conversation."""

    async def main():
        for kind, (status, text) in OTHERS.items():
            body = {"error": {"message": text, "type": "some_error"}}
            script = says(status, {"type": "error", **body} if spoken == "messages" else body)
            played = await ask(world, caller, spoken, script)
            error = error_of(played)
            assert error.get("code") != "context_length_exceeded", kind
            assert not error["message"].startswith("prompt is too long"), kind
            assert world.learned_limits.learned(spoken, "m") is None, kind

    run(main)


def in_stream(spoken, error, *, begun):
    """A stream that ends with the error. begun: behind a text."""
    if spoken == "messages":
        start = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": {}}
        block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        text = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}}
        events = [{"type": "message_start", "message": start}, *([block, text] if begun else [])]
        events.append({"type": "error", "error": error})
    elif spoken == "chat":
        delta = {"index": 0, "delta": {"role": "assistant", "content": "a" if begun else ""}, "finish_reason": None}
        events = [{"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [delta]}, {"error": error}]
    else:
        shell = {"id": "r", "object": "response", "status": "in_progress", "model": "m", "output": [], "error": None}
        item = {"id": "i", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
        part = {"type": "output_text", "text": "", "annotations": []}
        where = {"item_id": "i", "output_index": 0, "content_index": 0}
        events = [{"type": "response.created", "response": shell}]
        if begun:
            events += [
                {"type": "response.output_item.added", "output_index": 0, "item": item},
                {"type": "response.content_part.added", **where, "part": part},
                {"type": "response.output_text.delta", **where, "delta": "a"},
            ]
        events.append({"type": "response.failed", "response": {**shell, "status": "failed", "error": error}})
        events = [{**event, "sequence_number": at} for at, event in enumerate(events)]
    named = "" if spoken == "chat" else "event: {type}\n"
    return "".join(f"{named.format(type=one.get('type'))}data: {json.dumps(one)}\n\n" for one in events).encode()


def last_error(caller, played):
    """The error of the last event; of Responses that of the failed response."""
    payload = json.loads(played.got.decode().strip().rpartition("data: ")[2])
    return payload["response"]["error"] if caller == "responses" else payload["error"]


SAID = "request (9001 tokens) exceeds the available context size (4096 tokens), try increasing it"


@pytest.mark.parametrize("begun", [False, True], ids=["first", "behind a text"])
@pytest.mark.parametrize("spoken", ASKS)
@pytest.mark.parametrize("caller", ASKS)
def test_errors_inside_a_stream(world, caller, spoken, begun):
    """As the first event it becomes an answer with its status; behind a text it is an event in the caller's words."""

    async def main():
        error = {"type": "exceed_context_size_error", "code": "exceed_context_size_error", "message": SAID}
        body = in_stream(spoken, error, begun=begun)
        played = await ask(world, caller, spoken, answer(200, EVENTS, body=body), stream=True)
        assert played.status == (200 if begun else 400)
        found = last_error(caller, played) if begun else error_of(played)
        if caller == "messages":
            assert found["message"].startswith("prompt is too long: 9001 tokens > 4096 maximum")
        else:
            assert found["code"] == "context_length_exceeded"
            assert "maximum context length is 4096 tokens" in found["message"]
        assert played.record.error == "context_overflow"
        assert world.learned_limits.learned(spoken, "m")[:2] == (4096, None)

    run(main)


@pytest.mark.parametrize("spoken", ASKS)
@pytest.mark.parametrize("caller", ASKS)
def test_an_error_in_a_stream_that_quotes_the_request(world, caller, spoken):
    """A stream that began well, yet has no content, is compared with its request as any error is."""

    async def main():
        error = {"type": "exceed_context_size_error", "code": "exceed_context_size_error", "message": SAID}
        script = answer(200, EVENTS, body=in_stream(spoken, error, begun=False))
        played = await ask(world, caller, spoken, script, stream=True, **talk(caller, SAID))
        assert (played.status, played.record.error) == (400, "context_overflow")
        assert world.learned_limits.learned(spoken, "m") is None

    run(main)


@pytest.mark.parametrize("spoken", ASKS)
@pytest.mark.parametrize("caller", ASKS)
def test_an_error_long_after_a_text(world, caller, spoken):
    """Nothing is learned from it: the request that it may quote is not held any more."""

    async def main():
        body = in_stream(spoken, {"code": "exceed_context_size_error", "message": SAID}, begun=True)
        cut = body.rindex(b"\n\n", 0, -2) + 2
        played = await ask(world, caller, spoken, streams(body[:cut], Silence(1), body[cut:]), stream=True)
        assert (played.status, played.record.error) == (200, "context_overflow")
        assert world.learned_limits.learned(spoken, "m") is None

    run(main)


@pytest.mark.parametrize("spoken", ASKS)
@pytest.mark.parametrize("caller", ASKS)
def test_a_limit_of_rate_that_is_told_as_a_413(world, caller, spoken):
    """It is a 429 for every client: some give up at a 413, others take it for a conversation that is too long."""

    async def main():
        said = "Request too large for model `m` on tokens per minute (TPM): Limit 6000, Requested 9000, try again."
        error = {"message": said, "type": "tokens", "code": "rate_limit_exceeded"}
        played = await ask(world, caller, spoken, says(413, {"type": "error", "error": error}))
        assert played.status == 429
        assert "tokens per minute" in error_of(played)["message"]
        assert played.record.error == "upstream_error"

    run(main)


@pytest.mark.parametrize("caller", ASKS)
def test_the_limit_is_learned(world, caller):
    """By backend and by the model's name there; later errors without numbers are told with it, and an answer that used
    more makes it forgotten."""

    async def main():
        await ask(world, caller, "chat", says(400, {"error": {"message": SAID}}))
        found = world.learned_limits.learned("chat", "m")
        assert isinstance(found, LearnedLimit)
        assert found[:2] == (4096, None)
        assert world.learned_limits.learned("messages", "m") is None
        bare = says(400, {"error": {"message": "the input length exceeds the context length"}})
        played = await ask(world, caller, "chat", bare)
        assert "4096" in error_of(played)["message"]
        used = {"prompt_tokens": 5000, "completion_tokens": 1, "total_tokens": 5001}
        body = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "usage": used}
        text = {"index": 0, "message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}
        await ask(world, caller, "chat", says(200, {**body, "choices": [text]}))
        assert world.learned_limits.learned("chat", "m") is None

    run(main)


def test_a_good_answer_says_nothing_of_limits(world):
    """A request that fits leaves nothing behind."""

    async def main():
        played = await ask(world, "chat", "chat", good())
        assert played.status == 200
        assert world.learned_limits.learned("chat", "m") is None

    run(main)


QUIET = {"prompt_tokens": 4096, "completion_tokens": 0, "total_tokens": 4096}


def without_content(*, stream, used=QUIET):
    """A Chat answer that ended at its limit before it began."""
    shell = {"id": "c", "created": 1, "model": "m"}
    if not stream:
        choice = {"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "length"}
        return says(200, {**shell, "object": "chat.completion", "choices": [choice], "usage": used})
    choices = [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]
    ending = [{"index": 0, "delta": {}, "finish_reason": "length"}]
    events = [{"choices": choices}, {"choices": ending}, {"choices": [], "usage": used}]
    lines = [json.dumps({**shell, "object": "chat.completion.chunk", **event}) for event in events]
    return answer(200, EVENTS, body="".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"]).encode())


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("caller", ["messages", "responses"])
def test_an_answer_for_which_no_room_was_left(world, caller, stream):
    """Some servers cut the input, fill the context with it, and write nothing: where the limit is known, that is the
    same error; else, and where anything is left, it is an answer that ended early."""

    async def main():
        played = await ask(world, caller, "chat", without_content(stream=stream), stream=stream)
        assert played.status == 200
        world.learned_limits.learn("chat", "m", window=4096, max_input=None)
        less = {**QUIET, "prompt_tokens": 4000, "total_tokens": 4000}
        played = await ask(world, caller, "chat", without_content(stream=stream, used=less), stream=stream)
        assert played.status == 200
        played = await ask(world, caller, "chat", without_content(stream=stream), stream=stream)
        assert played.status == 400
        if caller == "messages":
            assert error_of(played)["message"].startswith("prompt is too long: 4097 tokens > 4096 maximum")
        else:
            assert error_of(played)["code"] == "context_length_exceeded"

    run(main)


BARE = says(400, {"error": {"message": "the input length exceeds the context length"}})


def listed(world, spoken, window):
    """Have the backend's list give its model this window."""
    said = BackendFacts(said={"m": Said(ModelFacts(window=window), "2026-11-29")})
    facts = FactBook(world.snapshot.table.named, {}, {spoken: said}, world.learned_limits)
    world.snapshot = dataclasses.replace(world.snapshot, facts=facts)


@pytest.mark.parametrize("caller", ASKS)
def test_the_numbers_of_what_is_known(world, caller):
    """An error without a number is told with the limit of any source that the request can have broken; one that is
    larger than the request is wrong, and is not told."""

    async def main():
        words = "A word. " * 200
        text = {"input": words} if caller == "responses" else {"messages": [{"role": "user", "content": words}]}
        for window, told in ((100, True), (200_000, False)):
            listed(world, "chat", window)
            played = await ask(world, caller, "chat", BARE, **text)
            assert played.status == 400
            assert (str(window) in error_of(played)["message"]) is told

    run(main)


def test_a_full_window_of_any_source_is_an_overflow(world):
    """An answer without content that ended at the window which the list gives is one to a request that was cut."""

    async def main():
        listed(world, "chat", 4096)
        played = await ask(world, "messages", "chat", without_content(stream=False))
        assert (played.status, error_of(played)["type"]) == (400, "invalid_request_error")

    run(main)


def out_of_money(spoken):
    """The error of an account without credit, as the protocol has it."""
    if spoken == "messages":
        return says(402, {"type": "error", "error": {"type": "billing_error", "message": "No money."}})
    error = {"type": "insufficient_quota", "code": "insufficient_quota", "message": "No money."}
    return says(429, {"error": error})


@pytest.mark.parametrize("spoken", ASKS)
@pytest.mark.parametrize("code", ["context_length_exceeded", "insufficient_quota"])
def test_codes_in_a_stream_that_began_before_its_upstream_answered(world, spoken, code):
    """A Responses client that was sent the head of a stream meanwhile reads the code in the failed response."""

    async def main():
        too_long = says(400, body_of(said(SAID), spoken))
        failed = too_long if code == "context_length_exceeded" else out_of_money(spoken)
        script = [Silence(COMMIT_SECONDS + 5), *failed]
        played = await ask(world, "responses", spoken, script, stream=True)
        assert played.status == 200
        assert last_error("responses", played)["code"] == code

    run(main)


@pytest.mark.parametrize("spoken", ASKS)
def test_money_that_is_used_up(world, spoken):
    """Codex does not repeat a 429 with this code; a 402 it repeats five times."""

    async def main():
        played = await ask(world, "responses", spoken, out_of_money(spoken))
        assert (played.status, error_of(played)["code"]) == (429, "insufficient_quota")

    run(main)
