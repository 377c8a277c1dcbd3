"""Finds out whether a server speaks TLS or plain HTTP, after it gave no answer in the other.

Only what the server's bytes say counts: a connection that is closed says nothing.
"""

import ssl
from typing import Literal

import trio

from router.errors import RouterError
from router.net.client.dial import connect
from router.net.client.exchange import TLS_RECORDS
from router.net.stream import SocketStream

SECONDS = 2.0
_SHOWN = 64


async def speaks(protocol: Literal["tls", "http"], host: str, port: int) -> bool:
    """True when the server at this address answers in TLS, or in plain HTTP. False also when that is unclear."""
    greeting = _make_hello() if protocol == "tls" else _make_request(host)
    first = b""
    with trio.move_on_after(SECONDS):
        try:
            stream = await connect(host, port, host)
        except RouterError:
            return False
        first = await _exchange(stream, greeting)
    if protocol == "tls":
        return first.startswith(TLS_RECORDS)
    # Servers with TLS answer a plain request with 400, if at all.
    return first.startswith(b"HTTP/1.") and first[8:12] != b" 400"


async def _exchange(stream: SocketStream, greeting: bytes) -> bytes:
    first = b""
    try:
        await stream.send_all(greeting)
        while len(first) < _SHOWN and (data := await stream.receive_some(_SHOWN)):
            first += data
    except (OSError, trio.ClosedResourceError):
        pass
    finally:
        stream.close()
    return first


def _make_hello() -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    out = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost").do_handshake()
    except ssl.SSLWantReadError:
        return out.read()
    raise AssertionError("a handshake does not end by itself")


def _make_request(host: str) -> bytes:
    name = f"[{host}]" if ":" in host else host
    return f"HEAD / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode("ascii", "replace")
