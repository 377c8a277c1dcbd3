"""A scripted upstream on loopback: exact bytes out, exact bytes recorded, for one request after the other.

A script is a list of steps. Bytes are sent as they are; a callable gets the socket and may wait, cut, or dribble.
Every GET of a model list is answered aside and neither scripted nor recorded: the proxy reads it when it likes.
"""

import contextlib
import json
import random
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass

from ..patience import PATIENCE
from .processes import until
from .wire import RESET_ON_CLOSE, fields_of, recv_until

MODELS = ("model-a", "text-embedding-1")


class Gone(Exception):
    """The connection is over."""


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    line: bytes
    lines: list
    body: bytes
    connection: int

    def field(self, name):
        """The values of a field, joined; None when it is absent."""
        found = [value for key, value in self.lines if key.lower() == name.lower()]
        return b", ".join(found) if found else None


class Upstream:
    """Listens until stopped. context: an ssl.SSLContext to speak TLS. models: what it lists, once `listed` is set.
    port: 0 for a free one."""

    def __init__(self, context=None, models=MODELS, port=0):
        self.listed = threading.Event()
        self.listed.set()
        self._models = plain(json.dumps({"object": "list", "data": [{"id": name} for name in models]}).encode())
        self.seen = []
        self.left = 0
        self.accepted = 0
        self.default = None
        # Bytes of a body that are read before its script begins; None for all.
        self.reads = None
        self._context = context
        self._scripts = deque()
        self._lock = threading.Condition()
        self._sockets = set()
        self._threads = []
        self._stopping = False
        self._listener = socket.create_server(("127.0.0.1", port), backlog=256)
        self.port = self._listener.getsockname()[1]
        self.root = f"{'https' if context else 'http'}://127.0.0.1:{self.port}/v1"
        self._start(self._accept)

    def script(self, *steps):
        """What the next request that has no script yet is answered with."""
        with self._lock:
            self._scripts.append(steps)

    def clear(self):
        """Forget all scripts and requests, and hang up on every connection."""
        with self._lock:
            self._scripts.clear()
            self.seen = []
            self.left = self.accepted = 0
            self.default = self.reads = None
        self.hang_up()

    def hang_up(self):
        """End all connections, as a server does that was restarted."""
        with self._lock:
            for sock in self._sockets:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def wait(self, condition):
        """Wait until the condition on this upstream holds."""
        with self._lock:
            assert self._lock.wait_for(lambda: condition(self), PATIENCE), f"{len(self.seen)} seen, {self.left} left"

    def stop(self):
        """Close everything and join the threads."""
        self._stopping = True
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port)).close()  # wakes the accepting thread
        self.hang_up()
        for thread in self._threads:
            thread.join(PATIENCE)
        self._listener.close()

    def _start(self, target, *arguments):
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            sock, _ = self._listener.accept()
            if self._stopping:
                sock.close()
                return
            with self._lock:
                self.accepted += 1
                self._threads = [thread for thread in self._threads if thread.is_alive()]
                self._start(self._serve, sock, self.accepted)

    def _serve(self, sock, number):
        with contextlib.suppress(OSError, Gone), sock:
            sock.settimeout(PATIENCE)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._listed(sock):
                if self._context is None:
                    self._talk(sock, number)
                    return
                with self._context.wrap_socket(sock, server_side=True) as secured, self._listed(secured):
                    self._talk(secured, number)

    @contextlib.contextmanager
    def _listed(self, sock):
        with self._lock:
            self._sockets.add(sock)
        try:
            yield
        finally:
            with self._lock:
                self._sockets.discard(sock)

    def _talk(self, sock, number):
        rest = b""
        while True:
            try:
                request, rest = _request(sock, rest, number, self.reads)
            except (OSError, Gone):
                return
            for step in self._steps(request):
                if callable(step):
                    self._perform(step, sock)
                else:
                    sock.sendall(step)

    def _perform(self, step, sock):
        try:
            step(sock)
        except Gone:
            with self._lock:
                self.left += step is hang
                self._lock.notify_all()
            raise

    def _steps(self, request):
        if request.line.startswith(b"GET ") and b"/models" in request.line:
            return wait_for(self.listed), self._models
        with self._lock:
            self.seen.append(request)
            steps = self._scripts.popleft() if self._scripts else self.default
            self._lock.notify_all()
        assert steps is not None, f"no script for {request.line!r}"
        return steps


