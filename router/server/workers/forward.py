"""Forwards the requests of operators from a worker to the parent, which alone answers them.

The worker makes a pair of sockets, hands one end over with the address where the client came, and speaks HTTP/1.1 on
the other: the parent serves that end as it would serve the client's own connection. So a signature is checked for the
place where the request came, each is taken once, and a page's session is known, whichever worker accepted.
"""

import socket

from router.net.server.cancel_reason import CancelReason
from router.net.server.connection import Connection, Request
from router.net.server.forward import forward
from router.net.stream import SocketStream
from router.server.workers.channel import Channel

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
            await forward(stream, connection, request)
        finally:
            stream.close()
        return True
