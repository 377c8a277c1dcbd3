"""What ends an attempt that takes too long: the exchange as a whole, or, where another attempt may follow, it alone."""

import math
from typing import Protocol

import trio

from router.net.server.connection import Connection, Cut


class Deadline(Protocol):
    """The deadline of an attempt from its beginning to the head of its answer."""

    def move(self, seconds: float, reason: Cut) -> None:
        """Let it end in so many seconds."""
        ...

    def await_whole(self, seconds: float) -> None:
        """The answer is no stream: only the whole of it has a limit, `seconds` from now."""
        ...

    def reach_head(self) -> None:
        """The head of the answer came."""
        ...


class ExchangeDeadline:
    """The deadline of an attempt that is the last: the exchange ends with it."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection):
        self._connection = connection

    def move(self, seconds: float, reason: Cut) -> None:
        """Let the exchange end in so many seconds."""
        self._connection.deadline(seconds, reason)

    def await_whole(self, seconds: float) -> None:
        """Let the exchange end when the whole answer took too long."""
        self._connection.deadline(seconds, Cut.TOTAL)

    def reach_head(self) -> None:
        """The relay moves the connection's deadline from here on."""


class AttemptDeadline:
    """The deadline of an attempt that another may follow. The exchange as a whole has its own, which stays."""

    __slots__ = ("_scope", "reason")

    def __init__(self, scope: trio.CancelScope):
        self._scope = scope
        #: What it means that the scope was cancelled.
        self.reason = Cut.TOTAL

    def move(self, seconds: float, reason: Cut) -> None:
        """Let the attempt end in so many seconds."""
        self._scope.deadline = trio.current_time() + seconds
        self.reason = reason

    def await_whole(self, seconds: float) -> None:
        """The limit of the whole answer is the exchange's."""
        self.move(math.inf, Cut.TOTAL)

    def reach_head(self) -> None:
        """From here on the exchange's deadline holds."""
        self.move(math.inf, Cut.TOTAL)
