"""Exchanges that are cut: by deadlines, by a client that leaves, by the proxy's stop; before and after the commit."""

import pytest

from router.exchange.exchange import CLIENT_GONE
from router.net.server.cancel_reason import CancelReason

from .playbook import playing
from .test_exchange import HELLO
from .upstreams import Break, Silence, says, streams
from .worlds import CHAT, MESSAGES, RESPONSES, chat, good, message, response

PATHS = {CHAT: chat, MESSAGES: message, RESPONSES: response}
BEGUN = {
    CHAT: HELLO[:2],
    MESSAGES: (
        b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":3}}}\n\n',
        b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text",'
        b'"text":""}}\n\n',
    ),
    RESPONSES: (
        b'event: response.created\ndata: {"type":"response.created","sequence_number":0,"response":{"id":"r1"}}\n\n',
        b'event: response.output_item.added\ndata: {"type":"response.output_item.added","sequence_number":1,'
        b'"output_index":0}\n\n',
    ),
}
WORDS = {
    CancelReason.STOPPING: (503, "fairlead is stopping"),
    CancelReason.TOTAL: (504, "did not finish its answer within 1800 s"),
    CancelReason.SILENT: (504, "sent nothing for 300 s"),
    CancelReason.FIRST_BYTE: (504, "sent no answer within 300 s"),
    CancelReason.CONNECT: (504, "could not be reached within 10 s"),
    CancelReason.BODY: (408, "The request body stopped arriving (30 s)"),
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("why", WORDS)
def test_a_cut_before_the_head(one, path, why):
    """The client gets an error of its protocol that says which limit it was; the record has its class."""
    played = playing(one, path, PATHS[path](stream=True), [Silence(9999)], cuts={5: why})
    status, words = WORDS[why]
    assert (played.status, played.whole) == (status, True)
    assert words in played.json()["error"]["message"]
    assert (played.record.error, played.record.total) == (why.name.lower(), 5)
    waits = {CancelReason.STOPPING: b"2", CancelReason.BODY: None}
    assert played.fields.get(b"retry-after") == waits.get(why, b"1")
    assert played.pool.dropped == 1


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("why", [CancelReason.STOPPING, CancelReason.TOTAL, CancelReason.SILENT])
def test_a_cut_within_a_stream(one, path, why):
    """The client gets the protocol's error event behind what it has, and never a clean end."""
    played = playing(one, path, PATHS[path](stream=True), streams(*BEGUN[path], Silence(9999)), cuts={5: why})
    begun = b"".join(BEGUN[path])
    assert (played.status, played.whole) == (200, False)
    assert played.got.startswith(begun)
    assert WORDS[why][1].encode() in played.got[len(begun) :]
    assert played.client.closed
    assert played.record.error == why.name.lower()


def test_silence_within_a_stream(one):
    """The relay's own deadline: 300 s without a byte of a far upstream, with pings meanwhile."""
    played = playing(one, CHAT, chat(stream=True), streams(*HELLO[:2], Silence(9999)))
    assert (played.cut, played.record.total) == (CancelReason.SILENT, 300)
    assert played.got.count(b": keep-alive\n\n") >= 10
    assert b"sent nothing for 300 s (timeouts.idle)" in played.got


def test_a_cut_within_a_large_answer(one):
    """A body of a known length cannot say more: the connection is cut off."""
    script = says(200, {"x": "y" * (3 << 20)})[0]
    played = playing(one, CHAT, chat(), [script[: 2 << 20], Silence(9999)], cuts={5: CancelReason.STOPPING})
    assert (played.status, played.whole, played.client.aborted) == (200, False, True)


@pytest.mark.parametrize("why", [CancelReason.STOPPING, CancelReason.TOTAL])
def test_a_cut_behind_the_last_event(one, why):
    """The client has the whole answer: its end is marked, and nothing is recorded as an error."""
    played = playing(one, CHAT, chat(stream=True), streams(*HELLO, Silence(9999)), cuts={5: why})
    assert (played.got, played.whole, played.record.error) == (b"".join(HELLO), True, "")


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ([Silence(99)], CLIENT_GONE),
        (streams(HELLO[0], Silence(99)), CLIENT_GONE),
        (streams(*HELLO[:2], Silence(99)), 200),
    ],
)
def test_a_client_that_leaves(one, script, status):
    """The upstream's connection is closed, nothing is sent, and the usage is an estimate."""
    played = playing(one, CHAT, chat(stream=True), script, cuts={5: CancelReason.CLIENT_GONE})
    assert (played.record.status, played.record.error, played.record.estimated) == (status, "client_gone", True)
    assert b"error" not in played.got
    assert (played.pool.given_back, played.pool.dropped) == (0, 1)
    assert played.record.usage.input > 0


