"""Deadlines of attempts: one that is reached ends the attempt where another may follow, else the whole exchange."""

import math
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import trio

from router.net.client.exchange import UpstreamExchange
from router.net.server.cancel_reason import CancelReason
from router.net.server.connection import Connection

_Read = TypeVar("_Read")


class Waiting(Protocol):
    """What a client is told while it waits for the head of an answer."""

    #: When it is told something next, on trio's clock.
    wakes_at: float

    async def tell(self) -> None:
        """Tell it to wait, and move `wakes_at`."""
        ...


class Deadline(Protocol):
    """The deadline of an attempt from its beginning to the head of its answer."""

    #: None for an answer that the client waits for in silence.
    waiting: Waiting | None

    def move(self, seconds: float, reason: CancelReason) -> None:
        """Move the deadline to `seconds` from now."""
        ...

    def await_whole(self, seconds: float, now: float) -> None:
        """Wait for an answer that is no stream: only the whole of it has a limit, `seconds` from `now`, trio's time."""
        ...

    def reach_head(self) -> None:
        """End the deadline, since the head of the answer came."""
        ...


class ExchangeDeadline:
    """The deadline of the last attempt of an exchange: when it is reached, the exchange ends."""

    __slots__ = ("_connection", "waiting")

    def __init__(self, connection: Connection, waiting: Waiting | None = None):
        self._connection = connection
        self.waiting = waiting

    def move(self, seconds: float, reason: CancelReason) -> None:
        """Move the deadline of the exchange to `seconds` from now."""
        self._connection.set_deadline(seconds, reason)

    def await_whole(self, seconds: float, now: float) -> None:
        """End the exchange when the whole answer takes longer than `seconds` from `now`."""
        self._connection.set_deadline(seconds, CancelReason.TOTAL, now=now)

    def reach_head(self) -> None:
        """Do nothing: the relay moves the connection's deadline from here on."""


class AttemptDeadline:
    """The deadline of an attempt that another may follow. The deadline of the whole exchange holds besides."""

    __slots__ = ("_scope", "reason", "waiting")

    def __init__(self, scope: trio.CancelScope, waiting: Waiting | None = None):
        self._scope = scope
        self.waiting = waiting
        #: The reason, should the scope be cancelled.
        self.reason = CancelReason.TOTAL

    def move(self, seconds: float, reason: CancelReason) -> None:
        """Move the deadline of the attempt to `seconds` from now."""
        self._scope.deadline = trio.current_time() + seconds
        self.reason = reason

    def await_whole(self, seconds: float, now: float) -> None:
        """Remove the deadline: the exchange's own limits the whole answer."""
        self.move(math.inf, CancelReason.TOTAL)

    def reach_head(self) -> None:
        """Remove the deadline: from here on the exchange's own holds."""
        self.move(math.inf, CancelReason.TOTAL)


async def await_head(upstream: UpstreamExchange, waiting: Waiting | None) -> None:
    """Wait for the head of an answer, and have the client told meanwhile. Raises UpstreamDisconnected, BadGateway."""
    if waiting is None:
        await upstream.head()
    else:
        await await_told(upstream.head, waiting)


async def await_told(read: Callable[[], Awaitable[_Read]], waiting: Waiting) -> _Read:
    """The result of a read that loses nothing when it is cancelled; the client is told to wait meanwhile."""
    while True:
        # Nothing is sent to the client inside the scope: a send that is cut leaves half an event.
        with trio.CancelScope(deadline=waiting.wakes_at) as nap:
            return await read()
        if nap.cancelled_caught:
            await waiting.tell()
