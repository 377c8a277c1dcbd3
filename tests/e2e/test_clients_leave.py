"""Clients that leave at any moment leave nothing behind: no task, connection, descriptor, or counted byte."""

import gc
import os
import random
import threading

import pytest
import trio

from router.demo import Demo
from router.net.client import pool
from router.net.server.deadlines import Deadline

from .processes import PATIENCE, Threaded, backend, inside, until
from .samples import CHAT, MESSAGES, PROTOCOLS, error_of
from .upstream import END, Upstream, begun, chunk, close, hang, plain, reset, stream, wait_for
from .wire import RESET_ON_CLOSE, Client, ask, request

CLIENTS = 1000
AT_ONCE = 50
MODELS = ("demo", "demo-slow", "demo-hang", "demo-cut", "demo-500", "")
TERMINAL = (b'"type":"message_stop"', b'"finish_reason":"stop"', b'"type":"response.completed"')


class Marks:
    """What must not be more after than before."""

    def __init__(self, serving):
        self._serving = serving
        # Its files are opened once, a moment after the start: not what is counted here.
        serving.runtime.ledger.start()
        serving.runtime.ledger.read("SELECT id FROM owners")
        # So is the task that meets the deadlines of all connections.
        Deadline(lambda: None).cancel()
        self.before = self.now()

    def now(self):
        gc.collect()
        return {
            "tasks": trio.lowlevel.current_statistics().tasks_living,
            "descriptors": len(os.listdir("/dev/fd")) if os.path.isdir("/dev/fd") else 0,
            "connections": len(self._serving.connections),
            "upstream": self._serving.runtime.connections.open,
            "buffers": self._serving.runtime.memory.reserved,
        }

    async def settled(self):
        """Wait until all is as it was; idle upstream connections are closed for the count."""
        with trio.move_on_after(PATIENCE):
            while True:
                connections = self._serving.runtime.connections
                if connections.open == connections.idle:
                    connections.close()
                if not self.left():
                    return
                await trio.sleep(0.02)
        assert not self.left()

    def left(self):
        """What is there now beyond what was before: a descriptor that was open for a moment then is no loss."""
        return {name: count for name, count in self.now().items() if count > self.before[name]}


async def visit(port, chance):
    """One client: it asks for something, and leaves at some moment in some way."""
    protocol, model = chance.choice(PROTOCOLS), chance.choice(MODELS)
    size = chance.choice((0, 0, 3000, 200_000))
    body = protocol.body(model, stream=chance.random() < 0.7, extra=b'"pad":"%b",' % (b"x" * size))
    data = request(protocol.path, body)
    moment = chance.choice(("head", "body", "sent", "answer", "end"))
    head = data.index(b"\r\n\r\n")
    sent = {"head": chance.randrange(head), "body": chance.randrange(head, len(data))}.get(moment, len(data))
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        await stream.send_all(data[:sent])
        if chance.random() < 0.5:
            await trio.sleep(chance.random() * 0.02)
        if moment in ("answer", "end"):
            await _read(stream, chance.randrange(1, 2000) if moment == "answer" else 1 << 30)
        how = chance.choice(("close", "reset", "half"))
        if how == "reset":
            stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, RESET_ON_CLOSE)
        elif how == "half":
            try:
                await stream.send_eof()
            except trio.BrokenResourceError:
                return
            await _read(stream, 1 << 30)


async def _read(stream, size):
    with trio.move_on_after(0.05):
        try:
            while size > 0 and (data := await stream.receive_some(65536)):
                size -= len(data)
        except trio.BrokenResourceError:
            return


def test_thousand_clients(tmp_path):
    """A thousand clients that leave in the head, the body, before, in and after the answer leave nothing behind."""
    chance = random.Random(20261120)

    async def one(port, limit, plan):
        async with limit:
            await visit(port, plan)

    async def main():
        async with inside(tmp_path, demo=Demo(word_delay=0.01)) as serving:
            await serving.runtime.catalogs.wait_complete()
            marks = Marks(serving)
            limit = trio.CapacityLimiter(AT_ONCE)
            async with trio.open_nursery() as visitors:
                for _ in range(CLIENTS):
                    visitors.start_soon(one, serving.port, limit, random.Random(chance.random()))
            await marks.settled()

    trio.run(main)


@pytest.fixture
def upstream():
    up = Upstream()
    yield up
    up.stop()


@pytest.fixture
def proxy(tmp_path, upstream):
    with Threaded(tmp_path, backends=[backend("box", upstream.root)], default_backend="box") as proxy:
        yield proxy


@pytest.fixture(params=PROTOCOLS, ids=lambda protocol: protocol.name)
def protocol(request):
    return request.param


def leave(client, how):
    client.abort() if how == "reset" else client.sock.close()


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("moment", ["before the head", "in the preamble", "in the stream", "in a plain answer"])
def test_upstream_is_told_at_once(proxy, upstream, protocol, moment, how):
    """A client that leaves cancels the request upstream at once, wherever its answer stands."""
    plain_answer = moment == "in a plain answer"
    events = {"in the preamble": 1, "in the stream": protocol.begun}.get(moment, 0)
    answer = plain(protocol.whole)[:-5] if plain_answer else begun(protocol, events)
    upstream.script(*([answer] if moment != "before the head" else []), hang)
    with Client(proxy.port) as client:
        client.send(request(protocol.path, protocol.body(stream=not plain_answer)))
        upstream.wait(lambda up: up.seen)
        if moment == "in the stream":
            client.read_until("H\u2028".encode())
        leave(client, how)
    upstream.wait(lambda up: up.left == 1)
    runtime = proxy.serving.runtime
    assert until(lambda: proxy.call(lambda: (len(proxy.serving.connections), runtime.connections.open)) == (0, 0), 30)
    assert proxy.call(lambda: runtime.memory.reserved) == 0


