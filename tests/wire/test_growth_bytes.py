"""What looks at bytes costs work in proportion to them, however they are cut and whatever they repeat.

Copies and searches run in C, where no lines can be counted: CPU time is compared, the best of some runs.
"""

import functools
import json
import zlib

import pytest

from router.exchange.upstream_response import content_coding as codings
from router.ir import BlockEnded, CallBegan, CallDelta, Ended, TextDelta, Usage
from router.telemetry.accesslog import AccessLog
from router.wire import protocols, translate
from router.wire.costs.text_size import measure_text
from router.wire.errors.history_text import read_error_text
from router.wire.messages.encode_stream import MessagesEncoder
from router.wire.neutral.answer_bounds import decode_bounded
from router.wire.neutral.stream_filters import RootUnionFilter, ThinkTagFilter, WholeCallFilter
from router.wire.neutral.tool_forms.freeform_tools import Unwrapper
from router.wire.raw import content_coding, multipart, sse
from router.wire.raw.json import large_json
from router.wire.raw.json.object_end import ObjectEnd
from router.wire.raw.json.top_level import peek
from router.wire.responses.output.item_table import OutputItem
from router.wire.tap import Tail, Tap, failure_of, usage_of

from ..growth import grows_evenly
from .translations import context

MIB = 1 << 20


def check_growth(run, make, size):
    """Fail if twice as much costs three times the time."""
    grows_evenly(make, run, size, slack=0.004)


def in_pieces(data, size):
    return [data[at : at + size] for at in range(0, len(data), size)]


def split(pieces):
    splitter = sse.Splitter()
    for piece in pieces:
        splitter.feed(piece)
    assert splitter.size or not splitter.tail


def read_payloads(batch):
    for _ in sse.payloads(batch):
        pass
    for _ in sse.parse_events(batch):
        pass


def tap(protocol):
    return Tap(protocols.BY_NAME[protocol].dialect, hide_usage=True)


def read_tap(batches):
    for protocol in protocols.BY_NAME:
        found = tap(protocol)
        for batch in batches:
            found.read(batch)
        found.usage()


def read_tail(pieces):
    found = Tail(protocols.BY_NAME["chat"].dialect, b"")
    for piece in pieces:
        found.read(piece)
    found.usage()


def read_plain(body):
    for entry in protocols.BY_NAME.values():
        failure_of(entry.dialect, body)
        usage_of(entry.dialect, body)


def read_multipart(pieces):
    reader = multipart.ModelReader(b"b")
    for piece in pieces:
        reader.feed(piece)


def redact(body):
    AccessLog(2, None).remove_secrets(body)


def decode(data):
    codings.decode_read(content_coding.Decoder(b"gzip"), data, 1 << 30)


def gzip(size):
    coder = zlib.compressobj(1, wbits=31)
    return coder.compress(b"a" * size) + coder.flush()


