"""Forwards one request of a client connection to another server on a stream: as a client there, as a server here."""

import h11

from router.errors import Unavailable
from router.net.headers import HOP_BY_HOP
from router.net.server.connection import Connection, Request
from router.net.stream import SocketStream

_PIECE = 65_536
_BODY_LIMIT = 1 << 20
_FRAMING = HOP_BY_HOP | {b"content-length"}


async def forward(stream: SocketStream, connection: Connection, request: Request) -> None:
    """Have the server at the other end of a stream answer a request, which nothing was read of but its head. Raises
    Unavailable when it ends before it answers."""
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
