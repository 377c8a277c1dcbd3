"""A stream whose upstream sends no head by the commit point: the client gets one, pings, and then what comes."""

import json

import pytest

from router.net.server.cancel_reason import CancelReason

from ...answers import GOOD, PATHS
from ..playbook import playing
from ..upstreams import Break, Silence, says, streams
from ..worlds import CHAT, MESSAGES, RESPONSES, box, chat, good, in_order, members, message, refuses, response, states

BODIES = {"chat": chat(stream=True), "messages": message(stream=True), "responses": response(stream=True)}
PINGS = {
    "chat": b": keep-alive\n\n",
    "messages": b'event: ping\ndata: {"type": "ping"}\n\n',
    "responses": b": keep-alive\n\n",
}
EVENTS = {
    "chat": (
        b'data: {"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n',
        b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n',
        b'data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
    ),
    "messages": (
        b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":7}}}\n\n',
        b'event: content_block_start\ndata: {"type":"content_block_start","index":0}\n\n',
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    ),
    "responses": (
        b"event: response.created\n"
        b'data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1"}}\n\n',
        b'event: response.output_item.added\ndata: {"type":"response.output_item.added","sequence_number":1}\n\n',
        b"event: response.completed\n"
        b'data: {"type":"response.completed","sequence_number":2,"response":{"id":"resp_1"}}\n\n',
    ),
}
LOCAL = {"timeouts_first_byte": 600.0}


def late(seconds, *script):
    """An upstream that sends its head so late."""
    return [Silence(seconds), *(script[0] if len(script) == 1 and isinstance(script[0], list) else script)]


def own(protocol, *aliases, **settings):
    return box("box", *(aliases or ("a0",)), protocols=(protocol,)), in_order(**{**LOCAL, **settings})


@pytest.mark.parametrize("aliases", [("a0",), ("a0", "a1")], ids=["one", "two"])
@pytest.mark.parametrize("protocol", BODIES)
def test_a_local_model_that_needs_long_for_its_first_token(made, protocol, aliases):
    """The head goes out after 240 s, pings each 15 s, and then the stream as it comes, whole and well ended."""
    backend, settings = own(protocol, *aliases)
    runtime = made(backend, settings=settings)
    played = playing(runtime, PATHS[protocol], BODIES[protocol], late(295, streams(*EVENTS[protocol])))
    assert (played.asked, played.status, played.whole, played.record.error) == (["a0"], 200, True, "")
    assert played.fields[b"content-type"].startswith(b"text/event-stream")
    assert played.got == PINGS[protocol] * 3 + b"".join(EVENTS[protocol])
    assert (played.record.first_byte, played.record.total) == (240, 295)
    assert played.fields[b"x-fairlead-account"] == b"a0"
    assert states(runtime) == ["ready"] * len(aliases)


def test_a_translated_stream_that_begins_late(made):
    """In the caller's protocol, as any other."""
    runtime = made(box("box", "a0"), settings=in_order(**LOCAL))
    played = playing(runtime, MESSAGES, BODIES["messages"], late(400, streams(*EVENTS["chat"])))
    assert (played.status, played.whole) == (200, True)
    assert played.got.count(PINGS["messages"]) == 10
    assert b"event: message_start" in played.got
    assert played.got.rstrip().endswith(b'{"type":"message_stop"}')
    assert played.fields[b"x-fairlead-translation"] == b"messages->chat"


def test_a_whole_answer_of_an_upstream_that_ignores_streams(made):
    """It is translated into a stream, also where that was begun before."""
    runtime = made(box("box", "a0"), settings=in_order(**LOCAL))
    played = playing(runtime, MESSAGES, BODIES["messages"], late(295, good()))
    assert (played.status, played.whole) == (200, True)
    assert b"event: message_stop" in played.got


