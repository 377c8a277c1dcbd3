"""The load client: blocking sockets, requests rendered once, answers read with the least parsing that can work."""

import contextlib
import socket
import statistics
import time
from collections.abc import Iterator, Sequence

from upstream import TICK

READ = 262144
TIMEOUT = 30.0
LAST_CHUNK = b"\r\n0\r\n\r\n"

# Fields an SDK sends; a relay pays for each of them.
_FIELDS = (
    b"accept: application/json\r\n"
    b"anthropic-version: 2023-06-01\r\n"
    b"content-type: application/json\r\n"
    b"user-agent: bench/1.0\r\n"
    b"x-stainless-lang: python\r\n"
    b"x-stainless-retry-count: 0\r\n"
)


class LoadError(Exception):
    """The relay answered something other than what the upstream sent."""


# Seconds until everything waits.
_CALM = 0.01


def percentile(seconds: Sequence[float], percent: int) -> float:
    """The value that `percent` of 100 stay under."""
    return statistics.quantiles(seconds, n=100)[percent - 1]


def request(port: int, body: bytes, path: bytes = b"/v1/messages") -> bytes:
    """The bytes of one request."""
    head = b"POST %s HTTP/1.1\r\nhost: 127.0.0.1:%d\r\n%scontent-length: %d\r\n\r\n"
    return head % (path, port, _FIELDS, len(body)) + body


class Client:
    """One keep-alive connection."""

    def __init__(self, port: int):
        self._sock = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        """Close the connection."""
        self._sock.close()

    def fileno(self) -> int:
        """The descriptor, for a selector."""
        return self._sock.fileno()

    def send(self, data: bytes) -> None:
        """Send a request."""
        self._sock.sendall(data)

    def receive(self) -> bytes:
        """Read one answer that has a content-length; its body."""
        data = self._read()
        while b"\r\n\r\n" not in data:
            data += self._read()
        end = data.index(b"\r\n\r\n") + 4
        head = data[:end].lower()
        field = head.find(b"\r\ncontent-length:")
        if not head.startswith(b"http/1.1 200 ") or field < 0:
            raise LoadError(data.decode(errors="replace"))
        whole = end + int(head[field + 17 : head.index(b"\r\n", field + 17)])
        while len(data) < whole:
            data += self._read()
        return data[end:]

    def read_event(self, mark: bytes = b"") -> None:
        """Read to the end of an event; with `mark`, of the first read that has it."""
        data = self._read()
        while mark not in data or not data.endswith(b"\n\n\r\n"):
            if data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 200 "):
                raise LoadError(data.decode(errors="replace"))
            data += self._read()

    def read_some(self) -> bytes:
        """Read what has arrived; waits for the first byte."""
        return self._read()

    def read_to(self, ending: bytes, begun: bytes = b"") -> bytes:
        """Read until what came ends with `ending`. begun: what has come before."""
        pieces = [begun]
        tail = begun[-len(ending) :]
        while not tail.endswith(ending):
            pieces.append(self._read())
            tail = tail[-len(ending) :] + pieces[-1]
        return b"".join(pieces)

    def _read(self) -> bytes:
        data = self._sock.recv(READ)
        if not data:
            raise LoadError("the connection was closed in the middle of an answer")
        return data


@contextlib.contextmanager
def connected(port: int, count: int = 1) -> Iterator[list[Client]]:
    """This many connections, closed at the end."""
    clients: list[Client] = []
    try:
        for _ in range(count):
            clients.append(Client(port))
        yield clients
    finally:
        for client in clients:
            client.close()


def plain(clients: Sequence[Client], data: bytes, count: int) -> list[float]:
    """Send `count` requests, one at a time on each connection; seconds of each."""
    clock = time.perf_counter
    taken: list[float] = []
    for _ in range(count // len(clients)):
        starts: list[float] = []
        for client in clients:
            starts.append(clock())
            client.send(data)
        for client, start in zip(clients, starts, strict=True):
            client.receive()
            taken.append(clock() - start)
    return taken


def burst(client: Client, data: bytes, events: int) -> float:
    """Read one stream as fast as it comes and count its events; the seconds it took."""
    start = time.perf_counter()
    client.send(data)
    answer = client.read_to(LAST_CHUNK)
    taken = time.perf_counter() - start
    if _events(answer) != events:
        raise LoadError(f"{_events(answer)} events of {events} came through")
    return taken


def first_bytes(client: Client, data: bytes, count: int) -> list[float]:
    """Read `count` streams to their ends, one after another; the seconds to the first byte of each."""
    taken: list[float] = []
    for _ in range(count):
        start = time.perf_counter()
        client.send(data)
        begun = client.read_some()
        taken.append(time.perf_counter() - start)
        if not begun.startswith(b"HTTP/1.1 200 "):
            raise LoadError(begun.decode(errors="replace"))
        client.read_to(LAST_CHUNK, begun)
    return taken


def paced(client: Client, ticker: Client, data: bytes, count: int) -> list[float]:
    """Let the upstream send `count` deltas, the next only when one has arrived; seconds of each."""
    client.send(data)
    client.read_event(b"content_block_start")
    ticker.send(TICK)
    taken: list[float] = []
    for _ in range(count):
        start = time.perf_counter()
        ticker.send(b".")
        client.read_event()
        taken.append(time.perf_counter() - start)
    ticker.send(b".")
    client.read_to(LAST_CHUNK)
    return taken


def late(client: Client, ticker: Client, data: bytes, count: int, *, opening: bytes = b"") -> list[float]:
    """Let the upstream say the first word of `count` streams when all else waits; seconds until any of it arrives.

    opening: an event that the client gets before.
    """
    ticker.send(TICK)
    taken: list[float] = []
    for _ in range(count):
        client.send(data)
        if opening:
            client.read_event(opening)
        ticker.read_some()
        time.sleep(_CALM)
        start = time.perf_counter()
        ticker.send(b".")
        client.read_some()
        taken.append(time.perf_counter() - start)
        time.sleep(_CALM)
        ticker.send(b".")
        client.read_to(LAST_CHUNK)
    return taken


def hold(port: int, data: bytes, count: int, *, together: int = 8) -> contextlib.ExitStack:
    """Open `count` streams, `together` at a time, and leave them open; close the stack to end them."""
    with contextlib.ExitStack() as stack:
        for _ in range(count // together):
            clients = stack.enter_context(connected(port, together))
            for client in clients:
                client.send(data)
            for client in clients:
                client.read_event(b"text_delta")
        return stack.pop_all()


def _events(answer: bytes) -> int:
    """Events in a chunked answer; a relay may cut its chunks anywhere."""
    start = answer.index(b"\r\n\r\n") + 4
    body = bytearray()
    while True:
        line = answer.index(b"\r\n", start)
        size = int(answer[start:line], 16)
        if not size:
            return body.count(b"event: ")
        body += answer[line + 2 : line + 2 + size]
        start = line + 4 + size
