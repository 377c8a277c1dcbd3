"""Streams that come in the frames of Amazon's event stream: the client's, whatever it speaks, is as any other."""

import gzip
import json

import pytest

from router.exchange.client_response.relay import PING_SECONDS
from router.settings.tables import BackendOptions, Edits
from router.wire import translate

from ...providers.event_frames import KIND, write_event, write_exception
from ..playbook import playing
from ..upstreams import JSON, Break, Silence, answer, streams
from ..worlds import CHAT, MESSAGES, RESPONSES, box, chat, in_order, message, response

GEMINI = "/v1beta/models/box:m:streamGenerateContent?alt=sse"
TURN = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
CALLERS = {
    MESSAGES: message(stream=True),
    CHAT: chat(stream=True, stream_options={"include_usage": True}),
    RESPONSES: response(stream=True),
    GEMINI: TURN,
}
ENDS = {MESSAGES: b"message_stop", CHAT: b"[DONE]", RESPONSES: b"response.completed", GEMINI: b'"finishReason":"STOP"'}
FRAMES = [
    write_event(json.dumps(event).encode())
    for event in (
        {
            "type": "message_start",
            "message": {
                "id": "m1",
                "type": "message",
                "role": "assistant",
                "model": "m",
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": {"input_tokens": 5, "output_tokens": 1},
            },
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
        {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 5}},
    )
]
BEGUN = FRAMES[:3]
PINGS = {MESSAGES: b"event: ping", RESPONSES: b"event: keepalive"}
#: Real seconds: a thread works beside deadlines.
JUMP = 1.0


def framed(*pieces, fields=()):
    """An answer in Amazon's frames."""
    head, *body = streams(*pieces, fields=fields)
    return [head.replace(b"text/event-stream", KIND.encode()), *body]


def refused(name):
    return write_exception(name, message="Said by Amazon.")


@pytest.fixture
def invoke(made):
    """The door, with two accounts."""
    return made(box("box", "a0", "a1", protocols=("messages",), vendor="bedrock-invoke"), settings=in_order())


def last_event(data):
    [*_, (_, payload)] = translate.payloads(data)
    return json.loads(payload)