SLOW = (b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n", b"0\r\n\r\n")


def slow(value, *silences):
    """A whole answer whose head comes at once, and its body in pieces."""
    body = json.dumps(value).encode()
    step = len(body) // len(silences) + 1
    cut = [body[at : at + step] for at in range(0, len(body), step)]
    pieces = [b"%x\r\n%s\r\n" % (len(one), one) for one in cut]
    return [SLOW[0], *(part for pair in zip(map(Silence, silences), pieces, strict=True) for part in pair), SLOW[1]]


@pytest.mark.parametrize("aliases", [("a0",), ("a0", "a1")], ids=["one", "two"])
def test_a_whole_answer_whose_body_is_slow(made, aliases):
    """A client that asked for a stream is told to wait, from the commit point on, until all of it is there."""
    runtime = made(box("box", *aliases), settings=in_order(**LOCAL))
    played = playing(runtime, MESSAGES, BODIES["messages"], slow(GOOD["chat"], 200, 95))
    assert (played.asked, played.status, played.whole, played.record.error) == (["a0"], 200, True, "")
    assert (played.record.first_byte, played.record.total) == (240, 295)
    assert played.got.startswith(PINGS["messages"] * 3)
    assert b'"text":"good"' in played.got
    assert b"event: message_stop" in played.got


@pytest.mark.parametrize("value", [{"error": {"message": "no", "code": 429}}, {"odd": 1}], ids=["error", "odd"])
def test_a_slow_whole_answer_that_is_none(made, value):
    """What was told to wait gets an error event, and the account is judged by it."""
    runtime = made(box("box", "a0", "a1"), settings=in_order(**LOCAL))
    played = playing(runtime, MESSAGES, BODIES["messages"], slow(value, 295), good())
    assert (played.asked, played.status, played.whole) == (["a0"], 200, False)
    assert b"event: error" in played.got
    assert (states(runtime)[0] == "parked") is ("error" in value)


@pytest.mark.parametrize("protocol", ["chat", "responses"])
def test_a_late_whole_error_that_is_passed_through(made, protocol):
    """It is no stream, and yet its account is judged by what it says."""
    backend, settings = own(protocol, "a0", "a1")
    runtime = made(backend, settings=settings)
    script = late(295, says(200, {"error": {"message": "none left", "code": "insufficient_quota"}}))
    played = playing(runtime, PATHS[protocol], BODIES[protocol], script)
    assert b"none left" in played.got
    assert (played.whole, states(runtime)) == (False, ["parked", "ready"])


def test_a_slow_whole_answer_for_who_wants_one(made):
    """It is waited for in silence."""
    runtime = made(box("box", "a0"), settings=in_order(**LOCAL))
    played = playing(runtime, MESSAGES, message(), slow(GOOD["chat"], 295))
    assert (played.status, played.record.first_byte, played.whole) == (200, 295, True)


def test_what_a_late_stream_announces_is_known(made):
    """Its usage counts, and the error that ends it goes on from its own id and number."""
    backend, settings = own("messages")
    played = playing(
        made(backend, settings=settings), MESSAGES, BODIES["messages"], late(295, streams(*EVENTS["messages"]))
    )
    assert played.record.usage.input == 7
    backend, settings = own("responses")
    script = late(295, streams(*EVENTS["responses"][:2], Silence(20), Break()))
    played = playing(made(backend, settings=settings), RESPONSES, BODIES["responses"], script)
    assert b'event: keepalive\ndata: {"type":"keepalive"}' in played.got
    failed = json.loads(played.got.rstrip().rpartition(b"data: ")[2])
    assert (failed["response"]["id"], failed["sequence_number"]) == ("resp_1", 3)
    assert (played.client.closed, played.whole) == (True, False)


FAILURES = {
    "limited": (refuses(429, message="slow down"), b"slow down"),
    "its own fault": (refuses(500, message="it crashed"), b"it crashed"),
    "about the request": (refuses(400, message="too many tools"), b"too many tools"),
    "a page": (
        [b"HTTP/1.1 502 Bad\r\ncontent-type: text/html\r\ncontent-length: 25\r\n\r\n<title>Bad gate</title>ab"],
        b"Bad gate",
    ),
    "broken": ([Break()], b"before the answer was complete"),
    "a redirect": ([b"HTTP/1.1 302 Found\r\nlocation: http://other/\r\ncontent-length: 0\r\n\r\n"], b"302"),
    "no stream": (says(200, GOOD["chat"]), b"without a stream"),
}


@pytest.mark.parametrize("aliases", [("a0",), ("a0", "a1")], ids=["one", "two"])
@pytest.mark.parametrize("name", FAILURES)
def test_what_fails_after_the_head_is_an_error_event(made, name, aliases):
    """A status can no longer be given: the protocol's error event says it, no other account is asked, and the answer
    never ends as if it were whole."""
    script, words = FAILURES[name]
    runtime = made(box("box", *aliases), settings=in_order(**LOCAL))
    played = playing(runtime, CHAT, BODIES["chat"], late(295, script), good())
    assert (played.asked, played.status, played.whole, played.client.closed) == (["a0"], 200, False, True)
    error = json.loads(played.got.removeprefix(PINGS["chat"] * 3).removeprefix(b"data: "))["error"]
    assert words.decode() in error["message"]
    assert played.record.error
    assert played.story.count("= 200 text/event-stream; charset=utf-8") == 1


def test_a_failure_after_the_head_is_judged_as_any_other(made):
    """The account is parked, or counts as failing."""
    for script, state, faults in ((refuses(429), "parked", 0), (refuses(500), "ready", 1), ([Break()], "ready", 1)):
        runtime = made(box("box", "a0", "a1"), settings=in_order(**LOCAL))
        playing(runtime, CHAT, BODIES["chat"], late(295, script))
        assert (states(runtime)[0], members(runtime)[0].faults) == (state, faults)


ERRORS = {
    "chat": b'data: {"error":{"message":"no","type":"t","code":429}}\n\n',
    "messages": b'event: error\ndata: {"type":"error","error":{"type":"rate_limit_error","message":"no"}}\n\n',
    "responses": b'event: error\ndata: {"type":"error","sequence_number":1,"code":"rate_limit_exceeded",'
    b'"message":"no"}\n\n',
}


@pytest.mark.parametrize("ends", [True, False], ids=["ended", "broken"])
@pytest.mark.parametrize("preamble", [0, 1], ids=["at once", "behind a preamble"])
@pytest.mark.parametrize("protocol", BODIES)
def test_a_late_stream_that_begins_with_an_error_is_judged(made, protocol, preamble, ends):
    """The client gets the event as it is; the account is parked as by an error with a status, and counts no success."""
    backend, settings = own(protocol, "a0", "a1")
    runtime = made(backend, settings=settings)
    begun = EVENTS[protocol][:preamble]
    tail = () if ends else (Break(),)
    played = playing(runtime, PATHS[protocol], BODIES[protocol], late(295, streams(*begun, ERRORS[protocol], *tail)))
    assert played.got == PINGS[protocol] * 3 + b"".join((*begun, ERRORS[protocol]))
    assert (played.asked, states(runtime)) == (["a0"], ["parked", "ready"])
    assert played.tries == [("a0", 429, "upstream_error", "")]
    assert played.record.error == "upstream_error_event"


@pytest.mark.parametrize("protocol", BODIES)
def test_a_late_error_without_its_blank_line_is_judged(made, protocol):
    """As the last event of a stream that ends there."""
    backend, settings = own(protocol, "a0", "a1")
    runtime = made(backend, settings=settings)
    playing(runtime, PATHS[protocol], BODIES[protocol], late(295, streams(ERRORS[protocol][:-1])))
    assert states(runtime) == ["parked", "ready"]


@pytest.mark.parametrize("protocol", BODIES)
def test_a_stream_whose_head_came_and_that_begins_late_with_an_error_is_judged(made, protocol):
    """It was committed as it stood, before anything but its preamble came."""
    backend, settings = own(protocol, "a0", "a1", timeouts_idle=600.0)
    runtime = made(backend, settings=settings)
    begun = EVENTS[protocol][:1]
    script = streams(*begun, Silence(250), ERRORS[protocol])
    played = playing(runtime, PATHS[protocol], BODIES[protocol], script)
    assert played.got.startswith(b"".join(begun))
    assert played.got.endswith(ERRORS[protocol])
    assert (played.asked, played.status, states(runtime)) == (["a0"], 200, ["parked", "ready"])
    assert played.story.count("= 200 text/event-stream") == 1


def test_a_late_translated_stream_that_begins_with_an_error_is_judged(made):
    """By what the upstream itself said."""
    runtime = made(box("box", "a0", "a1"), settings=in_order(**LOCAL))
    script = late(295, streams(b'data: {"error":{"message":"no","code":"insufficient_quota"}}\n\n'))
    played = playing(runtime, MESSAGES, BODIES["messages"], script)
    assert b"event: error" in played.got
    assert states(runtime) == ["parked", "ready"]


def test_a_key_in_a_late_error_stays_hidden(made):
    """Some upstreams repeat it."""
    runtime = made(box("box", "a0"), settings=in_order(**LOCAL))
    played = playing(runtime, CHAT, BODIES["chat"], late(295, refuses(400, message="Bad key sk-of-a0-0123456789.")))
    assert b"Bad key [redacted]." in played.got


@pytest.mark.parametrize("aliases", [("a0",), ("a0", "a1")], ids=["one", "two"])
@pytest.mark.parametrize(
    ("settings", "seconds", "words"),
    [
        ({"timeouts_first_byte": 600.0}, 600, b"sent no answer within 600 s (timeouts.first_byte)"),
        ({"timeouts_first_byte": 600.0, "timeouts_total": 400.0}, 400, b"within 400 s (timeouts.total)"),
    ],
)
def test_silence_ends_at_a_limit_that_is_named(made, settings, seconds, words, aliases):
    """The setting in the text is the one that helps."""
    runtime = made(box("box", *aliases), settings=in_order(**settings))
    played = playing(runtime, CHAT, BODIES["chat"], [Silence(9999)], good())
    assert (played.asked, played.status, played.record.total) == (["a0"], 200, seconds)
    assert words in played.got
    assert not played.whole


def test_a_short_limit_gives_a_status(made):
    """Where timeouts.first_byte ends before the commit point nothing was sent, and a 504 can be."""
    runtime = made(box("box", "a0"), settings=in_order(timeouts_first_byte=200.0))
    played = playing(runtime, CHAT, BODIES["chat"], [Silence(9999)])
    assert (played.cut, played.status, played.record.total) == (CancelReason.FIRST_BYTE, 504, 200)


def test_a_whole_answer_is_waited_for_in_silence(made):
    """It knows its total alone."""
    runtime = made(box("box", "a0"), settings=in_order())
    played = playing(runtime, CHAT, chat(), late(900, good()))
    assert (played.status, played.record.total, played.record.first_byte) == (200, 900, 900)


def test_a_client_that_leaves_while_it_waits(made):
    """The upstream is left at once."""
    runtime = made(box("box", "a0"), settings=in_order(**LOCAL))
    played = playing(runtime, CHAT, BODIES["chat"], [Silence(9999)], cuts={270: CancelReason.CLIENT_GONE})
    assert (played.cut, played.record.error, played.record.total) == (CancelReason.CLIENT_GONE, "client_gone", 270)
    assert played.pool.dropped == 1