@pytest.mark.parametrize("how", ["close", "reset"])
def test_leaving_after_the_end(proxy, upstream, protocol, how, monkeypatch):
    """One that leaves after the terminal event (Codex always does) is a success: the upstream connection is kept."""
    monkeypatch.setattr(pool, "REST_SECONDS", 0.0)
    left = threading.Event()
    end = next(at for at, event in enumerate(protocol.events) if any(mark in event for mark in TERMINAL)) + 1
    first, rest = protocol.events[:end], protocol.events[end:]
    upstream.script(begun(protocol, end), wait_for(left), b"".join(map(chunk, rest)) + END)
    with Client(proxy.port) as client:
        client.send(request(protocol.path, protocol.body(stream=True)))
        client.read_until(first[-1])
        leave(client, how)
    assert until(lambda: proxy.call(lambda: all(connection.client_gone for connection in proxy.serving.connections)))
    left.set()
    connections = proxy.serving.runtime.connections
    assert until(lambda: proxy.call(lambda: (connections.open, connections.idle)) == (1, 1), 30)
    upstream.script(plain(protocol.whole))
    assert ask(proxy.port, protocol.path, protocol.body()).body == protocol.whole
    assert upstream.seen[0].connection == upstream.seen[1].connection


@pytest.mark.parametrize("how", [reset, close])
def test_upstream_that_breaks_off_after_the_end(proxy, upstream, protocol, how):
    """The client has it all, and its stream ends well; the broken connection is closed and not counted any more."""
    upstream.script(begun(protocol, len(protocol.events)), how)
    answer = ask(proxy.port, protocol.path, protocol.body(stream=True))
    assert (answer.whole, answer.body) == (True, b"".join(protocol.events))
    assert until(lambda: proxy.call(lambda: proxy.serving.runtime.connections.open) == 0, 30)


def test_rest_is_not_read_for_ever(proxy, upstream):
    """After the terminal event the rest is awaited 2 s at most."""
    upstream.script(begun(MESSAGES, len(MESSAGES.events)), hang)
    with Client(proxy.port) as client:
        client.send(request(MESSAGES.path, MESSAGES.body(stream=True)))
        client.read_until(MESSAGES.events[-1])
    upstream.wait(lambda up: up.left == 1)
    assert until(lambda: proxy.call(lambda: proxy.serving.runtime.connections.open) == 0, 30)


def test_what_is_held_of_the_rest_is_given_back(proxy, upstream):
    """A long event that begins after the client left is counted while it is awaited, and no longer."""
    gone = threading.Event()
    upstream.script(begun(MESSAGES, len(MESSAGES.events)), wait_for(gone), chunk(b"data: " + b"x" * 200_000), hang)
    with Client(proxy.port) as client:
        client.send(request(MESSAGES.path, MESSAGES.body(stream=True)))
        client.read_until(MESSAGES.events[-1])
    assert until(lambda: proxy.call(lambda: all(each.client_gone for each in proxy.serving.connections)))
    gone.set()
    upstream.wait(lambda up: up.left == 1)
    assert until(lambda: proxy.call(lambda: len(proxy.serving.connections)) == 0)
    assert proxy.call(lambda: proxy.serving.runtime.memory.reserved) == 0


def test_next_request_of_a_pipeline_goes_too(proxy, upstream):
    """A client that leaves with a second request already sent has that one dropped: nothing of it goes upstream."""
    upstream.script(hang)
    with Client(proxy.port) as client:
        client.send(request(CHAT.path, CHAT.body()) * 2)
        upstream.wait(lambda up: up.seen)
    upstream.wait(lambda up: up.left == 1)
    assert until(lambda: proxy.call(lambda: len(proxy.serving.connections)) == 0)
    assert len(upstream.seen) == 1


def test_slow_reader_holds_no_more_than_a_window(proxy, upstream):
    """A client that stops reading stops the upstream: the proxy does not pile up what is sent."""
    event = b'event: content_block_delta\ndata: {"type":"content_block_delta","pad":"' + b"x" * 65536 + b'"}\n\n'
    sent, stalled = [], threading.Event()

    def flood(sock):
        sock.settimeout(0.5)
        try:
            for _ in range(1000):
                sock.sendall(chunk(event))
                sent.append(1)
        except TimeoutError:
            stalled.set()
        sock.settimeout(PATIENCE)

    upstream.script(begun(MESSAGES), flood, hang)
    with Client(proxy.port) as client:
        client.send(request(MESSAGES.path, MESSAGES.body(stream=True)))
        assert stalled.wait(PATIENCE), "the proxy reads without end"
        assert len(sent) < 400
    upstream.wait(lambda up: up.left == 1)


def test_cut_upstream_and_client_together(proxy, upstream, protocol):
    """Upstream and client that break off at the same moment leave nothing behind either."""
    for _ in range(20):
        upstream.script(begun(protocol), reset)
        with Client(proxy.port) as client:
            client.send(request(protocol.path, protocol.body(stream=True)))
            client.read_until("H\u2028".encode())
            client.abort()
    runtime = proxy.serving.runtime
    assert until(lambda: proxy.call(lambda: (len(proxy.serving.connections), runtime.connections.open)) == (0, 0))
    upstream.script(stream(protocol.events))
    assert ask(proxy.port, protocol.path, protocol.body(stream=True)).whole
    assert error_of(protocol, ask(proxy.port, protocol.path, b"{"))