@pytest.mark.parametrize("coded", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("size", [0, 1, 7])
@pytest.mark.parametrize("path", CALLERS)
def test_a_stream(invoke, path, size, coded):
    """It is read wherever its pieces end, with its usage, and ends as the caller's protocol does."""
    data = b"".join(FRAMES)
    data = gzip.compress(data) if coded else data
    pieces = [data[at : at + (size or len(data))] for at in range(0, len(data), size or len(data))]
    fields = ((b"content-encoding", b"gzip"),) if coded else ()
    played = playing(invoke, path, CALLERS[path], framed(*pieces, fields=fields))
    assert (played.status, played.whole, played.record.error) == (200, True, "")
    assert b"Hello" in played.got
    assert ENDS[path] in played.got
    assert played.fields[b"content-type"] == b"text/event-stream; charset=utf-8"
    assert b"content-encoding" not in played.fields
    assert (played.record.usage.input, played.record.usage.output) == (5, 2)
    assert played.story[0] == "> a0 POST /v1/m/invoke-with-response-stream"


@pytest.mark.parametrize("path", CALLERS)
@pytest.mark.parametrize(
    ("name", "status", "second"),
    [
        ("throttlingException", 429, True),
        ("internalServerException", 500, True),
        ("serviceUnavailableException", 529, True),
        ("modelTimeoutException", 504, True),
        ("validationException", 400, False),
    ],
)
def test_an_exception_before_any_content(invoke, path, name, status, second):
    """It is an error with the status that it stands for: another account serves, but for one of the request itself."""
    scripts = [framed(FRAMES[0], refused(name)), framed(*FRAMES)]
    played = playing(invoke, path, CALLERS[path], *scripts)
    if second:
        assert (played.status, played.asked) == (200, ["a0", "a1"])
        assert played.tries[0][1] == status
        assert ENDS[path] in played.got
        return
    assert (played.status, played.asked) == (status, ["a0"])
    assert f"Said by Amazon. ({name})" in played.got.decode()


@pytest.mark.parametrize("path", CALLERS)
def test_an_exception_in_the_middle(invoke, path):
    """It is the error event of the caller's protocol behind what was said, and the history has its words."""
    played = playing(invoke, path, CALLERS[path], framed(*BEGUN, refused("modelStreamErrorException")))
    assert b"Hello" in played.got
    found = last_event(played.got)
    assert "Said by Amazon." in json.dumps(found)
    assert ENDS[path] not in played.got
    assert (played.asked, played.record.error) == (["a0"], "upstream_error_event")
    assert played.record.text == "Said by Amazon. (modelStreamErrorException)"


@pytest.mark.parametrize("path", CALLERS)
@pytest.mark.parametrize(
    ("pieces", "word"),
    [
        ([FRAMES[3][:-1]], "ended the stream within an event"),
        ([FRAMES[3][:-1], Break()], "closed the connection"),
        ([FRAMES[3][:-1] + b"!"], "checksum of a message is wrong"),
        ([b"\xff" * 12], "checksum of a message's lengths"),
    ],
    ids=["short", "reset", "checksum", "giant"],
)
def test_a_broken_stream(invoke, path, pieces, word):
    """What came whole is passed on, and the end is an error: never as if it were whole."""
    played = playing(invoke, path, CALLERS[path], framed(*BEGUN, *pieces))
    assert b"Hello" in played.got
    assert ENDS[path] not in played.got
    assert played.record.error == "upstream_broke_off"
    assert word in played.record.text
    assert (played.whole, played.client.closed) == (False, True)


def test_a_broken_stream_before_any_content(invoke):
    """Another account serves."""
    scripts = [framed(FRAMES[0], b"\x00" * 12), framed(*FRAMES)]
    played = playing(invoke, MESSAGES, CALLERS[MESSAGES], *scripts)
    assert (played.status, played.asked, played.whole) == (200, ["a0", "a1"], True)


@pytest.mark.parametrize("path", [MESSAGES, RESPONSES])
def test_a_silent_stream(invoke, path):
    """The client is told that it still lives."""
    played = playing(invoke, path, CALLERS[path], framed(*BEGUN, Silence(2.5 * PING_SECONDS), *FRAMES[3:]))
    assert (played.status, played.whole, played.record.error) == (200, True, "")
    assert played.got.count(PINGS[path]) == 2


def test_a_large_event(invoke):
    """An event of over a megabyte in pieces, which is worked on in a thread, comes whole."""
    text = "x" * (2 << 20)
    event = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
    large = write_event(json.dumps(event).encode())
    pieces = [large[at : at + 65536] for at in range(0, len(large), 65536)]
    played = playing(invoke, MESSAGES, CALLERS[MESSAGES], framed(*BEGUN, *pieces, *FRAMES[3:]), threshold=JUMP)
    assert (played.whole, played.record.error) == (True, "")
    assert text.encode() in played.got


def test_a_whole_answer(invoke):
    """An answer that is no stream is not framed, and its request is asked for at the other path."""
    body = {"id": "m1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn"}
    body |= {"content": [{"type": "text", "text": "Hello"}], "usage": {"input_tokens": 5, "output_tokens": 2}}
    played = playing(invoke, CHAT, chat(), answer(200, JSON, body=json.dumps(body).encode()))
    assert played.story[0] == "> a0 POST /v1/m/invoke"
    assert played.json()["choices"][0]["message"]["content"] == "Hello"


def test_a_refusal(invoke):
    """Its kind stands in a header; the client gets its message and the history both."""
    kind = (b"x-amzn-errortype", b"ValidationException:http://internal.amazon.com/coral/")
    said = "The provided model identifier is invalid."
    played = playing(
        invoke, MESSAGES, message(stream=True), answer(400, JSON, kind, body=b'{"message":"%b"}' % said.encode())
    )
    assert (played.status, played.json()["error"]["message"]) == (400, said)
    assert f"ValidationException: {said}" in str(played.record.tries)


@pytest.mark.parametrize(("removed", "kept"), [((), "a-1"), (("anthropic-beta",), None)])
def test_betas_that_are_left_out(made, removed, kept):
    """A header that the backend's table removes is not in the body either."""
    options = {"box": BackendOptions(edits=Edits(remove_headers=removed))}
    runtime = made(
        box("box", "a0", protocols=("messages",), vendor="bedrock-invoke"), settings=in_order(backends=options)
    )
    played = playing(runtime, MESSAGES, message(stream=True), framed(*FRAMES), fields=[("anthropic-beta", "a-1")])
    sent = json.loads(played.sent[0].body)
    assert sent.get("anthropic_beta") == (None if kept is None else [kept])
    assert played.sent[0].fields.get(b"anthropic-beta") == (None if kept is None else kept.encode())
