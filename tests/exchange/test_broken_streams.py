"""What a client reads of a stream that broke: words that agents repeat on, and what was said before."""

import json

import pytest

from router.net.server.cancel_reason import CancelReason
from router.wire import translate

from .playbook import playing
from .test_cuts import BEGUN
from .test_exchange import HELLO, chunk
from .upstreams import Break, Silence, streams
from .worlds import CHAT, MESSAGES, RESPONSES, box, chat, in_order, message, response

PATHS = {CHAT: chat, MESSAGES: message, RESPONSES: response}
TOOL = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}, "strict": False}


@pytest.fixture
def spoken(made):
    """A backend that speaks Chat alone."""
    return made(box("box", "a0"), settings=in_order())


def last_event(data):
    """The JSON of the last event."""
    [*_, (_, payload)] = translate.payloads(data)
    return json.loads(payload)


def said(path, data):
    found = last_event(data)
    return (found["response"] if path == RESPONSES else found)["error"]["message"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("end", [[Break()], [Break(reset=False)], []], ids=["reset", "cut", "no terminal"])
def test_a_connection_that_was_lost(one, path, end):
    """The event says `connection lost` and `premature close`, by which agents decide to try again; the history says
    what happened alone."""
    played = playing(one, path, PATHS[path](stream=True), streams(*BEGUN[path], *end))
    assert said(path, played.got).endswith(" (premature close, connection lost).")
    assert "connection lost" not in played.record.text
    assert (played.record.error, played.whole, played.client.closed) == ("upstream_broke_off", False, True)


@pytest.mark.parametrize("path", [MESSAGES, RESPONSES])
def test_a_translated_connection_that_was_lost(spoken, path):
    """The same where the stream is translated."""
    played = playing(spoken, path, PATHS[path](stream=True), streams(*HELLO[:2], Break()))
    assert said(path, played.got).endswith(" (premature close, connection lost).")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("why", "words"),
    [
        (CancelReason.STOPPING, "(premature close, connection lost)"),
        (CancelReason.TOTAL, "timeouts.total): aborted"),
        (CancelReason.SILENT, "timeouts.idle): aborted"),
    ],
)
def test_streams_that_fairlead_ends(one, path, why, words):
    """A proxy that stops and a deadline are tried again too."""
    played = playing(one, path, PATHS[path](stream=True), streams(*BEGUN[path], Silence(9999)), cuts={5: why})
    assert words in said(path, played.got)


#: The words of passing errors that agents look for in a text: Continue's and pi's.
CONTINUE = ("premature close", "premature end", "connection reset", "socket hang up", "aborted", "overloaded")
PI = ("overloaded", "429", "500", "502", "503", "504", "connection lost", "terminated", "timed out", "timeout")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("script", "cuts"),
    [
        ([Break()], {}),
        ([Break(reset=False)], {}),
        ([Silence(9999)], {5: CancelReason.SILENT}),
        ([Silence(9999)], {5: CancelReason.TOTAL}),
    ],
    ids=["reset", "cut", "silent", "total"],
)
@pytest.mark.parametrize("begun", [False, True], ids=["before the head", "in the stream"])
def test_agents_that_read_the_text_try_again(one, path, script, cuts, begun):
    """Some agents know of an error nothing but its text: it has words that each of them takes for a passing fault."""
    said_before = streams(*BEGUN[path], *script) if begun else script
    played = playing(one, path, PATHS[path](stream=True), said_before, cuts=cuts)
    text = (said(path, played.got) if begun else played.json()["error"]["message"]).lower()
    assert any(word in text for word in CONTINUE), text
    assert any(word in text for word in PI) or played.status >= 500, text


def test_an_answer_over_a_bound_is_not_lost(one, monkeypatch):
    """The same request would bring the same answer: the words for trying again are not said."""
    monkeypatch.setattr("router.wire.raw.sse.EVENT_LIMIT", 1000)
    monkeypatch.setattr("router.wire.raw.sse.Splitter.__init__.__defaults__", (1000,))
    played = playing(one, CHAT, chat(stream=True), streams(*HELLO[:2], b"data: " + b"x" * 2000, Silence(99)))
    assert "sent an event of over" in said(CHAT, played.got)
    assert "connection lost" not in said(CHAT, played.got)


def test_a_failed_response_says_what_was_said(spoken):
    """Text, a call and the request's fields stand in the response object, each item as incomplete."""
    asked = response(stream=True, tools=[TOOL], instructions="be brief")
    call = {"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "look", "arguments": '{"a":'}}]}
    played = playing(spoken, RESPONSES, asked, streams(*HELLO[:2], chunk(call), Break()))
    failed = last_event(played.got)["response"]
    assert failed["status"] == "failed"
    assert [(item["type"], item["status"]) for item in failed["output"]] == [
        ("message", "completed"),
        ("function_call", "incomplete"),
    ]
    assert failed["output"][0]["content"][0]["text"] == "Hello"
    assert failed["output"][1]["arguments"] == '{"a":'
    assert ([tool["name"] for tool in failed["tools"]], failed["instructions"]) == (["look"], "be brief")
    ids = {one["response"]["id"] for one in map(json.loads, _payloads(played.got)) if "response" in one}
    assert len(ids) == 1
    numbers = [one["sequence_number"] for one in map(json.loads, _payloads(played.got))]
    assert numbers == sorted(set(numbers))


def _payloads(data):
    return [payload for _, payload in translate.payloads(data)]


@pytest.mark.parametrize("size", [1, 40_000])
def test_a_failed_response_that_is_passed_through(one, size):
    """It repeats what the stream announced of itself, tools included; what is too large to keep is left out."""
    tools = [TOOL] * size if size == 1 else [{**TOOL, "description": "x" * 80_000}]
    created = {"id": "r1", "object": "response", "status": "in_progress", "model": "m", "tools": tools, "output": []}
    event = {"type": "response.created", "sequence_number": 0, "response": created}
    begun = b"event: response.created\ndata: %b\n\n" % json.dumps(event).encode()
    played = playing(one, RESPONSES, response(stream=True), streams(begun, BEGUN[RESPONSES][1], Break()))
    failed = last_event(played.got)["response"]
    assert (failed["id"], failed["status"], failed["model"]) == ("r1", "failed", "m")
    assert failed["tools"] == (tools if size == 1 else [])


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("overloaded", 529, "overloaded_error"),
        ("server_is_overloaded", 529, "overloaded_error"),
        ("slow_down", 529, "overloaded_error"),
        ("too_many_requests", 429, "rate_limit_error"),
        ("invalid_api_key", 401, "authentication_error"),
        ("context_length_exceeded", 400, "invalid_request_error"),
    ],
)
@pytest.mark.parametrize("begun", [True, False])
def test_an_error_of_a_chat_upstream_for_a_messages_caller(spoken, code, status, kind, begun):
    """As first event it is a status; behind text it is an event of the type by which clients decide to repeat."""
    event = b"data: " + json.dumps({"error": {"message": "busy", "code": code}}).encode() + b"\n\n"
    script = streams(*(HELLO[:2] if begun else HELLO[:1]), event)
    played = playing(spoken, MESSAGES, message(stream=True), *[script] * 3)
    found = last_event(played.got) if begun else played.json()
    assert (played.status, found["error"]["type"]) == (200 if begun else status, kind)