def test_a_client_that_leaves_with_its_answer(one):
    """The rest of a stream that had its good end is read, for its usage and the connection."""
    usage = b'data: {"id":"c1","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}\n\n'
    script = streams(*HELLO[:3], HELLO[3], Silence(6), usage)
    played = playing(one, CHAT, chat(stream=True), script, cuts={5: CancelReason.CLIENT_GONE})
    assert (played.record.status, played.record.error) == (200, "")
    assert (played.pool.given_back, played.pool.dropped) == (1, 0)
    assert (played.record.usage.input, played.record.usage.output) == (5, 2)


@pytest.mark.parametrize("rest", [[Silence(99)], [Break()]])
def test_the_rest_of_a_stream_is_not_waited_for_long(one, rest):
    """Reading the rest ends after two seconds, and a break is no error: the client had the whole answer."""
    script = streams(*HELLO, Silence(5.5), *rest)
    played = playing(one, CHAT, chat(stream=True), script, cuts={5: CancelReason.CLIENT_GONE})
    assert (played.record.status, played.record.error) == (200, "")
    assert played.record.total <= 7
    assert played.pool.dropped == 1


def test_what_is_held_of_the_rest_is_given_back(one):
    """A large event without an end, behind the stream's, holds no memory once the exchange is over."""
    script = streams(*HELLO, Silence(5.5), b"data: " + b"x" * 200_000, Silence(99))
    played = playing(one, CHAT, chat(stream=True), script, cuts={5: CancelReason.CLIENT_GONE})
    assert (played.record.error, played.pool.dropped) == ("", 1)


def test_a_client_that_leaves_while_it_waits(one):
    """It frees its place in the queue, and no upstream was asked."""
    line = one.snapshot.services["box"].queue
    line.limit = 0
    played = playing(one, CHAT, chat(), good(), cuts={5: CancelReason.CLIENT_GONE})
    assert (played.asked, played.record.status, played.record.attempts) == ([], CLIENT_GONE, 0)
    assert played.record.queued == 5


def test_a_cut_before_any_attempt(one):
    """The stop of the proxy reaches a request that waits as well."""
    one.snapshot.services["box"].queue.limit = 0
    played = playing(one, CHAT, chat(), good(), cuts={5: CancelReason.STOPPING})
    assert (played.status, played.attempt) == (503, None)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (streams(*HELLO[:2], Break()), b"closed the connection before the answer was complete (connection reset)"),
        (
            streams(*HELLO[:2], Break(reset=False)),
            b"closed the connection before the answer was complete (incomplete chunked read)",
        ),
        (streams(*HELLO[:2]), b"ended the stream before its last event"),
    ],
)
def test_a_stream_that_breaks_off(one, script, words):
    """After its content: the protocol's error event, no clean end, and the connection is dropped."""
    script = [*script[:3], Silence(1), *script[3:]]
    played = playing(one, CHAT, chat(stream=True), script)
    assert (played.status, played.whole) == (200, False)
    assert words in played.got
    assert (played.record.error, played.pool.dropped) == ("upstream_broke_off", 1)
    assert played.record.usage.output == played.record.guess


def test_a_stream_that_breaks_off_behind_its_end(one):
    """The client has all: the end is marked, and no error recorded."""
    played = playing(one, CHAT, chat(stream=True), streams(*HELLO, Silence(1), Break()))
    assert (played.got, played.whole, played.record.error) == (b"".join(HELLO), True, "")


def test_an_error_event_of_the_upstream(one):
    """It goes to the client as it came, and is recorded as the upstream's."""
    event = b'data: {"error":{"message":"busy","code":503}}\n\n'
    played = playing(one, CHAT, chat(stream=True), streams(*HELLO[:2], Silence(1), event))
    assert event in played.got
    assert played.record.error == "upstream_error_event"
