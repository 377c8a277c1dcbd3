"""The interface of a request body, and the source that both kinds of bodies are read from."""

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar, TypeVarTuple

from router.exchange.body.fair_thread import FairThread, size_of
from router.net.server.cancel_reason import CancelReason
from router.net.server.connection import Connection, Request
from router.wire.raw.json.top_level import Top

#: Bytes of the largest body, decoded.
LIMIT = 64 << 20
#: Work on a body of more bytes than these would delay every stream: it runs in a thread.
THREAD_BYTES = 1 << 20
#: The same for objects in a body that is translated: each takes 6 µs.
THREAD_OBJECTS = 4000
THREAD = FairThread()
#: For decompression, which does not keep the interpreter's lock: so JSON does not wait for it.
DECODING_THREAD = FairThread()

_Arguments = TypeVarTuple("_Arguments")
_Result = TypeVar("_Result")


class Body(Protocol):
    """The body of one request."""

    @property
    def data(self) -> bytes:
        """The whole body without content coding; b"" for a streamed body, and after `release`."""
        ...

    @property
    def top(self) -> Top | None:
        """The top level of a JSON body, None for another."""
        ...

    @property
    def replayable(self) -> bool:
        """True while the request can be sent again."""
        ...

    def release(self) -> None:
        """Free the body's memory: it will not be sent again."""
        ...


class BodySource(NamedTuple):
    """Where a body is read from."""

    connection: Connection
    request: Request
    #: Counts bytes of the body that are in memory. Raises Unavailable when there is no room for them.
    hold: Callable[[int], None]
    #: Gives back all that `hold` counted.
    release: Callable[[], None]
    #: Seconds that a request may take as a whole.
    total: float


def is_much(body: bytes, top: Top | None) -> bool:
    """True for a body whose translation would delay every stream. top: its top level, where that is known."""
    if len(body) > THREAD_BYTES:
        return True
    # To count them takes as long as to find the top level.
    few = len(body) <= 2 * THREAD_OBJECTS or (top is not None and top.brackets <= THREAD_OBJECTS)
    return not few and body.count(b"{") > THREAD_OBJECTS


async def run_in_thread(
    connection: Connection,
    total: float,
    work: Callable[[*_Arguments], _Result],
    *arguments: *_Arguments,
    thread: FairThread = THREAD,
) -> _Result:
    """Run work in the thread for large bodies, in turn with the other connections. The client's deadline for sending
    the body does not run meanwhile: the connection's deadline becomes `total` seconds."""
    connection.set_deadline(total, CancelReason.TOTAL)
    return await thread.run(connection, max(THREAD_BYTES, size_of(arguments)), work, *arguments)
