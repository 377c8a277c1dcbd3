"""Deadlines of attempts: one that is reached ends the attempt where another may follow, else the whole exchange."""

import math
from typing import Protocol

import trio

from router.net.server.cancel_reason import CancelReason
from router.net.server.connection import Connection


class Deadline(Protocol):
    """The deadline of an attempt from its beginning to the head of its answer."""

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

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection):
        self._connection = connection

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

    __slots__ = ("_scope", "reason")

    def __init__(self, scope: trio.CancelScope):
        self._scope = scope
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
