"""Upstreams' answers in the caller's protocol: whole, and as they stream."""

import gzip

import pytest

from router.exchange.upstream_response.response import BufferedResponse
from router.exchange.upstream_response.translated import SETTLE_SECONDS, TranslatedResponse, translated_lines
from router.net.headers import to_lines

from ..playbook import playing
from ..test_exchange import HELLO, chunk
from ..upstreams import Break, Silence, streams
from ..worlds import MESSAGES, RESPONSES, box, in_order, message, response

USAGE = b'data: {"id":"c1","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}\n\n'


@pytest.fixture
def spoken(made):
    """A backend that speaks Chat alone."""
    return made(box("box", "a0"), settings=in_order())


@pytest.fixture
def pair(made):
    """The same with two accounts."""
    return made(box("box", "a0", "a1"), settings=in_order())


@pytest.mark.parametrize(
    ("kind", "kept"),
    [
        (None, [b"content-type", b"x-more"]),
        ((b"Content-Type", b"content-type", b"text/event-stream"), [b"x-more", b"content-type"]),
    ],
)
def test_fields_of_another_body(kind, kept):
    """What describes the upstream's body does not hold for the client's."""
    names = (b"content-type", b"content-encoding", b"content-length", b"etag", b"digest", b"content-md5", b"x-more")
    assert [line[1] for line in translated_lines(to_lines([(name, b"1") for name in names]), kind)] == kept


@pytest.mark.parametrize("way", ["release", "drop"])
def test_what_is_let_go_is_the_upstreams(way):
    """A translated answer holds the connection of its original."""
    let_go = []

    class Original(BufferedResponse):
        def release(self):
            let_go.append("release")

        def drop(self):
            let_go.append("drop")

    found = TranslatedResponse(Original(200, b"OK", [], b""), 201, [], b"x", usage=None, failure=None)
    getattr(found, way)()
    assert (let_go, found.status, found.reason) == ([way], 201, b"OK")


@pytest.mark.parametrize(("path", "body"), [(MESSAGES, message(stream=True)), (RESPONSES, response(stream=True))])
@pytest.mark.parametrize("coded", [False, True])
def test_a_stream(spoken, path, body, coded):
    """It is translated as it comes, in whatever coding, and its end is the caller's protocol's own."""
    events = b"".join((*HELLO[:3], USAGE, HELLO[3]))
    fields = ((b"content-encoding", b"gzip"),) if coded else ()
    played = playing(spoken, path, body, streams(gzip.compress(events) if coded else events, fields=fields))
    assert (played.status, played.whole, played.record.error) == (200, True, "")
    assert b"Hello" in played.got
    assert {MESSAGES: b"message_stop", RESPONSES: b"response.completed"}[path] in played.got
    assert played.fields[b"content-type"] == b"text/event-stream; charset=utf-8"
    assert b"content-encoding" not in played.fields
    assert (played.record.usage.input, played.record.usage.output) == (5, 2)


def test_a_stream_in_small_pieces(spoken):
    """Wherever the upstream's reads end."""
    events = b"".join((*HELLO[:3], USAGE, HELLO[3]))
    whole = playing(spoken, MESSAGES, message(stream=True), streams(events))
    cut = playing(
        spoken, MESSAGES, message(stream=True), streams(*(events[at : at + 9] for at in range(0, len(events), 9)))
    )
    assert cut.got.count(b"event:") == whole.got.count(b"event:")
    assert cut.whole


def test_a_stream_that_does_not_end(spoken):
    """Behind a finish reason, usage and the mark of the end are waited for a moment alone."""
    played = playing(spoken, MESSAGES, message(stream=True), streams(*HELLO[:3], Silence(99)))
    assert (played.whole, played.record.total, played.record.error) == (True, SETTLE_SECONDS, "")
    assert b"message_stop" in played.got


def test_a_stream_that_breaks_off(spoken):
    """After its content the client gets its own protocol's error event."""
    played = playing(spoken, MESSAGES, message(stream=True), streams(*HELLO[:2], Silence(1), Break()))
    assert (played.status, played.whole) == (200, False)
    assert b"event: error" in played.got
    assert b"message_stop" not in played.got
    assert played.record.error == "upstream_broke_off"


def test_a_stream_that_breaks_off_before_its_content(pair):
    """Another account is asked."""
    played = playing(pair, MESSAGES, message(stream=True), streams(HELLO[0], Break()), streams(*HELLO))
    assert (played.asked, played.whole) == (["a0", "a1"], True)


def test_an_error_in_a_stream(pair):
    """Before any content it moves on, judged by the upstream's own words."""
    event = b'data: {"error":{"message":"over","code":"insufficient_quota","type":"insufficient_quota"}}\n\n'
    played = playing(pair, MESSAGES, message(stream=True), streams(HELLO[0], event), streams(*HELLO))
    assert (played.asked, played.tries[0]) == (["a0", "a1"], ("a0", 429, "upstream_error", "parked"))


def test_a_stream_that_says_nothing(spoken):
    """A mebibyte of events without content is no answer."""
    comment = b": " + b"x" * 65_000 + b"\n\n"
    played = playing(spoken, MESSAGES, message(stream=True), streams(HELLO[0], *[comment] * 17))
    assert played.status == 502
    assert "without any content" in played.json()["error"]["message"]


def test_an_error_ends_the_reading(spoken):
    """Behind an error event nothing is passed on."""
    event = b'data: {"error":{"message":"busy","code":503}}\n\n'
    script = streams(*HELLO[:2], Silence(1), event, chunk({"content": "late"}), HELLO[3])
    played = playing(spoken, MESSAGES, message(stream=True), script)
    assert b"busy" in played.got
    assert b"late" not in played.got
    assert played.record.error == "upstream_error_event"