def parts_of(size):
    part = b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\na\r\n'
    return part * (size // len(part)) + b"--b--"


# What is read, how it is made, and for how many bytes.
READS = {
    "a large text": (decode_bounded, lambda size: b'{"a":"%b"}' % (b"a" * size), 2 * MIB),
    "a large text of escapes": (decode_bounded, lambda size: b'{"a":"%b"}' % (b"\\u0041" * (size // 6)), 4 * MIB),
    "a large text of backslashes": (decode_bounded, lambda size: b'{"a":"%b"}' % (b"\\\\" * (size // 2)), 4 * MIB),
    "large lists": (decode_bounded, lambda size: b"[%b[]]" % (b'["aaaaaaaaaaaaaaaaaaaa",1],' * (size // 40)), 2 * MIB),
    "a large text that is written": (large_json.encode, lambda size: {"a": ["a" * size]}, 2 * MIB),
    "events of a large read": (read_payloads, lambda size: b'data: {"a":1}\n\n' * (size // 15), 2 * MIB),
    "a large event of a read": (read_payloads, lambda size: b"data: " + b"a" * size + b"\n\n", 4 * MIB),
    "line ends of a large read": (read_payloads, lambda size: b"data: a\r" * (size // 8) + b"\r", 2 * MIB),
    "an event that comes in small pieces": (split, lambda size: in_pieces(b"data: " + b"a" * size, 16), MIB),
    "an event of line ends": (split, lambda size: in_pieces(b"data: \r" + b"a\r" * (size // 2), 64), MIB),
    "line ends": (split, lambda size: in_pieces(b"\r\n" * (size // 2), 65536), 8 * MIB),
    "line ends that are no blank lines": (split, lambda size: [b"a\r" * (size // 2)], 8 * MIB),
    "a tap on usage": (read_tap, lambda size: in_pieces(b'data: {"usage":{"a":1}}\n\n' * (size // 25), 65550), 4 * MIB),
    "a tap on usage in one read": (read_tap, lambda size: [b'data: {"usage":{"a":1}}\n\n' * (size // 25)], MIB),
    "a tap on open usage": (read_tap, lambda size: [b'data: {"usage":{' + b'"usage":{' * (size // 9) + b"\n\n"], MIB),
    "a tap on ends": (read_tap, lambda size: [b'data: {"type":"message_stop"}\n\n' * (size // 31)], MIB),
    "the tail of a plain answer": (read_tail, lambda size: in_pieces(b'"usage":{' * (size // 9), 512), MIB),
    "a plain answer": (read_plain, lambda size: b'{"a":{"error":' * (size // 14), MIB),
    "a plain answer of usage": (read_plain, lambda size: b'{"usage":' * (size // 9) + b"1" + b"}" * (size // 9), MIB),
    "the top level": (peek, lambda size: b'{"model":"m","a":[' + b"[]," * (size // 3) + b"1]}", MIB // 8),
    "a multipart body of parts": (read_multipart, lambda size: in_pieces(parts_of(size), 65536), MIB // 8),
    "a multipart body of almost boundaries": (
        read_multipart,
        lambda size: in_pieces(b"--b\r\nContent-Disposition: form-data; name=x\r\n\r\n" + b"\r\n--" * (size // 4), 64),
        MIB,
    ),
    "keys in a captured body": (redact, lambda size: b'{"api_key":"' + b'"api_key":"x",' * (size // 14), MIB // 8),
    "escapes in a captured body": (redact, lambda size: b'["' + b'\\"' * (size // 2), MIB // 8),
    "beginnings of keys in a captured body": (redact, lambda size: b"sk-" * (size // 3), MIB // 8),
    # Larger ones are given memory of their own by the system each time, which takes longer than to decode them.
    "a coded body": (decode, gzip, 4 * MIB),
    "a page of titles": (read_error_text, lambda size: b"<title>" * (size // 7), MIB),
    "a page of title tags": (read_error_text, lambda size: b"<title" * (size // 6), MIB),
    "an error of spaces": (read_error_text, lambda size: b'{"error":{"message":"' + b" " * size + b'"}}', MIB),
    "names of files in a body": (measure_text, lambda size: b'"data":' * (size // 7), MIB),
    "beginnings of files in a body": (measure_text, lambda size: b'"data":"' * (size // 8), MIB),
    "a large file in a body": (measure_text, lambda size: b'{"data":"%b"}' % (b"A" * size), 8 * MIB),
    "an error of points": (read_error_text, lambda size: b'{"detail":"' + b". " * size + b'"}', MIB),
}


@pytest.mark.parametrize("name", READS)
def test_reading_bytes(name):
    """Twice the bytes cost twice the time, or about."""
    check_growth(*READS[name])


# Filters and encoders, with so many events of an answer.


def apply(stream_filter, events):
    for event in events:
        stream_filter.apply(event)


def filters(tools=()):
    ctx = context()
    ctx.union_tools = frozenset(tools)
    return ctx


def spaces(count):
    return [*[TextDelta(" ")] * count, Ended("end", Usage())]


def fragments(count, piece="ab", first=""):
    return [CallBegan(0, "c", "look"), CallDelta(0, first), *[CallDelta(0, piece)] * count, Ended("end", Usage())]


def unwrap(pieces):
    unwrapper = Unwrapper()
    for piece in pieces:
        unwrapper.feed(piece)
    unwrapper.finish()


def end_often(pieces):
    item = OutputItem("message", "m", 0)
    item.turn_to(0)
    item.pieces.append("a" * 500 * len(pieces))
    for piece in pieces:
        item.pieces.append(piece)
        item.top_up(0, "b")


def begin_calls(count):
    """A call with much that is open, and calls that begin between more of it."""
    encoder = MessagesEncoder(context())
    encoder.encode(CallBegan(0, "c", "look"))
    encoder.encode(CallDelta(0, '{"a":"' + "b" * 2000 * count))
    for at in range(1, count):
        encoder.encode(CallDelta(0, "}"))
        encoder.encode(CallBegan(at, f"c{at}", "look"))


WORKS = {
    "space in front of thinking": (lambda events: apply(ThinkTagFilter(), events), spaces, 20_000),
    "text behind an open tag": (
        lambda events: apply(ThinkTagFilter(), events),
        lambda count: [TextDelta("<think>"), *[TextDelta("</")] * count, BlockEnded()],
        20_000,
    ),
    "fragments of a call that is held": (lambda events: apply(WholeCallFilter(context()), events), fragments, 20_000),
    "fragments of a wrapped call": (
        lambda events: apply(RootUnionFilter(filters(["look"])), events),
        functools.partial(fragments, first='{"a":"'),
        20_000,
    ),
    "free text of another form": (unwrap, lambda count: ["ab" * 4] * count, 20_000),
    "free text": (unwrap, lambda count: ['{"input":"', *["ab\\"] * count], 20_000),
    "texts that end often": (end_often, lambda count: ["a"] * count, 2000),
    "an object that comes in pieces": (
        lambda pieces: [ObjectEnd().feed("".join(pieces))],
        lambda count: ['{"a":"\\"}"'] * count,
        20_000,
    ),
    # Read anew for each call, they would take some four times as long.
    "calls behind open arguments": (begin_calls, lambda count: count, 500),
}


@pytest.mark.parametrize("name", WORKS)
def test_passing_events(name):
    """Twice the events cost twice the time, or about."""
    check_growth(*WORKS[name])


@pytest.mark.parametrize("target", ["messages", "responses"])
def test_a_large_event_of_many_entries_is_refused(target):
    """Of a list of a million entries no more is decoded than one answer may have."""
    body = b'{"choices":[{"message":{"content":"a"}}],"x":[' + b"[]," * 1_000_000 + b"1]}"
    made = translate.answer(body, "chat", target, context(request_sent=True), stream=False)
    assert made.status >= 500
    assert "131,072 entries of one list" in json.loads(made.body)["error"]["message"]
    stream = translate.Stream("chat", target, context(request_sent=True))
    assert b"131,072 entries of one list" in stream.feed(b"data: " + body + b"\n\n")
    assert stream.failed
