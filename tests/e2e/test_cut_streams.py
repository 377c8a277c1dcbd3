"""Every KB of a stream cut, reset, delayed or swallowed: the protocol's own error, never a clean end, never a hang."""

import threading
import time
from collections import Counter

import pytest

from .samples import CHAT, MESSAGES, PROTOCOLS, RESPONSES, error_of, stream_error_of
from .upstream import close, hang, plain, reset, stream_head, wait_for
from .wire import Client, ask, request

KB = 1024
SIZE = 24 * KB
EVERY_KB = range(0, SIZE, KB)
# In the normal run: the head alone, the first events, and some places behind them.
SOME = (0, 1 * KB, 7 * KB, 19 * KB)


def long(protocol):
    """The events of the protocol's stream, with so many more pieces of text that it has SIZE bytes."""
    head, piece, tail = {
        "messages": (MESSAGES.events[:3], MESSAGES.events[3], MESSAGES.events[6:]),
        "chat": (CHAT.events[:2], CHAT.events[2], CHAT.events[4:]),
        "responses": (RESPONSES.events[:3], RESPONSES.events[3], RESPONSES.events[5:]),
    }[protocol.name]
    events = list(head)
    while sum(map(len, events)) < SIZE:
        events.append(piece)
    events += tail
    if protocol is RESPONSES:
        numbered = []
        for number, event in enumerate(events):
            before, mark, rest = event.partition(b'"sequence_number":')
            numbered.append(before + mark + b"%d" % number + rest.lstrip(b"0123456789"))
        events = numbered
    return events


def pause(sock):
    time.sleep(0.05)


def chunked(data):
    """In chunks that know nothing of events."""
    return b"".join(
        b"%x\r\n%b\r\n" % (len(data[at : at + 700]), data[at : at + 700]) for at in range(0, len(data), 700)
    )


def whole_events(events, size):
    """The events that stand whole in the first `size` bytes."""
    found = b""
    for event in events:
        if len(found) + len(event) > size:
            break
        found += event
    return found


def broken_off(hasty, upstream, protocol, how, at):
    """Break a stream off behind its first `at` bytes; what the client was told: `status` or `event`."""
    events = long(protocol)
    data = b"".join(events)
    upstream.clear()
    upstream.script(stream_head() + chunked(data[:at]), how)
    # The upstream that hangs ends nothing: without the proxy's deadlines no answer would come.
    answer = ask(hasty.port, protocol.path, protocol.body(stream=True))
    if answer.status != 200:
        assert answer.status in (502, 504)
        assert "box" in error_of(protocol, answer)
        return "status"
    assert "box" in stream_error_of(protocol, answer)
    kept = whole_events(events, at)
    assert answer.body.startswith(kept)
    assert answer.body[len(kept) :].startswith((b"event: error\n", b'data: {"error"'))
    return "event"


def delayed(proxy, upstream, protocol, at):
    """Hold a stream up behind its first `at` bytes: it goes on as if nothing had been. proxy: one with usual deadlines,
    as a busy machine may hold the upstream up for longer than the short ones."""
    data = b"".join(long(protocol))
    upstream.clear()
    upstream.script(stream_head() + chunked(data[:at]), pause, chunked(data[at:]) + b"0\r\n\r\n")
    answer = ask(proxy.port, protocol.path, protocol.body(stream=True))
    assert (answer.status, answer.whole, answer.body) == (200, True, data)


def each(hasty, usual, upstream, protocol, places):
    told = Counter()
    for at in places:
        for how in (close, reset, hang):
            told[broken_off(hasty, upstream, protocol, how, at)] += 1
        delayed(usual, upstream, protocol, at)
        told["delayed"] += 1
    print(f"{protocol.name}: {dict(told)}")
    return told


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_a_stream_that_breaks_off_says_so(hasty, fairlead, upstream, protocol):
    """Whatever ends it, and wherever: a status before the client saw anything, the protocol's error event behind."""
    told = each(hasty, fairlead, upstream, protocol, SOME)
    assert told["event"] > told["status"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_a_stream_that_breaks_off_at_any_kb_says_so(hasty, fairlead, upstream, protocol):
    """The same behind each KB."""
    told = each(hasty, fairlead, upstream, protocol, EVERY_KB)
    assert told.total() == 4 * len(EVERY_KB)


@pytest.mark.parametrize("how", [close, reset, hang])
@pytest.mark.parametrize("at", [0, 1000, 900 * KB, 1300 * KB])
def test_a_plain_answer_that_breaks_off_is_no_whole_one(hasty, upstream, how, at):
    """Held until it is whole up to 1 MiB: an error status. Beyond, the socket is aborted: never a short answer."""
    body = b'{"text":"' + b"x" * (1500 * KB) + b'"}'
    head, _, _ = plain(body).partition(b"\r\n\r\n")
    begun = threading.Event()
    passed_on = at > 1 << 20
    # A reset discards what the proxy has not read yet: it must wait until the client has the beginning.
    upstream.script(head + b"\r\n\r\n" + body[:at], *((wait_for(begun),) if passed_on else ()), how)
    with Client(hasty.port) as client:
        client.send(request(CHAT.path, CHAT.body()))
        if passed_on:
            client.read_until(b"\r\n\r\n")
            begun.set()
        answer = client.answer()
    if passed_on:
        assert (answer.status, answer.whole) == (200, False)
    else:
        assert answer.status in (502, 504)
        assert "box" in error_of(CHAT, answer)
