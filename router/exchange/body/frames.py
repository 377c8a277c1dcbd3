"""How the events of a stream become the body of the client's answer: as they are, or as the elements of a JSON array.

Google's API answers a request for a stream with an array where the query does not ask for events.
"""

from typing import Protocol

from router.net.server.connection import Connection
from router.net.stream import Bytes
from router.wire.raw import sse
from router.wire.raw.sse import payloads


class Frames(Protocol):
    """Frames the body of a stream."""

    def frame_data(self, payload: Bytes) -> list[Bytes]:
        """The bytes to write for some bytes of events."""
        ...

    def frame_end(self) -> list[Bytes]:
        """The bytes to write behind the last event of an answer that has ended."""
        ...


class ArrayFrames:
    """Frames events as the elements of one JSON array: `[` and the data of the first, then `,` and those of the
    others, then `]`. The blank lines of pings are space between them."""

    __slots__ = ("_begun", "_connection", "_ended", "_splitter")

    def __init__(self, connection: Connection):
        self._connection = connection
        self._splitter = sse.Splitter()
        self._begun = self._ended = False

    def frame_data(self, payload: Bytes) -> list[Bytes]:
        """The elements of the events that are whole now."""
        data = bytes(payload)
        if not self._splitter.size and not data.strip(b"\r\n"):
            return self._connection.frame_data(data)
        out: list[bytes] = []
        for _, element in payloads(self._splitter.feed(data)):
            out += (b",\r\n" if self._begun else b"[", element)
            self._begun = True
        return self._connection.frame_data(b"".join(out)) if out else []

    def close_array(self) -> list[Bytes]:
        """The end of the array, in an answer that stays without its own end."""
        if self._ended:
            return []
        self._ended = True
        return self._connection.frame_data(b"]" if self._begun else b"[]")

    def frame_end(self) -> list[Bytes]:
        """The end of the array and of the answer."""
        return [*self.close_array(), *self._connection.frame_end()]


def close_broken(connection: Connection, frames: Frames) -> list[Bytes]:
    """The bytes to write behind the error that ends a stream; the answer itself stays without its end, which tells the
    client that it is not whole."""
    connection.close_unended()
    return frames.close_array() if isinstance(frames, ArrayFrames) else []
