"""The bare h11 relay every figure of the benchmark is held against: what h11 on trio costs and nothing more.

Run as `python floor.py PORT UPSTREAM_PORT [--roots FILE] [--merge]`. It has an idle pool and drains all that h11 has
parsed into one send, as a good relay must; it has no routing, no deadline, no check of heads, no notice of a client
that left, and reads no usage. It frames each HTTP chunk anew; with --merge all chunks of a read become one.
"""

import argparse
import ssl
from collections.abc import Iterable
from functools import partial

import h11
import trio

READ = 65536

# Transfer-Encoding stays: it is how h11 learns the framing of the other side.
_HOP_BY_HOP = {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"upgrade"}

Headers = list[tuple[bytes, bytes]]


class Peer:
    """A connection to one side: the stream and its h11 state."""

    __slots__ = ("conn", "stream")

    def __init__(self, stream: trio.abc.Stream, role: type[h11.CLIENT] | type[h11.SERVER]):
        self.stream = stream
        self.conn = h11.Connection(role)


class Relay:
    """Pairs each client connection with upstream connections from an idle pool."""

    def __init__(self, port: int, context: ssl.SSLContext | None, *, merge: bool):
        self._port = port
        self._context = context
        self._merge = merge
        self._idle: list[Peer] = []

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serve one client connection to its end."""
        client = Peer(stream, h11.SERVER)
        try:
            while await self._exchange(client):
                client.conn.start_next_cycle()
        except (trio.BrokenResourceError, h11.RemoteProtocolError):
            pass
        finally:
            await stream.aclose()

    async def _exchange(self, client: Peer) -> bool:
        """Relay one request and its answer; False when the client connection is done."""
        while (event := client.conn.next_event()) is h11.NEED_DATA:
            client.conn.receive_data(await client.stream.receive_some(READ))
        if not isinstance(event, h11.Request):
            return False
        upstream = self._idle.pop() if self._idle else await self._dial()
        head = h11.Request(method=event.method, target=event.target, headers=_end_to_end(event.headers))
        await self._pump(client, upstream, [upstream.conn.send(head)])
        await self._pump(upstream, client, [])
        if upstream.conn.our_state is upstream.conn.their_state is h11.DONE:
            upstream.conn.start_next_cycle()
            self._idle.append(upstream)
        else:
            await upstream.stream.aclose()
        return client.conn.our_state is client.conn.their_state is h11.DONE

    async def _dial(self) -> Peer:
        stream: trio.abc.Stream = await trio.open_tcp_stream("127.0.0.1", self._port)
        if self._context is not None:
            stream = trio.SSLStream(stream, self._context, server_hostname="127.0.0.1", https_compatible=True)
        return Peer(stream, h11.CLIENT)

    async def _pump(self, source: Peer, target: Peer, out: list[bytes | None]) -> None:
        """Relay one message: whatever h11 has parsed goes out in one send before the next read."""
        receive, send = source.conn.next_event, target.conn.send
        data: list[bytes] = []
        while True:
            event = receive()
            if isinstance(event, h11.Data):
                data.append(event.data)
                continue
            if isinstance(event, h11.Response):
                headers = _end_to_end(event.headers)
                out.append(send(h11.Response(status_code=event.status_code, headers=headers, reason=event.reason)))
                continue
            if data:
                out += [send(h11.Data(data=piece)) for piece in ([b"".join(data)] if self._merge else data)]
                data = []
            if isinstance(event, h11.EndOfMessage):
                out.append(send(h11.EndOfMessage()))
            if out:
                await target.stream.send_all(b"".join(out))  # type: ignore[arg-type]
                out = []
            if event is not h11.NEED_DATA:
                return
            source.conn.receive_data(await source.stream.receive_some(READ))


def _end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    return [(name, value) for name, value in headers if name not in _HOP_BY_HOP]


def main() -> None:
    """Read the ports and, for a TLS upstream, the file of its roots."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("upstream", type=int)
    parser.add_argument("--roots")
    parser.add_argument("--merge", action="store_true")
    given = parser.parse_args()
    context = ssl.create_default_context(cafile=given.roots) if given.roots else None
    relay = Relay(given.upstream, context, merge=given.merge)
    trio.run(partial(trio.serve_tcp, relay.serve, given.port, host="127.0.0.1"))


if __name__ == "__main__":
    main()
