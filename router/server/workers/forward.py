"""Forwards the requests of operators from a worker to the parent, which alone answers them.

The worker makes a pair of sockets, hands one end over with the address where the client came, and speaks HTTP/1.1 on
the other: the parent serves that end as it would serve the client's own connection. So a signature is checked for the
place where the request came, each is taken once, and a page's session is known, whichever worker accepted.
"""

import socket

import h11

from router.errors import Unavailable
from router.net.headers import HOP_BY_HOP
from router.net.server.cancel_reason import CancelReason
from router.net.server.connection import Connection, Request
from router.net.stream import SocketStream
from router.server.workers.channel import Channel

_PIECE = 65_536
_BODY_LIMIT = 1 << 20
# The parent's own deadlines end what takes long; streams last for as long as their reader stays.
_SECONDS = 86_400.0


class ForwardedStream(SocketStream):
    """The parent's end of a forwarded connection. place: the address and port where the client's one came."""

    __slots__ = ("_place",)

    def __init__(self, sock: socket.socket, place: tuple[str, int]):
        super().__init__(sock)
        self._place = place

    def get_local_address(self) -> tuple[str, int]:
        """Where the client's own connection came."""
        return self._place


class Forwarder:
    """What a worker has in the place of the operator's endpoints. channel: to the parent."""

    def __init__(self, channel: Channel):
        self._channel = channel

    async def serve(self, connection: Connection, request: Request) -> bool:
        """Have the parent answer; always True. Raises Unavailable when it has ended."""
        connection.set_deadline(_SECONDS, CancelReason.TOTAL)
        ours, theirs = socket.socketpair()
        stream = SocketStream(ours)
        try:
            self._channel.send("forward", connection.stream.get_local_address(), descriptor=theirs.detach())
            await _exchange(stream, connection, request)
        finally:
            stream.close()
        return True


async def _exchange(stream: SocketStream, connection: Connection, request: Request) -> None:
    parser = h11.Connection(h11.CLIENT)
    fields = [(name, value) for _, name, value in request.lines if name not in _FRAMING]
    body = b""
    if request.method != "OPTIONS":
        body = await connection.read_body(_BODY_LIMIT, lambda _: None)
    if body or b"content-length" in request.fields or b"transfer-encoding" in request.fields:
        fields.append((b"content-length", b"%d" % len(body)))
    fields.append((b"connection", b"close"))
    head = h11.Request(method=request.method, target=request.target, headers=fields)
    out = [parser.send(head) or b"", *([parser.send(h11.Data(data=body)) or b""] if body else [])]
    out.append(parser.send(h11.EndOfMessage()) or b"")
    try:
        await stream.send_all(b"".join(out))
        await _relay(parser, stream, connection, signed=b"authorization" in request.fields)
    except (OSError, h11.ProtocolError):
        if connection.started:
            connection.abort()
            return
        raise _make_gone_error() from None


_FRAMING = HOP_BY_HOP | {b"content-length", b"expect"}


async def _relay(parser: h11.Connection, stream: SocketStream, connection: Connection, *, signed: bool) -> None:
    while True:
        event = parser.next_event()
        if event is h11.NEED_DATA:
            parser.receive_data(await stream.receive_some(_PIECE))
        elif isinstance(event, h11.Response):
            if signed and event.status_code < 400:
                # The parent has recognised its sender, so the connection keeps its place.
                connection.place.authenticate(operator=True)
            fields = [(name, value) for name, value in event.headers.raw_items() if name.lower() not in HOP_BY_HOP]
            await connection.write(connection.frame_head(event.status_code, fields, bytes(event.reason)))
        elif isinstance(event, h11.Data):
            await connection.write(connection.frame_data(bytes(event.data)))
        elif isinstance(event, h11.EndOfMessage):
            await connection.write(connection.frame_end())
            return
        elif isinstance(event, h11.ConnectionClosed):
            raise OSError


def _make_gone_error() -> Unavailable:
    return Unavailable("The process that answers operators has ended, and this one ends too.", retry_after=1)
