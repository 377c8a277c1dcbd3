"""A client that speaks HTTP by hand: what it sends is what it says, and what came is kept to the byte."""

import contextlib
import json
import socket
import struct
import sys
from typing import NamedTuple

from ..patience import PATIENCE

# A lingering time of 0 seconds makes close a reset; Windows has 16-bit fields.
RESET_ON_CLOSE = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
JSON = (b"Content-Type", b"application/json")


class Answer(NamedTuple):
    """One answer. whole: its end was seen, by length or last chunk. raw: the body as framed."""

    status: int
    line: bytes
    lines: list
    body: bytes
    whole: bool

    def field(self, name):
        """The values of a field, joined; None when it is absent."""
        found = [value for key, value in self.lines if key.lower() == name.lower()]
        return b", ".join(found) if found else None

    def json(self):
        """The body as JSON."""
        return json.loads(self.body)


class Client:
    """One connection."""

    def __init__(self, port, host="127.0.0.1"):
        self.sock = socket.create_connection((host, port), PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        """Send all."""
        self.sock.sendall(data)

    def answer(self, *, bodiless=False):
        """Read one answer to its end, or to where it broke off; None when the connection ended before a head."""
        head, self._rest = recv_until(self.sock, self._rest, b"\r\n\r\n")
        if head is None:
            return None
        line, _, block = head[:-4].partition(b"\r\n")
        lines = fields_of(block)
        fields = {name.lower(): value for name, value in lines}
        status = int(line.split()[1])
        if bodiless or status in (204, 304) or status < 200:
            body, whole = b"", True
        elif fields.get(b"transfer-encoding") == b"chunked":
            body, whole = self._chunks()
        else:
            body, whole = self._exactly(int(fields[b"content-length"]))
        return Answer(status, line, lines, body, whole)

    def read_until(self, mark):
        """Read on until the mark has come; what was read, kept for `answer`."""
        while mark not in self._rest:
            data = _recv(self.sock)
            assert data, f"the connection ended before {mark!r}: {self._rest[-300:]!r}"
            self._rest += data
        return self._rest

    def ended(self):
        """True when the peer has closed and nothing more comes."""
        return not self._rest and not _recv(self.sock)

    def abort(self):
        """Leave with a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.sock.close()

    def _exactly(self, size):
        while len(self._rest) < size:
            data = _recv(self.sock)
            if not data:
                break
            self._rest += data
        body, self._rest = self._rest[:size], self._rest[size:]
        return body, len(body) == size

    def _chunks(self):
        body = b""
        while True:
            line, self._rest = recv_until(self.sock, self._rest, b"\r\n")
            if line is None:
                return body, False
            size = int(line, 16)
            data, whole = self._exactly(size + 2)
            if not whole or size == 0:
                return body + data[:size], whole
            body += data[:size]


def _recv(sock):
    try:
        return sock.recv(65536)
    except ConnectionError:
        return b""


def recv_until(sock, rest, mark):
    """What comes up to and with the mark, and what came after it; (None, rest) when the stream ends before."""
    while mark not in rest:
        data = _recv(sock)
        if not data:
            return None, rest
        rest += data
    found, mark, after = rest.partition(mark)
    return found + mark, after


def fields_of(block):
    """The fields of a head as they came."""
    return [tuple(line.split(b": ", 1)) if b": " in line else (line, b"") for line in block.split(b"\r\n") if line]


def request(path, body=None, *fields, method=None, host=b"localhost", kind=JSON):
    """The bytes of a request; a body brings its length and its type."""
    verb = method or ("GET" if body is None else "POST")
    lines = [(b"Host", host), *fields]
    if body is not None:
        lines += [*([kind] if kind else []), (b"Content-Length", b"%d" % len(body))]
    head = f"{verb} {path} HTTP/1.1\r\n".encode() + b"".join(b"%b: %b\r\n" % line for line in lines)
    return head + b"\r\n" + (body or b"")


def ask(port, *arguments, **options):
    """One request on a connection of its own, and its answer."""
    with Client(port) as client:
        # A server that refuses early may close while the rest is being sent; its answer counts.
        with contextlib.suppress(ConnectionError):
            client.send(request(*arguments, **options))
        return client.answer(bodiless=options.get("method") == "HEAD")


def events(body):
    """The server-sent events of a body as (name, data); it must end at an event's border."""
    assert body.endswith((b"\n\n", b"\r\n\r\n")), body[-200:]
    found = []
    for block in body.replace(b"\r\n", b"\n").split(b"\n\n"):
        fields = [line.partition(b": ")[::2] for line in block.split(b"\n") if line and not line.startswith(b":")]
        if fields:
            name = next((value for key, value in fields if key == b"event"), b"")
            found.append((name.decode(), b"\n".join(value for key, value in fields if key == b"data")))
    return found
