"""A tap finds usage, end and sequence numbers for any split of the stream, without decoding its text."""

import gzip
import json
import sys
import zlib

import brotli
import pytest

from router.ir import Usage
from router.settings.profile import Profile
from router.wire import protocols
from router.wire.protocols import BY_NAME, PLAIN
from router.wire.raw import sse
from router.wire.tap import Tail, Tap, failure_of, usage_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PROTOCOLS = ("messages", "chat", "responses")
CUTS = ("whole", "events", "sevens")
RECORDINGS = {
    "anthropic/anthropic-text.chunks.txt": ("messages", True),
    "anthropic/anthropic-tool-no-args.chunks.txt": ("messages", True),
    "anthropic/anthropic-refusal.chunks.txt": ("messages", True),
    "anthropic/anthropic-clear-thinking.1.chunks.txt": ("messages", True),
    "anthropic/anthropic-web-fetch-tool-20260209.1.chunks.txt": ("messages", True),
    "anthropic/anthropic-message-delta-input-tokens.chunks.txt": ("messages", True),
    "openai-chat/azure-model-router.1.chunks.txt": ("chat", True),
    "compat/groq/groq-tool-call.chunks.txt": ("chat", True),
    "compat/mistral/mistral-tool-call.chunks.txt": ("chat", True),
    "compat/mistral/mistral-reasoning.chunks.txt": ("chat", True),
    "compat/deepseek/deepseek-tool-call.chunks.txt": ("chat", True),
    "compat/xai/xai-tool-call.chunks.txt": ("chat", True),
    "compat/moonshot/moonshotai-stream.chunks.txt": ("chat", True),
    "compat/perplexity/perplexity-citations.chunks.txt": ("chat", True),
    "openai-responses/openai-custom-tool.1.chunks.txt": ("responses", True),
    "openai-responses/openai-apply-patch-tool.1.chunks.txt": ("responses", True),
    "openai-responses/openai-reasoning-encrypted-content.1.chunks.txt": ("responses", True),
    "openai-responses/openai-error.1.chunks.txt": ("responses", False),
}


def batches(events, cut):
    """The batches that a splitter returns."""
    if cut == "events":
        return events
    whole = b"".join(events)
    if cut == "whole":
        return [whole]
    splitter = sse.Splitter()
    return [batch for at in range(0, len(whole), 7) if (batch := splitter.feed(whole[at : at + 7]))]


def tapped(protocol, events, cut, **options):
    """A tap that has read the stream, and the bytes it passed on."""
    tap = Tap(BY_NAME[protocol].dialect, **options)
    passed = b""
    for _, event in sse.parse_events(b"".join(events)):
        if tap.judge(event)[0].name != "HOLD":
            break
    for batch in batches(events, cut):
        passed += tap.read(batch)
    return tap, passed


