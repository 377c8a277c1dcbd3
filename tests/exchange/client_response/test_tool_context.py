"""Filled calls in whole exchanges: after another attempt, in a stream that began before its upstream's head, and not in
errors, counts, or what is no answer of a model."""

import json
import subprocess
import sys

import pytest

from ...patience import PATIENCE
from ...wire.tool_context.call_streams import STREAMS, read_stream
from ..playbook import playing
from ..upstreams import Silence, says, streams
from ..worlds import CHAT, MESSAGES, RESPONSES, box, chat, good, in_order, message, refuses, response

TEXT = {"type": "string"}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"properties": {"user_id": TEXT}}}}
ASKED = chat(tools=[TOOL])
FIELDS = [("X-User-Id", "u")]
FUNCTION = {"name": "look", "arguments": "{}"}
CALLS = {"choices": [{"message": {"tool_calls": [{"id": "c", "function": FUNCTION}]}, "finish_reason": "tool_calls"}]}
STREAM = STREAMS["chat"]([("look", ["{}"])])


@pytest.fixture
def filling(made):
    return made(box("box", "a0", "a1"), settings=in_order(context_fill=True, timeouts_first_byte=600.0))


def read(answer):
    [call] = answer["choices"][0]["message"]["tool_calls"]
    return json.loads(call["function"]["arguments"])


def test_the_answer_of_another_attempt(filling):
    """It is filled, and only it is named in the head and the record."""
    played = playing(filling, CHAT, ASKED, refuses(500), says(200, CALLS), fields=FIELDS)
    assert played.asked == ["a0", "a1"]
    assert read(played.json()) == {"user_id": "u"}
    assert played.fields[b"x-fairlead-context"] == b"user_id in look"
    assert "context: 1 field filled in look (user_id)" in played.record.notes


@pytest.mark.parametrize("script", [refuses(400, tool_calls="look"), says(200, {"error": {"message": "tool_calls"}})])
@pytest.mark.parametrize("asked", [ASKED, {**ASKED, "stream": True}], ids=["whole", "stream"])
def test_errors(filling, asked, script):
    """An error declares nothing, and is not looked into."""
    played = playing(filling, CHAT, asked, *[script] * 2, fields=FIELDS)
    assert b"x-fairlead-context" not in played.fields
    assert played.status >= 400
    assert not [note for note in played.record.notes if note.startswith("context")]


def test_an_answer_without_calls(filling):
    """It is the upstream's to the byte, and declares nothing."""
    played = playing(filling, CHAT, ASKED, good(), fields=FIELDS)
    other = playing(filling, CHAT, chat(), good(), fields=FIELDS)
    assert (played.got, b"x-fairlead-context" in played.fields) == (other.got, False)


def test_a_head_before_that_of_the_upstream(filling):
    """A stream that was begun to keep its client says what may be filled, and is filled when it comes."""
    late = [Silence(295), *streams(*STREAM)]
    played = playing(filling, CHAT, {**ASKED, "stream": True}, late, fields=FIELDS)
    assert played.fields[b"x-fairlead-context"] == b"where empty: user_id in look"
    assert [json.loads(text) for text in read_stream("chat", played.got)[0].values()] == [{"user_id": "u"}]


def test_a_whole_answer_to_a_client_that_asked_for_a_stream(filling):
    """It is filled as it is, and the stream of an upstream that was asked for none is, too."""
    played = playing(filling, CHAT, {**ASKED, "stream": True}, says(200, CALLS), fields=FIELDS)
    assert read(played.json()) == {"user_id": "u"}
    played = playing(filling, CHAT, ASKED, streams(*STREAM), fields=FIELDS)
    assert [json.loads(text) for text in read_stream("chat", played.got)[0].values()] == [{"user_id": "u"}]


@pytest.mark.parametrize("broken", [False, True])
def test_what_a_stream_used_is_what_the_upstream_said(filling, broken):
    """Counts and guesses are those of the stream as it came, whole or cut, filled or not."""
    script = streams(*(STREAM[:2] if broken else STREAM))
    asked = {**ASKED, "stream": True}
    filled, plain = (playing(filling, CHAT, asked, script, fields=fields).record for fields in (FIELDS, []))
    assert (filled.guess, filled.usage, filled.error) == (plain.guess, plain.usage, plain.error)
    assert ([note for note in filled.notes if note.startswith("context")] != []) is True


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            MESSAGES + "/count_tokens",
            message(tools=[{"name": "look", "input_schema": {"properties": {"user_id": TEXT}}}]),
        ),
        (RESPONSES, response(tools=[{"type": "web_search", "user_id": "string"}])),
        ("/v1/embeddings", {"model": "box:m", "input": "x", "tools": [TOOL]}),
    ],
)
def test_calls_that_are_none(filling, path, body):
    """Counts, embeddings and tools of the upstream are no calls of the client's tools."""
    played = playing(filling, path, body, *[says(200, {**CALLS, "input_tokens": 3})] * 2, fields=FIELDS)
    assert b'user_id":"u"' not in played.got.replace(b"\\", b"")
    assert b"x-fairlead-context" not in played.fields


def test_off_is_not_imported():
    """A proxy that does not fill loads nothing for it."""
    program = (
        "import sys, router.server.serve, router.admin.explain, router.exchange.exchange; "
        "sys.exit(any('tool_context' in name for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=PATIENCE).returncode == 0
