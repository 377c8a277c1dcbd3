"""Whole requests as tables of what is received and sent."""

import json

import pytest

from router.net.server.cancel_reason import CancelReason
from router.settings import Settings

from ..answers import GOOD, PATHS
from .attempts import PROTOCOLS, asks, two_accounts
from .playbook import playing
from .upstreams import JSON, Break, Silence, answer, says, streams

QUOTA = {"error": {"message": "over", "type": "insufficient_quota", "code": "insufficient_quota"}}
CHUNK = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}


def chunk(delta, finish=None):
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({**CHUNK, "choices": [choice]}).encode() + b"\n\n"


HELLO = (chunk({"role": "assistant"}), chunk({"content": "Hello"}), chunk({}, "stop"), b"data: [DONE]\n\n")


@pytest.fixture
def runtime(made):
    return made(*two_accounts())


def chat(**more):
    return {"model": "chat:m", "messages": [{"role": "user", "content": "hi"}], **more}


def test_a_plain_request(runtime):
    """It is relayed to the first account, and its answer comes back byte for byte."""
    played = playing(runtime, PATHS["chat"], chat(), says(200, GOOD["chat"]))
    assert played.story == ["> a0 POST /v1/chat/completions", "< 200", "= 200 application/json"]
    assert played.sent[0].json() == chat(model="m")
    assert played.json() == GOOD["chat"]
    assert played.fields[b"x-fairlead-account"] == b"a0"
    assert (played.pool.given_back, played.pool.dropped) == (1, 0)
    assert (played.record.status, played.record.error, played.record.usage.input) == (200, "", 3)


@pytest.mark.parametrize("caller", PROTOCOLS)
def test_a_key_out_of_quota(runtime, caller):
    """Callers of all protocols are answered by the second key, and the first one is parked."""
    body = asks(caller, "chat", stream=False)
    played = playing(runtime, PATHS[caller], body, says(429, QUOTA), says(200, GOOD["chat"]))
    assert played.story == [
        "> a0 POST /v1/chat/completions",
        "< 429",
        "> a1 POST /v1/chat/completions",
        "< 200",
        "= 200 application/json",
    ]
    assert [(one.account, one.status, one.done) for one in played.record.tries] == [
        ("a0", 429, "parked"),
        ("a1", 200, ""),
    ]
    first, second = runtime.snapshot.services["chat"].pool.members
    now = runtime.snapshot.services["chat"].queue.clock()
    assert (first.state(now), second.state(now)) == ("parked", "ready")
    assert (first.running, second.running) == (0, 0)


def test_a_stream(runtime):
    """Its events come whole and in order, its end is the protocol's own."""
    played = playing(runtime, PATHS["chat"], chat(stream=True), streams(*HELLO))
    assert played.story == ["> a0 POST /v1/chat/completions", "< 200", "= 200 text/event-stream"]
    assert played.got == b"".join(HELLO)
    assert played.whole
    assert played.pool.given_back == 1


def test_a_stream_that_breaks_before_its_content(runtime):
    """The second account is asked, since nothing was sent to the client."""
    played = playing(runtime, PATHS["chat"], chat(stream=True), streams(HELLO[0], Break()), streams(*HELLO))
    assert played.story == [
        "> a0 POST /v1/chat/completions",
        "< 200",
        "! reset",
        "> a1 POST /v1/chat/completions",
        "< 200",
        "= 200 text/event-stream",
    ]
    assert played.whole


def test_a_stream_that_breaks_after_its_content(runtime):
    """The client has the content and then the protocol's error event, never a clean end; no other account is asked."""
    played = playing(runtime, PATHS["chat"], chat(stream=True), streams(*HELLO[:2], Silence(1), Break()))
    assert played.story == [
        "> a0 POST /v1/chat/completions",
        "< 200",
        "= 200 text/event-stream",
        "! reset",
    ]
    assert played.got.startswith(HELLO[0] + HELLO[1])
    assert b'"error"' in played.got[len(HELLO[0] + HELLO[1]) :]
    assert played.client.closed
    assert not played.whole
    assert played.record.error == "upstream_broke_off"


def test_silence_moves_to_the_next_account(made):
    """No head within timeouts.first_byte: the second account is asked, the exchange's own deadline stays."""
    runtime = made(*two_accounts(), settings=Settings(timeouts_first_byte=10))
    played = playing(runtime, PATHS["chat"], chat(stream=True), [Silence(10_000)], streams(*HELLO))
    assert [step for step in played.story if step[0] == ">"] == [
        "> a0 POST /v1/chat/completions",
        "> a1 POST /v1/chat/completions",
    ]
    assert played.status == 200
    assert CancelReason.FIRST_BYTE not in {why for _, why in played.client.deadlines}
    assert played.record.tries[0].error == "timeout_error"


def test_a_stale_connection_is_replaced(runtime):
    """An idle connection that was closed meanwhile is replaced, and the same account is asked."""
    played = playing(runtime, PATHS["chat"], chat(), [Break(reset=False)], says(200, GOOD["chat"]), kept=1)
    assert played.story == [
        "> a0 POST /v1/chat/completions",
        "! end",
        "> a0 POST /v1/chat/completions",
        "< 200",
        "= 200 application/json",
    ]
    assert [(one.error, one.done) for one in played.record.tries] == [("stale_connection", "retried"), ("", "")]


def test_the_most_telling_error_is_given(runtime):
    """When all fail, the client gets one answer with its backend. Nothing forbids to try again: one of them may serve
    then."""
    played = playing(
        runtime,
        PATHS["chat"],
        chat(),
        says(401, {"error": {"message": "bad key"}}),
        says(503, {"error": {"message": "busy"}}),
        answer(503, JSON),
    )
    assert [step for step in played.story if step[0] == "="] == [f"= {played.status} application/json"]
    assert played.fields[b"x-fairlead-attempts"] == b"%d" % len(played.record.tries)
    assert b"x-should-retry" not in played.fields


def test_what_all_accounts_refuse_is_not_to_be_tried_again(runtime):
    """A header says so."""
    played = playing(runtime, PATHS["chat"], chat(), *[says(401, {"error": {"message": "bad key"}})] * 4)
    assert (played.status, played.fields[b"x-should-retry"]) == (401, b"false")
