"""Deadlines: each has its own text, ends a plain answer with a status and a stream with its protocol's error event.

All tests run against `hasty`: connect 600 ms, first_byte 400 ms, idle 500 ms, total 1.2 s.
"""

import threading

import pytest

from .samples import MESSAGES, PROTOCOLS, refused, stream_error_of
from .upstream import begun, chunk, hang, plain, wait_for
from .wire import ask

STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])


@pytest.fixture(params=PROTOCOLS, ids=lambda protocol: protocol.name)
def protocol(request):
    return request.param


@STREAMED
def test_connect_deadline(hasty, protocol, streamed):
    """A backend that accepts and never shakes hands is given up after timeouts.connect."""
    answer = ask(hasty.port, protocol.path, protocol.body("silent:m", stream=streamed))
    refused(protocol, answer, 504, "0.6 s", "timeouts.connect", "silent")


def test_first_byte_deadline(hasty, upstream, protocol):
    """A stream whose head does not come is given up after timeouts.first_byte, and the upstream is left."""
    upstream.script(hang)
    answer = ask(hasty.port, protocol.path, protocol.body(stream=True))
    refused(protocol, answer, 504, "0.4 s", "timeouts.first_byte", "box")
    upstream.wait(lambda up: up.left == 1)


def test_idle_deadline_before_content(hasty, upstream, protocol):
    """A stream that falls silent in its preamble is given up after timeouts.idle, still with a status."""
    upstream.script(begun(protocol, 1), hang)
    answer = ask(hasty.port, protocol.path, protocol.body(stream=True))
    refused(protocol, answer, 504, "0.5 s", "timeouts.idle", "box")
    upstream.wait(lambda up: up.left == 1)


def test_idle_deadline_in_a_stream(hasty, upstream, protocol):
    """A stream that falls silent after content ends in the protocol's error event."""
    upstream.script(begun(protocol), hang)
    message = stream_error_of(protocol, ask(hasty.port, protocol.path, protocol.body(stream=True)))
    assert "0.5 s" in message
    assert "timeouts.idle" in message
    upstream.wait(lambda up: up.left == 1)


def test_total_deadline(hasty, upstream, protocol):
    """A plain answer has only timeouts.total, before its head and after; slow ones within it are fine."""
    upstream.script(hang)
    answer = ask(hasty.port, protocol.path, protocol.body())
    refused(protocol, answer, 504, "1.2 s", "timeouts.total", "box")
    upstream.wait(lambda up: up.left == 1)


def test_total_deadline_of_a_stream(hasty, upstream, protocol):
    """A stream that never falls silent and never ends is ended after timeouts.total."""
    over = threading.Event()

    def drip(sock):
        while not over.wait(0.1):
            sock.sendall(chunk(b": drip\n\n"))

    upstream.script(begun(protocol), drip, hang)
    message = stream_error_of(protocol, ask(hasty.port, protocol.path, protocol.body(stream=True)))
    over.set()
    assert "1.2 s" in message
    assert "timeouts.total" in message


@pytest.mark.parametrize(
    ("streamed", "cut"), [(False, 0), (False, 200), (True, 200)], ids=["late", "slow", "for a stream"]
)
def test_slow_plain_answer(hasty, upstream, streamed, cut):
    """first_byte and idle are for streams: a plain answer may take longer than both, whatever was asked for."""
    late = threading.Event()
    timer = threading.Timer(0.8, late.set)
    timer.start()
    answer = plain(MESSAGES.whole)
    upstream.script(answer[:cut], wait_for(late), answer[cut:])
    assert ask(hasty.port, MESSAGES.path, MESSAGES.body(stream=streamed)).body == MESSAGES.whole
    timer.join()
