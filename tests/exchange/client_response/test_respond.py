"""Answers that are no event stream: read whole while they are small, streamed on when they are large."""

import gzip
import json

import pytest

from router.exchange.client_response.respond import WHOLE_LIMIT
from router.host.memory_bound import MemoryBound
from router.net.server.cancel_reason import CancelReason

from ..attempts import GOOD
from ..playbook import playing
from ..upstreams import JSON, Break, Silence, answer, says, streams
from ..worlds import CHAT, MESSAGES, box, chat, good, in_order, message

HTML = (b"content-type", b"text/html; charset=utf-8")
TEXT = (b"content-type", b"text/plain")
GZIP = (b"content-encoding", b"gzip")
#: Real seconds in which nothing moves before the clock jumps: it does not wait for threads, which read what is large.
JUMP = 0.5
LARGE = {"padding": "x" * 3 * WHOLE_LIMIT, **GOOD["chat"]}
FILES = "/v1/files/f/content"


@pytest.fixture
def plain(made):
    """A backend that gets calls without a model too."""
    return made(box("box", "a0"), settings=in_order(default_backend="box"))


def length_of(script):
    return int(script[0].split(b"content-length: ")[1].split(b"\r\n")[0])


# Heads


def test_the_fields_of_an_answer(one):
    """Those of the upstream, less what frames its connection or names another body, then fairlead's own."""
    fields = [
        (b"x-request-id", b"up-1"),
        (b"connection", b"x-hop"),
        (b"x-hop", b"1"),
        (b"set-cookie", b"a=b"),
        (b"x-fairlead-account", b"forged"),
        (b"access-control-allow-origin", b"*"),
    ]
    played = playing(one, CHAT, chat(), good("chat", *fields))
    assert played.fields == {
        b"content-type": b"application/json",
        b"x-request-id": b"up-1",
        b"x-content-type-options": b"nosniff",
        b"cross-origin-resource-policy": b"same-origin",
        b"content-security-policy": b"default-src 'none'; sandbox",
        b"x-fairlead-request-id": b"req_1",
        b"x-fairlead-backend": b"box",
        b"x-fairlead-account": b"a0",
        b"x-fairlead-model": b"m",
        b"x-fairlead-attempts": b"1",
    }


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize(
    ("place", "words"),
    [
        (b"https://other.example/x?token=secret", "other.example."),
        (b"/login", "another path."),
        (b"", "another path."),
        (b"\xff", "another path."),
        (b"https://[x", "a malformed address."),
        (b"https://other.example:port/", "other.example."),
    ],
)
def test_a_redirect_is_not_followed(one, status, place, words):
    """It points to a wrong base URL: the host it names is told."""
    played = playing(one, CHAT, chat(), answer(status, (b"location", place)))
    assert played.status == 502
    assert f"answered {status} and points to {words}" in played.json()["error"]["message"]
    assert (b"location" in played.fields, b"secret" in played.got) == (False, False)


def test_not_modified_is_no_redirect(plain):
    """A 304 goes on as it came."""
    assert playing(plain, FILES, b"", answer(304), method="GET").status == 304


@pytest.mark.parametrize("length", [0, 12, 5_000_000])
def test_a_head_alone(plain, length):
    """HEAD: the upstream's length without a body."""
    script = [b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % length]
    played = playing(plain, FILES, b"", script, method="HEAD")
    assert (played.status, played.got, played.whole) == (200, b"", True)
    assert played.fields[b"content-length"] == b"%d" % length


# Small and large


def test_a_small_answer_is_sent_whole(one):
    """Its usage is read, and its size guessed from, before it is sent."""
    played = playing(one, CHAT, chat(), good())
    assert (played.record.usage.input, played.record.usage.output) == (3, 1)
    assert played.record.guess == len(played.got) // 4
    assert (played.record.status, played.record.error, played.whole) == (200, "", True)
    assert played.record.first_byte is not None


@pytest.mark.parametrize("caller", [(CHAT, chat()), (MESSAGES, message())])
def test_a_large_answer_is_sent_on_as_it_comes(one, caller):
    """Over a mebibyte nothing is held: its usage is read beside it, its length stays."""
    path, body = caller
    value = LARGE if path == CHAT else {"padding": "x" * 3 * WHOLE_LIMIT, **GOOD["messages"]}
    script = says(200, value)
    third = len(script[0]) // 3
    played = playing(
        one, path, body, [script[0][at : at + third] for at in range(0, len(script[0]), third)], threshold=JUMP
    )
    assert played.json() == value
    assert played.fields[b"content-length"] == b"%d" % length_of(script)
    assert (played.record.usage.input, played.record.usage.output) == (3, 1)
    assert played.record.guess > WHOLE_LIMIT // 4
    assert played.whole


def test_a_large_answer_in_chunks_has_no_length(one):
    """Chunks overrule a length, and a connection that sent both is not used again."""
    data = json.dumps(LARGE).encode()
    head = (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    played = playing(one, CHAT, chat(), [head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data)], threshold=JUMP)
    assert played.json() == LARGE
    assert b"content-length" not in played.fields
    assert (played.pool.given_back, played.pool.dropped) == (0, 1)


