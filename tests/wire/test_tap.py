"""A tap finds usage, end and numbers beside the relay, wherever the stream is cut, and decodes no text."""

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
    """What a splitter hands on."""
    if cut == "events":
        return events
    whole = b"".join(events)
    if cut == "whole":
        return [whole]
    splitter = sse.Splitter()
    return [batch for at in range(0, len(whole), 7) if (batch := splitter.feed(whole[at : at + 7]))]


def tapped(protocol, events, cut, **options):
    """A tap that has seen the stream, and what it passed on."""
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
    """Its counts and its good end, and every byte is passed on; what its text says of usage does not count."""
    events = stream(protocol)
    tap, passed = tapped(protocol, events, cut)
    assert passed == b"".join(events)
    assert tap.ended is True
    assert tap.usage() == slow_usage(protocol, events)
    assert tap.usage().output


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("name", RECORDINGS)
def test_usage_and_end_of_a_recording_are_found(recording, name, cut):
    """So it is for what providers sent."""
    protocol, good = RECORDINGS[name]
    events = recording(name)
    tap, passed = tapped(protocol, events, cut)
    assert passed == b"".join(events)
    assert tap.ended is good
    assert tap.usage() == slow_usage(protocol, events)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_stream_without_its_last_events_has_not_ended(stream, protocol):
    """Half a stream is no whole one, though its text names the end's words."""
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
    """What a model writes about ends, usage or errors is only text."""
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
    """In both forms that encoders write; a failure is not mended by what follows."""
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
    """response.completed repeats the whole answer: its end counts however long it is, whatever ends its lines."""
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
    """Servers that send no finish_reason."""
    tap = Tap(BY_NAME["chat"].dialect)
    tap.read(done)
    assert tap.ended is True


def test_sequence_numbers_are_remembered():
    """The last one, with and without a space, wherever it stands in the event."""
    tap = Tap(BY_NAME["responses"].dialect)
    assert tap.sequence == -1
    tap.read(b'data: {"type":"a","sequence_number":3}\n\ndata: {"sequence_number": 12, "type": "b"}\n\n')
    assert tap.sequence == 12
    tap.read(b'data: {"type":"keepalive"}\n\n')
    assert tap.sequence == 12


@pytest.mark.parametrize("protocol", ["messages", "responses"])
def test_a_stream_announces_itself(stream, protocol):
    """Id, model and start are known before the commit point."""
    tap = Tap(BY_NAME[protocol].dialect)
    assert not tap.begun
    tap.judge(sse.parse_event(stream(protocol)[0].strip()))
    assert tap.begun
    assert tap.response_id.startswith(("msg_", "resp_"))
    assert tap.model == "demo"
    assert bool(tap.created) == (protocol == "responses")


@pytest.mark.parametrize("cut", CUTS)
def test_a_usage_event_that_was_not_asked_for_is_hidden(stream, cut):
    """The event whose choices are [] goes, all else stays byte for byte, and its counts are known all the same."""
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
    """Other events with empty choices, and content that mentions them, stay."""
    batch = sse.frame(data)
    assert Tap(BY_NAME["chat"].dialect, hide_usage=True).read(batch) == batch


@pytest.mark.parametrize(
    "tail", [b'"usage":{', b'"usage":{"input_tokens":', b'"usage":{"input_tokens":1e}', b'"usage":{]']
)
def test_broken_usage_counts_nothing(tail):
    """What cannot be decoded is no count and no error."""
    tap = Tap(BY_NAME["messages"].dialect)
    tap.read(b'data: {"type":"message_delta",' + tail + b"\n\n")
    assert tap.usage() == Usage()


def test_a_path_without_an_end_mark_needs_none():
    """Other paths' streams pass as they are."""
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
    """The counts at its top level; anything else has none."""
    assert usage_of(BY_NAME["chat"].dialect, body) == wanted


def test_an_error_in_a_plain_answer():
    """An error object is a failure; the word in a text is none, nor is a broken body."""
    assert failure_of(BY_NAME["chat"].dialect, b'{"error":{"code":503,"message":"x"}}').status == 503
    assert failure_of(BY_NAME["chat"].dialect, b'{"choices":[],"error":null}') is None
    assert failure_of(BY_NAME["messages"].dialect, b'{"content":[{"text":"\\"error\\""}]}') is None
    assert failure_of(BY_NAME["chat"].dialect, b'{"error":') is None


@pytest.mark.parametrize("coding", ["", "gzip", "deflate", "br", "zstd", "gzip, br"])
@pytest.mark.parametrize("size", [1, 1000, 65536])
def test_usage_of_a_large_answer(coding, size):
    """Packed or not, in pieces of any size, the counts at the end of an answer that is not held are read."""
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
    """Nothing is known then, and nothing fails."""
    tail = Tail(protocols.CHAT.dialect, coding.encode())
    for piece in pieces:
        tail.read(piece)
    assert tail.usage() == Usage()
