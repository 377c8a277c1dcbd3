"""What is recorded of one request: each body with the times of its chunks, within bounds, without secrets."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.store.captures.folder import BODY_KEPT, BODY_LIMIT
from router.store.captures.format import decode, encode
from router.telemetry.accesslog import RequestRecord
from router.telemetry.capture import EXCHANGES_KEPT, UPSTREAM_KEPT, CaptureRecorder
from router.wire.framings import Framed
from router.wire.protocols import BY_NAME

from ..providers.event_frames import KIND, write_event

STREAM = [(b"Content-Type", b"content-type", b"text/event-stream")]


def redact(body):
    return body.decode("utf-8", "replace").replace("hunter22", "[redacted]")


class Clock:
    """A clock that is set."""

    def __init__(self):
        self.now = 10.0

    def __call__(self):
        return self.now


def finished(recorder):
    """The capture, as it is read back from its file."""
    record = RequestRecord("req_1", 1.5, "POST", "/v1/messages")
    return decode(encode(recorder.finish(record, "0", redact)))


@given(st.lists(st.binary(max_size=20), max_size=8), st.booleans())
def test_chunks_are_as_they_came(pieces, secret):
    """Their times and ends, in order and within the text; all of them where no secret was among them."""
    clock = Clock()
    recorder = CaptureRecorder(clock, 10.0)
    exchange = recorder.begin_exchange("box", "main")
    exchange.note_request(b"POST", b"/v1/x", STREAM, (b"{}",))
    exchange.note_head(200, b"OK", STREAM)
    pieces = [*pieces, b"hunter22", *pieces] if secret else pieces
    for piece in pieces:
        clock.now += 0.5
        exchange.note_body([piece])
    exchange.note_end("closed")
    [line] = finished(recorder).exchanges
    assert (line.end, line.error) == ("cut", "closed")
    body = line.answer.body
    assert [moment for moment, _ in body.chunks] == [500 * number for number in range(1, len(pieces) + 1)]
    assert "hunter22" not in body.text
    whole = b"".join(pieces)
    if not secret and whole.decode("utf-8", "replace").encode() == whole:
        assert [data for _, data in body.split()] == pieces


def test_a_framed_stream_can_be_read():
    """A stream in other frames is written as server-sent events: within frames its secrets would not be found."""
    recorder = CaptureRecorder(Clock(), 10.0)
    exchange = recorder.begin_exchange("box", "main", Framed("aws-eventstream", BY_NAME["messages"].dialect))
    exchange.note_request(b"POST", b"/v1/x", STREAM, (b"{}",))
    exchange.note_head(200, b"OK", [(b"Content-Type", b"content-type", KIND.encode())])
    data = write_event(b'{"type":"ping"}') + write_event(b'{"type":"text","text":"hunter22"}')
    for at in range(0, len(data), 9):
        exchange.note_body([data[at : at + 9]])
    exchange.note_end("")
    [line] = finished(recorder).exchanges
    assert dict(line.answer.headers)["content-type"].startswith("text/event-stream")
    assert line.answer.body.text.startswith('event: ping\ndata: {"type":"ping"}\n\nevent: text\n')
    assert "hunter22" not in line.answer.body.text
    assert line.answer.body.text.endswith("\n\n")


def test_the_same_body_is_written_once():
    """A request that was passed through as it came is not written again; one that was changed is."""
    recorder = CaptureRecorder(Clock(), 10.0)
    recorder.note_request_body(b'{"model":"m"}')
    for parts in ((b'{"model"', b':"m"}'), (b'{"model":"n"}',)):
        recorder.begin_exchange("box", "main").note_request(b"POST", b"/v1/x", [], parts)
    same, other = finished(recorder).exchanges
    assert same.body is None
    assert other.body.text == '{"model":"n"}'


def test_bounds():
    """So many exchanges, and so many bytes of each body and of all upstreams' together; what is cut says so."""
    recorder = CaptureRecorder(Clock(), 10.0)
    recorder.note_request_body(b"a" * (BODY_KEPT + 1))
    for _ in range(EXCHANGES_KEPT + 2):
        exchange = recorder.begin_exchange("box", "main")
        exchange.note_request(b"POST", b"/v1/x", [], (b"b" * BODY_KEPT,))
        exchange.note_head(200, b"OK", [])
        exchange.note_body([b"c" * BODY_KEPT, b"c"])
    found = finished(recorder)
    assert len(found.exchanges) == EXCHANGES_KEPT
    assert (len(found.request.body.text), found.request.body.cut) == (BODY_LIMIT, True)
    bodies = [body for one in found.exchanges for body in (one.body, one.answer.body)]
    assert sum(len(body.text) for body in bodies) <= UPSTREAM_KEPT
    assert all(body.cut for body in bodies)


def test_header_values():
    """Those that say what a body is are written, of all others the names alone."""
    recorder = CaptureRecorder(Clock(), 10.0)
    lines = [
        (b"Content-Type", b"application/json"),
        (b"X-Team", b"secret"),
        (b"User-Agent", b"sk-ant-0123456789abcdef"),
    ]
    recorder.note_request(b"POST", b"/v1/messages", lines)
    found = finished(recorder).request.headers
    assert found == [("content-type", "application/json"), ("x-team", "[redacted]"), ("user-agent", "[redacted]")]


@pytest.mark.parametrize("size", [100, 2 * BODY_KEPT])
def test_coded_bodies(size):
    """They are written decoded, as far as they fit."""
    coded = gzip.compress(b"a" * size)
    recorder = CaptureRecorder(Clock(), 10.0)
    recorder.note_head(200, [(b"content-encoding", b"gzip")])
    recorder.note_body((coded[:9],))
    recorder.note_body((coded[9:],))
    body = finished(recorder).answer.body
    assert (len(body.text), body.cut) == (min(size, BODY_LIMIT), size > BODY_LIMIT)