@pytest.mark.parametrize("at", [0.3, 0.9])
def test_a_large_answer_that_breaks_off(three, at):
    """Once it was begun no other account is asked, and the client sees that it is not whole."""
    script = says(200, LARGE)[0]
    played = playing(three, CHAT, chat(), [script[: int(len(script) * max(at, 0.5))], Break()], good(), threshold=JUMP)
    assert (played.asked, played.status, played.whole) == (["a0"], 200, False)
    assert played.client.aborted
    assert played.record.error == "upstream_broke_off"


def test_an_answer_that_breaks_off_while_it_is_held(three):
    """Nothing was sent: another account is asked."""
    script = good()[0]
    assert playing(three, CHAT, chat(), [script[:-3], Break()], good()).asked == ["a0", "a1"]


def test_files_are_sent_on_from_their_first_byte(plain):
    """Calls of no protocol may be sound or lines that are read as they come."""
    script = [b"HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\ncontent-length: 6\r\n\r\nabc", Silence(5), b"def"]
    played = playing(plain, FILES, b"", script, method="GET")
    assert (played.got, played.record.first_byte, played.record.total) == (b"abcdef", 0, 5)
    assert played.fields[b"content-length"] == b"6"
    assert played.record.usage.input is None


def test_an_empty_body_of_a_file_is_one(plain):
    """Only models must say something."""
    played = playing(plain, FILES, b"", answer(200), method="GET")
    assert (played.status, played.got, played.whole) == (200, b"", True)


def test_a_stream_that_was_no_stream(one):
    """A client that asked for a stream gets a plain answer as it is, and it has the time of a whole answer."""
    played = playing(one, CHAT, chat(stream=True), good())
    assert (played.json(), played.record.stream) == (GOOD["chat"], False)
    assert played.client.deadlines[-1] == (1800.0, CancelReason.TOTAL)


def test_a_stream_of_an_error_is_no_stream(one):
    """An error that is typed as a stream is an error."""
    script = answer(400, (b"content-type", b"text/event-stream"), body=b'{"error":{"message":"no"}}')
    played = playing(one, CHAT, chat(stream=True), script)
    assert (played.status, played.json()) == (400, {"error": {"message": "no"}})


@pytest.mark.parametrize("coded", [False, True])
def test_a_stream_in_a_known_coding_is_decoded(one, coded):
    """Its coding is taken off, since events are looked into."""
    events = (
        b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    )
    script = streams(gzip.compress(events) if coded else events, fields=(GZIP,) if coded else ())
    played = playing(one, CHAT, chat(stream=True), script)
    assert (played.got, b"content-encoding" in played.fields) == (events, False)


# Memory


def test_what_is_held_of_an_answer_counts(one):
    """Over the bound of all buffers an answer is not held: the client may ask again in a moment."""
    one.memory = MemoryBound(3000)
    played = playing(one, CHAT, chat(), says(200, {**GOOD["chat"], "padding": "x" * 5000}))
    assert (played.status, played.fields[b"retry-after"]) == (503, b"1")


def test_an_answer_that_is_sent_on_holds_nothing(one):
    """From the commit on neither the request's body nor the answer is counted."""
    script, held = says(200, LARGE)[0], []
    cut = 2 * WHOLE_LIMIT

    def look():
        held.append(one.memory.reserved)

    playing(one, CHAT, chat(), [look, script[:1000], look, script[1000:cut], look, script[cut:]], threshold=JUMP)
    assert held[0] == len(json.dumps(chat()))
    assert held[0] < held[1] < held[0] + 1000
    assert held[2] == 0


def test_a_body_is_held_while_another_account_may_get_it(three):
    """Until the commit; the last error's memory is given back before the next attempt."""
    held = []

    def look():
        held.append(three.memory.reserved)

    script = says(500, {"error": {"message": "x" * 5000}})
    playing(three, CHAT, chat(), [look, *script], [look, *good()])
    assert held == [len(json.dumps(chat()))] * 2


# Captures


@pytest.mark.parametrize("limit", [5, 40, 10_000])
def test_a_capture_holds_the_beginnings(one, limit):
    """Of request and answer at most so many bytes each."""
    body = json.dumps(chat()).encode()
    played = playing(one, CHAT, body, good(), capture=limit)
    assert played.record.request_body == body[:limit]
    assert played.record.answer_body == played.got[:limit]


def test_a_capture_of_a_large_answer(one):
    """What is sent on as it comes is captured at its beginning."""
    script = says(200, LARGE)[0]
    cut = 2 * WHOLE_LIMIT
    played = playing(
        one, CHAT, chat(), [script[:cut], script[cut : cut + 9], script[cut + 9 :]], capture=cut + 99, threshold=JUMP
    )
    assert played.json() == LARGE
    assert played.record.answer_body == played.got[: cut + 99]


def test_a_capture_of_a_coded_answer_is_readable(one):
    """The capture is for people: without the coding."""
    body = json.dumps(GOOD["chat"]).encode()
    packed = gzip.compress(body)
    played = playing(one, CHAT, chat(), answer(200, JSON, GZIP, body=packed), capture=10_000)
    assert (played.record.answer_body, played.got) == (body, packed)


def test_nothing_is_captured_unasked(one):
    """Bodies stay in no record."""
    played = playing(one, CHAT, chat(), good())
    assert (played.record.request_body, played.record.answer_body) == (b"", b"")