def slow_usage(protocol, events):
    """Usage by decoding every event."""
    usage = Usage()
    for _, event in sse.parse_events(b"".join(events)):
        try:
            data = json.loads(event.data)
        except ValueError:
            continue
        for holder in (data, data.get("message"), data.get("response")):
            if isinstance(holder, dict) and isinstance(holder.get("usage"), dict):
                usage = BY_NAME[protocol].dialect.usage(holder["usage"], usage, Profile())
    return usage


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_usage_and_end_of_the_demo_are_found(stream, protocol, cut):
    """The demo's counts and good end are found, every byte is passed on, and usage in its text does not count."""
    events = stream(protocol)
    tap, passed = tapped(protocol, events, cut)
    assert passed == b"".join(events)
    assert tap.ended is True
    assert tap.usage() == slow_usage(protocol, events)
    assert tap.usage().output


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("name", RECORDINGS)
def test_usage_and_end_of_a_recording_are_found(recording, name, cut):
    """Counts and end of recorded streams are found, and every byte is passed on."""
    protocol, good = RECORDINGS[name]
    events = recording(name)
    tap, passed = tapped(protocol, events, cut)
    assert passed == b"".join(events)
    assert tap.ended is good
    assert tap.usage() == slow_usage(protocol, events)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_stream_without_its_last_events_has_not_ended(stream, protocol):
    """A stream without its last events has not ended, even when its text holds the words of an end."""
    events = stream(protocol)
    tap, _ = tapped(protocol, events[: len(events) // 2], "whole")
    assert tap.ended is None


QUOTED = [
    '"type":"message_stop"',
    '"type": "response.completed"',
    '"usage":{"input_tokens":99,"prompt_tokens":99,"output_tokens":99}',
    '"finish_reason":"stop"',
    '"error":{"message":"x"}',
    '"sequence_number":99',
    "data: [DONE]",
    "\n\ndata: [DONE]\n\n",
]


@pytest.mark.parametrize("ensure_ascii", [False, True])
@pytest.mark.parametrize("text", QUOTED)
@pytest.mark.parametrize(
    ("protocol", "around"),
    [
        ("messages", {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta"}}),
        ("chat", {"choices": [{"index": 0, "delta": {}, "finish_reason": None}], "usage": None}),
        ("responses", {"type": "response.output_text.delta", "sequence_number": 4}),
    ],
)
def test_text_is_never_taken_for_an_event(protocol, around, text, ensure_ascii):
    """Text of the model about ends, usage or errors is never taken for an event."""
    for value in (text, json.dumps(text), json.dumps({"a": text})):
        data = json.dumps({**around, "text": value}, ensure_ascii=ensure_ascii, separators=(",", ":"))
        tap = Tap(BY_NAME[protocol].dialect)
        tap.read(sse.frame(data.encode()))
        assert tap.ended is None
        assert tap.usage() == Usage()
        assert tap.sequence == (4 if protocol == "responses" else -1)


ENDINGS = {
    "messages": ({"type": "message_stop"}, {"type": "error", "error": {"type": "api_error"}}),
    "chat": ({"choices": [{"delta": {}, "finish_reason": "stop"}]}, {"error": {"message": "no"}}),
    "responses": ({"type": "response.completed", "response": {}}, {"type": "response.failed", "response": {}}),
}


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_end_is_good_or_failed(protocol, separators):
    """An end is found in both spellings of JSON; later events do not undo a failure."""
    good, failed = (sse.frame(json.dumps(end, separators=separators).encode()) for end in ENDINGS[protocol])
    tap = Tap(BY_NAME[protocol].dialect)
    tap.read(good)
    assert tap.ended is True
    tap = Tap(BY_NAME[protocol].dialect)
    tap.read(failed)
    assert tap.ended is False
    tap.read(good)
    assert tap.ended is False


@pytest.mark.parametrize("eol", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("before", [0, 40_000])
@pytest.mark.parametrize("size", [100, 20_000, 300_000])
def test_a_long_last_event_is_found(size, before, eol):
    """response.completed, which repeats the whole answer, is found at any length and with any line ends."""
    earlier = b'event: x%bdata: {"type":"x","t":"%b"}%b%b' % (eol, b"y" * before, eol, eol)
    response = {"output": [{"text": "z" * size}], "usage": {"input_tokens": 5, "output_tokens": 7}}
    data = json.dumps({"type": "response.completed", "response": response}, separators=(",", ":")).encode()
    last = b"event: response.completed" + eol + b"data: " + data + eol + eol
    tap = Tap(BY_NAME["responses"].dialect)
    tap.read(earlier + last)
    assert tap.ended is True
    assert tap.usage() == Usage(input=5, output=7)


@pytest.mark.parametrize("done", [b"data: [DONE]\n\n", b"data:[DONE]\n\n", b"data: [DONE]\r\n\r\n"])
def test_done_alone_ends_a_chat_stream(done):
    """[DONE] alone ends a Chat stream, for servers that send no finish_reason."""
    tap = Tap(BY_NAME["chat"].dialect)
    tap.read(done)
    assert tap.ended is True


def test_sequence_numbers_are_remembered():
    """The last sequence number is kept, with and without a space, at any place in the event."""
    tap = Tap(BY_NAME["responses"].dialect)
    assert tap.sequence == -1
    tap.read(b'data: {"type":"a","sequence_number":3}\n\ndata: {"sequence_number": 12, "type": "b"}\n\n')
    assert tap.sequence == 12
    tap.read(b'data: {"type":"keepalive"}\n\n')
    assert tap.sequence == 12


@pytest.mark.parametrize("protocol", ["messages", "responses"])
def test_a_stream_announces_itself(stream, protocol):
    """A stream's id, model and start are known before the commit point."""
    tap = Tap(BY_NAME[protocol].dialect)
    assert not tap.begun
    tap.judge(sse.parse_event(stream(protocol)[0].strip()))
    assert tap.begun
    assert tap.response_id.startswith(("msg_", "resp_"))
    assert tap.model == "demo"
    assert bool(tap.created) == (protocol == "responses")


@pytest.mark.parametrize("cut", CUTS)
def test_a_usage_event_that_was_not_asked_for_is_hidden(stream, cut):
    """A usage event that was not asked for is removed, its counts are read, and all other bytes stay."""
    events = stream("chat")
    tap, passed = tapped("chat", events, cut, hide_usage=True)
    hidden = [event for event in events if b'"choices":[]' in event]
    assert len(hidden) == 1
    assert passed == b"".join(event for event in events if event not in hidden)
    assert tap.usage() == slow_usage("chat", events)
    assert tap.ended is True


@pytest.mark.parametrize(
    "data",
    [
        b'{"choices":[],"prompt_filter_results":[{}]}',
        b'{"choices":[],"usage":null}',
        b'{"choices":[{"delta":{"content":"\\"choices\\":[]"}}],"usage":{"prompt_tokens":1}}',
        b'{"choices": [{"delta": {"a": {"choices": []}}}], "usage": {"prompt_tokens": 1}}',
    ],
)
def test_nothing_else_is_hidden(data):
    """Other events with empty choices, and text that quotes them, are passed on."""
    batch = sse.frame(data)
    assert Tap(BY_NAME["chat"].dialect, hide_usage=True).read(batch) == batch


@pytest.mark.parametrize(
    "tail", [b'"usage":{', b'"usage":{"input_tokens":', b'"usage":{"input_tokens":1e}', b'"usage":{]']
)
def test_broken_usage_counts_nothing(tail):
    """Usage that cannot be decoded is ignored without an error."""
    tap = Tap(BY_NAME["messages"].dialect)
    tap.read(b'data: {"type":"message_delta",' + tail + b"\n\n")
    assert tap.usage() == Usage()


def test_a_path_without_an_end_mark_needs_none():
    """Streams of paths without an end mark pass unchanged."""
    tap = Tap(PLAIN)
    assert tap.read(b"data: x\n\n") == b"data: x\n\n"
    assert tap.ended is None
    assert not PLAIN.has_terminal


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (b'{"usage":{"prompt_tokens":3,"completion_tokens":1}}', Usage(input=3, output=1)),
        (b'{ "usage" : { "prompt_tokens" : 3 } }', Usage(input=3)),
        (b'{"choices":[{"message":{"content":"\\"usage\\":{\\"prompt_tokens\\":9}"}}]}', Usage()),
        (b'{"nested":{"usage":{"prompt_tokens":3}}}', Usage()),
        (b'{"usage":null}', Usage()),
        (b'{"usage":[1]}', Usage()),
        (b"[]", Usage()),
        (b"no json", Usage()),
        (b"\xff", Usage()),
        (b"", Usage()),
    ],
)
def test_usage_of_a_plain_answer(body, wanted):
    """Counts are read at the top level of a plain answer; other bodies have none."""
    assert usage_of(BY_NAME["chat"].dialect, body) == wanted


def test_an_error_in_a_plain_answer():
    """An error object is a failure; the word in a text, or a broken body, is not."""
    assert failure_of(BY_NAME["chat"].dialect, b'{"error":{"code":503,"message":"x"}}').status == 503
    assert failure_of(BY_NAME["chat"].dialect, b'{"choices":[],"error":null}') is None
    assert failure_of(BY_NAME["messages"].dialect, b'{"content":[{"text":"\\"error\\""}]}') is None
    assert failure_of(BY_NAME["chat"].dialect, b'{"error":') is None


@pytest.mark.parametrize("coding", ["", "gzip", "deflate", "br", "zstd", "gzip, br"])
@pytest.mark.parametrize("size", [1, 1000, 65536])
def test_usage_of_a_large_answer(coding, size):
    """The counts at the end of an answer that is not buffered are read, compressed or not, in pieces of any size."""
    body = b'{"object":"list","data":["%b"],"usage":{"prompt_tokens":7,"completion_tokens":2}}' % (b"x" * 100_000)
    packed = {
        "": lambda body: body,
        "gzip": gzip.compress,
        "deflate": zlib.compress,
        "br": brotli.compress,
        "zstd": zstd.compress,
        "gzip, br": lambda body: brotli.compress(gzip.compress(body)),
    }[coding](body)
    tail = Tail(protocols.CHAT.dialect, coding.encode())
    for at in range(0, len(packed), size):
        tail.read(packed[at : at + size])
    assert (tail.usage().input, tail.usage().output) == (7, 2)
    assert tail.size == len(body)


@pytest.mark.parametrize(
    ("coding", "pieces"),
    [
        ("br", [b'"usage":{"prompt_tokens":7}']),
        ("zstd", [b'"usage":{"prompt_tokens":7}']),
        ("compress", [b'"usage":{"prompt_tokens":7}']),
        ("br", [brotli.compress(b"\0" * (9 << 20) + b'"usage":{"prompt_tokens":7}')]),
        ("gzip", [b"not packed at all"]),
        ("gzip", [gzip.compress(b'{"usage":{"prompt_tokens":7}}')[:-20]]),
        ("deflate", [zlib.compress(b"\0" * (9 << 20) + b'"usage":{"prompt_tokens":7}')]),
        ("", [b'{"usage":{"prompt_tokens":'] * 2),
        ("", [b'{"usage":{'] * 5000),
        ("", [b'{"usage":null}']),
        ("", []),
    ],
)
def test_usage_that_cannot_be_read(coding, pieces):
    """Usage of an answer that cannot be decoded is empty, without an error."""
    tail = Tail(protocols.CHAT.dialect, coding.encode())
    for piece in pieces:
        tail.read(piece)
    assert tail.usage() == Usage()


@pytest.mark.parametrize("protocol", [*BY_NAME, "plain"])
@pytest.mark.parametrize(
    "event", [b'data: {"type":"error","error":{"message":"no"}}\n\n', b"event: error\ndata: {}\n\n"]
)
def test_an_error_before_the_end_of_a_large_read_is_found(protocol, event):
    """It is not hidden by what an upstream sends behind it."""
    tap = Tap(PLAIN if protocol == "plain" else BY_NAME[protocol].dialect)
    batch = event + b": " + b"x" * 70_000 + b"\n\n"
    assert tap.read(batch) == batch
    assert tap.ended is False


@pytest.mark.parametrize("around", [b"", b": " + b"x" * 20_000 + b"\n\n"])
def test_an_error_in_broken_json_is_noted(around):
    """It does not end the stream, but what stands in it is no answer."""
    for dialect in (PLAIN, BY_NAME["chat"].dialect):
        tap = Tap(dialect)
        tap.read(b'data: {"error":{"message":"bad \\% escape"}}\n\n' + around)
        assert (tap.broken, tap.ended) == (True, None)
        tap = Tap(dialect)
        tap.read(b'data: {"choices":[{"index":0,"delta":{"content":"an \\"error\\": here"}}]}\n\n' + around)
        assert not tap.broken