def _request(sock, rest, number, limit):
    head, rest = recv_until(sock, rest, b"\r\n\r\n")
    if head is None:
        raise Gone
    line, _, block = head[:-4].partition(b"\r\n")
    lines = fields_of(block)
    fields = {name.lower(): value for name, value in lines}
    if fields.get(b"transfer-encoding") == b"chunked":
        body, rest = _chunks(sock, rest)
        return Seen(line, lines, body, number), rest
    length = int(fields.get(b"content-length", 0))
    if limit is not None:
        length = min(length, limit)
    pieces = bytearray(rest)  # adding up bytes would copy a large body a thousand times
    while len(pieces) < length:
        data = sock.recv(65536)
        if not data:
            raise Gone
        pieces += data
    return Seen(line, lines, bytes(pieces[:length]), number), bytes(pieces[length:])


def _chunks(sock, rest):
    body = bytearray()
    while True:
        line, rest = recv_until(sock, rest, b"\r\n")
        if line is None:
            raise Gone
        size = int(line, 16) + 2
        while len(rest) < size:
            data = sock.recv(65536)
            if not data:
                raise Gone
            rest += data
        body += rest[: size - 2]
        rest = rest[size:]
        if size == 2:
            return bytes(body), rest


# Steps


def close(sock):
    """End the connection in good order, wherever the answer stands."""
    sock.shutdown(socket.SHUT_RDWR)
    raise Gone


def reset(sock):
    """Drop the connection with a reset; what was sent is given a moment to be read first."""
    time.sleep(0.02)  # a reset overtakes data that the peer has not read yet
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    sock.close()
    raise Gone


def hang(sock):
    """Say nothing until the peer has left."""
    sock.settimeout(None)
    while True:
        try:
            if not sock.recv(65536):
                raise Gone
        except OSError:
            raise Gone from None


def wait_for(event, seconds=PATIENCE):
    """Wait for a threading.Event, at most that long."""

    def step(sock):
        if not event.wait(seconds):
            raise Gone

    return step


def pieces(data, seed):
    """Send in pieces of random size."""
    chance = random.Random(seed)

    def step(sock):
        at = 0
        while at < len(data):
            size = chance.choice((1, 3, 17, 200, 4000))
            sock.sendall(data[at : at + size])
            at += size
            time.sleep(0)  # lets the proxy read between two pieces

    return step


def keep(up, ask, said):
    """Ask until a connection has served twice, so that it rests no more and the next request goes to it; its number.
    said: what is answered."""
    before, up.default = up.default, [said]

    def is_kept():
        ask()
        numbers = [seen.connection for seen in up.seen]
        return numbers[-1] in numbers[:-1]

    assert until(is_kept)
    up.default, number = before, up.seen[-1].connection
    up.seen = []
    return number


# Answers


def head(status=b"200 OK", *fields):
    """A response head."""
    return b"HTTP/1.1 " + status + b"\r\n" + b"".join(b"%b: %b\r\n" % field for field in fields) + b"\r\n"


def plain(body, status=b"200 OK", *fields, kind=b"application/json"):
    """A whole answer with a length."""
    return head(status, (b"Content-Type", kind), *fields, (b"Content-Length", b"%d" % len(body))) + body


def chunk(data):
    """One HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


END = b"0\r\n\r\n"


def stream_head(*fields):
    """The head of a chunked event stream."""
    kind = (b"Content-Type", b"text/event-stream; charset=utf-8")
    return head(b"200 OK", kind, *fields, (b"Transfer-Encoding", b"chunked"))


def stream(events, *fields):
    """A whole event stream, each event a chunk of its own."""
    return stream_head(*fields) + b"".join(map(chunk, events)) + END


def rechunked(events, seed, *fields):
    """A whole event stream in chunks that know nothing of events."""
    chance = random.Random(seed)
    data, at, out = b"".join(events), 0, [stream_head(*fields)]
    while at < len(data):
        size = chance.choice((1, 2, 5, 40, 900))
        out.append(chunk(data[at : at + size]))
        at += size
    return b"".join([*out, END])


def begun(protocol, count=None):
    """The head and the first events of a stream."""
    return stream_head() + b"".join(map(chunk, protocol.events[: protocol.begun if count is None else count]))
