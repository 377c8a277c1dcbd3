"""Clients that are slow, many, or early, at a real process: others are served meanwhile, and all is well after them."""

import contextlib
import socket
import time

import pytest

from router.net.server.connection_table import CONNECTION_LIMIT

from .samples import CHAT, MESSAGES, RESPONSES
from .upstream import plain
from .wire import Client, ask, request

HALF_HEAD = b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nX-"
LIVE = request("/livez")


@contextlib.contextmanager
def connected(port, count):
    """So many connections."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Client(port)) for _ in range(count)]


def slowest_answer(port, times=20):
    """Of some requests, one after the other, in seconds."""
    found = 0.0
    for _ in range(times):
        began = time.monotonic()
        assert ask(port, "/livez").status == 200
        found = max(found, time.monotonic() - began)
    return found


def test_many_connections(fairlead, descriptors):
    """Idle ones beyond the limit cost nobody an answer: the next is served at once, and the oldest is closed for it."""
    with connected(fairlead.port, CONNECTION_LIMIT) as clients:
        for client in (clients[-1], clients[-2]):
            client.send(LIVE)
            assert client.answer().status == 200
        assert clients[0].ended()
        assert ask(fairlead.port, "/livez").status == 200
    assert slowest_answer(fairlead.port) < 5


@pytest.mark.parametrize("count", [150, pytest.param(500, marks=pytest.mark.slow)])
def test_half_heads_hold_up_nobody(fairlead, upstream, count):
    """Clients that drip their heads byte by byte: others are answered as ever."""
    with connected(fairlead.port, count) as clients:
        for byte in HALF_HEAD:
            for client in clients[:: 1 + byte % 7]:
                client.send(bytes([byte]))
        assert slowest_answer(fairlead.port) < 1
    assert not upstream.seen


@pytest.mark.slow
def test_half_heads_end(fairlead, upstream):
    """After 10 s, however they drip, each has a 408 and the end."""
    with connected(fairlead.port, 200) as clients:
        began = time.monotonic()
        for client in clients:
            client.send(HALF_HEAD)
        while time.monotonic() < began + 9:
            time.sleep(1)
            for client in clients[::2]:
                client.send(b"x")
        for client in clients:
            assert client.answer().status == 408
            assert client.ended()
        assert 9.5 < time.monotonic() - began < 13
    assert not upstream.seen


@pytest.mark.slow
def test_slow_bodies_end(fairlead, upstream):
    """30 s after the last piece of its body a request is a 408 in its protocol; nothing of it went upstream."""
    with connected(fairlead.port, 50) as clients:
        began = time.monotonic()
        for client in clients:
            client.send(request(MESSAGES.path, MESSAGES.body())[:-1])
        assert slowest_answer(fairlead.port) < 1
        for client in clients:
            client.sock.settimeout(60)
            answer = client.answer()
            assert answer.status == 408
            assert answer.json()["type"] == "error"
            assert client.ended()
        assert 29 < time.monotonic() - began < 35
    assert not upstream.seen


@pytest.mark.parametrize("piece", [1, 1000])
def test_continue(fairlead, upstream, piece):
    """A client that asks before it sends its body is told to go on, once; the backend is not asked."""
    upstream.script(plain(CHAT.whole))
    body = CHAT.body()
    with Client(fairlead.port) as client:
        client.send(request(CHAT.path, body, (b"Expect", b"100-continue"))[: -len(body)])
        assert client.answer(bodiless=True).status == 100
        for at in range(0, len(body), piece):
            client.send(body[at : at + piece])
        answer = client.answer()
        assert (answer.status, answer.body) == (200, CHAT.whole)
        client.send(LIVE)
        assert client.answer().status == 200
    [seen] = upstream.seen
    assert (seen.body, seen.field(b"expect")) == (body, None)


def test_continue_is_not_said_before_a_refusal(keyed, upstream):
    """A client without the key learns so without sending its body."""
    with Client(keyed.port) as client:
        client.send(request(CHAT.path, b"x" * 100_000, (b"Expect", b"100-continue"))[:-100_000])
        assert client.answer().status == 401
        assert client.ended()
    assert not upstream.seen


def test_pipelined(fairlead, upstream):
    """Sixty requests of three protocols in one write, ours between them: answered in order, each its own."""
    protocols = (MESSAGES, CHAT, RESPONSES) * 20
    for protocol in protocols:
        upstream.script(plain(protocol.whole))
    with Client(fairlead.port) as client:
        client.send(b"".join(request(protocol.path, protocol.body()) + LIVE for protocol in protocols))
        for protocol in protocols:
            assert client.answer().body == protocol.whole
            assert client.answer().status == 200
    assert len(upstream.seen) == len(protocols)


def test_end_of_sending(fairlead, upstream):
    """A client that closes its side before its request is whole is gone: nothing goes upstream, and none is kept."""
    whole = request(MESSAGES.path, MESSAGES.body())
    for at in (0, 10, len(whole) - len(MESSAGES.body()), len(whole) - 1):
        with Client(fairlead.port) as client:
            client.send(whole[:at])
            client.sock.shutdown(socket.SHUT_WR)
            answer = client.answer()
            assert answer is None or answer.status >= 400
            assert client.ended()
    assert not upstream.seen
