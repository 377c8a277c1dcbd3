"""What the rest of an exchange knows of a request body, and what the two kinds of bodies read from."""

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar, TypeVarTuple

import trio

from router.net.server.connection import Connection, Cut, Request
from router.wire.raw.top_level import Top

#: Bytes of the largest body, decoded.
LIMIT = 64 << 20
#: Bytes over which work on a body would hold up every stream: it goes to a thread, one at a time.
THREAD_BYTES = 1 << 20
THREAD = trio.CapacityLimiter(1)

_Arguments = TypeVarTuple("_Arguments")
_Result = TypeVar("_Result")


class Body(Protocol):
    """The body of one request."""

    @property
    def data(self) -> bytes:
        """The whole body without content coding; b"" for one that is streamed, and once it was released."""
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
        """Forget the body: it will not be sent again."""
        ...


class BodySource(NamedTuple):
    """Where a body is read from."""

    connection: Connection
    request: Request
    #: Counts bytes that are held. Raises Unavailable.
    hold: Callable[[int], None]
    #: Gives all bytes that are held back.
    release: Callable[[], None]
    #: Seconds that a request may take as a whole.
    total: float


async def run_in_thread(
    connection: Connection, total: float, work: Callable[[*_Arguments], _Result], *arguments: *_Arguments
) -> _Result:
    """Do work in the one thread for large bodies. The wait for it is not held against the client: the connection's
    deadline becomes `total` seconds."""
    connection.deadline(total, Cut.TOTAL)
    return await trio.to_thread.run_sync(work, *arguments, limiter=THREAD)
