"""The whole answer of an upstream as one in the caller's protocol, and its errors."""

import gzip
import json

import pytest

from router.exchange import judgement
from router.host.memory_bound import MemoryBound

from ..attempts import GOOD
from ..playbook import playing
from ..test_exchange import HELLO
from ..upstreams import JSON, answer, says, streams
from ..worlds import CHAT, MESSAGES, box, chat, good, in_order, message, secret_of

USAGE = b'data: {"id":"c1","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}\n\n'


@pytest.fixture
def spoken(made):
    """A backend that speaks Chat alone."""
    return made(box("box", "a0"), settings=in_order())


def test_a_plain_answer_to_a_stream(spoken):
    """An upstream that does not stream: the whole answer as the caller's events."""
    played = playing(spoken, MESSAGES, message(stream=True), good())
    assert played.fields[b"content-type"] == b"text/event-stream; charset=utf-8"
    assert b"message_stop" in played.got
    assert (played.record.usage.input, played.record.usage.output) == (3, 1)


def test_a_stream_to_a_plain_request(spoken):
    """An upstream that streams unasked: gathered into one answer."""
    played = playing(spoken, MESSAGES, message(), streams(*HELLO[:3], USAGE, HELLO[3]))
    assert played.json()["content"] == [{"type": "text", "text": "Hello"}]
    assert (played.record.usage.input, played.record.usage.output) == (5, 2)


def test_a_coded_answer(spoken):
    """Its coding is taken off."""
    body = gzip.compress(json.dumps(GOOD["chat"]).encode())
    played = playing(spoken, MESSAGES, message(), answer(200, JSON, (b"content-encoding", b"gzip"), body=body))
    assert played.json()["content"] == [{"type": "text", "text": "good"}]
    assert b"content-encoding" not in played.fields


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (answer(200, JSON, body=b'{"half'), "answered 200 with broken JSON that is no"),
        (answer(200, JSON, body=b'{"a":1}'), "answered 200 with JSON that is no"),
        (answer(200, JSON, body=b""), "an empty body"),
        (answer(200, (b"content-type", b"text/html"), body=b"<html>"), "an HTML page"),
        (answer(200, JSON, (b"content-encoding", b"x-own"), body=b"x"), "content coding that cannot be read"),
    ],
)
def test_an_answer_that_is_none(spoken, script, words):
    """The client is told what came instead."""
    played = playing(spoken, MESSAGES, message(), script)
    assert played.status == 502
    assert words in played.json()["error"]["message"]


def test_an_answer_that_is_refused_is_judged_by_the_refusal(spoken, monkeypatch):
    """What is wrong with an answer of megabytes is said in a line: none of the answer is read again on the loop."""
    judged = []
    read = judgement.classify_answer
    monkeypatch.setattr(judgement, "classify_answer", lambda status, body: judged.append(body) or read(status, body))
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    calls = [{**call, "id": f"call_{at}"} for at in range(1200)]
    said = {**GOOD["chat"], "choices": [{"index": 0, "message": {"role": "assistant", "tool_calls": calls}}]}
    played = playing(spoken, MESSAGES, message(), says(200, said))
    assert (played.status, len(judged)) == (502, 1)
    assert len(judged[0]) < 1000
    assert played.record.text == played.json()["error"]["message"]


def test_chat_of_messages(made):
    """The other way."""
    runtime = made(box("box", "a0", protocols=("messages",)), settings=in_order())
    played = playing(runtime, CHAT, chat(), good("messages"))
    assert played.json()["choices"][0]["message"]["content"] == "good"


@pytest.mark.parametrize("status", [400, 404, 413])
@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        (JSON, b'{"error":{"message":"no","type":"x"}}', "no"),
        (JSON, b"", "an empty body"),
        ((b"content-type", b"text/html"), b"<html><title>Sorry</title>", "an HTML page (Sorry)"),
        (JSON, b"[" * 5000, "the text: [[["),
    ],
)
def test_an_error_is_one_of_the_callers_protocol(spoken, status, kind, body, words):
    """In the upstream's words where it has any, with its status."""
    played = playing(spoken, MESSAGES, message(), answer(status, kind, body=body))
    assert (played.status, played.json()["type"]) == (status, "error")
    assert words in played.json()["error"]["message"]
    assert played.record.error == "upstream_error"


def test_limits_have_the_callers_names(spoken):
    """A client finds its account's limits where its protocol has them."""
    names = (b"x-ratelimit-limit-tokens", b"x-ratelimit-remaining-tokens", b"x-ratelimit-reset-tokens")
    limits = tuple(zip(names, (b"100", b"25", b"60s"), strict=True))
    for script in (good("chat", *limits), answer(404, JSON, *limits, body=b'{"error":{"message":"no"}}')):
        played = playing(spoken, MESSAGES, message(), script)
        assert played.fields[b"anthropic-ratelimit-tokens-remaining"] == b"25"


def test_a_redirect_is_not_translated(spoken):
    """It is the same error for all callers."""
    played = playing(spoken, MESSAGES, message(), answer(302, (b"location", b"https://other.example/")))
    assert (played.status, "points to other.example" in played.json()["error"]["message"]) == (502, True)


def test_what_is_held_of_it_counts(spoken):
    """An answer is read whole to be translated: over the bound of all buffers it is refused."""
    spoken.memory = MemoryBound(3000)
    played = playing(spoken, MESSAGES, message(), answer(200, JSON, body=b"x" * 5000))
    assert (played.status, played.fields[b"retry-after"]) == (503, b"1")


def test_an_error_inside_a_200(spoken):
    """It has the status it should have been, and the caller's form."""
    played = playing(spoken, MESSAGES, message(), answer(200, JSON, body=b'{"error":{"message":"no","code":404}}'))
    assert (played.status, played.json()["error"]["type"]) == (404, "not_found_error")
    assert "error inside a 200" in played.record.notes


@pytest.mark.parametrize("status", [200, 429])
def test_a_key_in_what_a_gateway_hides_is_hidden(spoken, status):
    """The text of a provider behind a gateway is said to the caller without the key that it repeats."""
    raw = f"key {secret_of('a0')} is over its limit"
    error = {"message": "Provider returned error", "code": 429, "metadata": {"raw": raw}}
    played = playing(spoken, MESSAGES, message(), says(status, {"error": error}))
    assert (played.status, played.json()["error"]["message"]) == (429, "key [redacted] is over its limit")
    assert secret_of("a0") not in played.record.text
