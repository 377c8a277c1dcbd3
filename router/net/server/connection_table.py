"""The client connections that are served at a time: who gets a place, and who gives one up.

Rules of this file:
- A connection is strong while it has a request whose sender has shown what is asked of clients, else weak: idle, still
  without a request, or refused. A weak one keeps its place only until somebody needs it; the one that has been weak for
  longest goes first. A strong one keeps it.
- Some places are kept for strong ones alone, and some from the clients' strong ones: whoever connects can always say
  who it is, and an operator is always served.
- Nothing here takes time that grows with the number of connections.
"""

from collections import OrderedDict, deque
from collections.abc import Callable

import trio

from router.errors import Unavailable

CONNECTION_LIMIT = 2048
#: Places that only connections with an authenticated request get.
STRONG_PLACES = 32
#: Places that requests of clients do not get, for those that have not said yet who they are, and for operators.
DOOR_PLACES = 8


class ConnectionTable:
    """The places of one proxy, shared by its listeners. limit: how many there are."""

    def __init__(self, limit: int = CONNECTION_LIMIT, *, strong: int = STRONG_PLACES, door: int = DOOR_PLACES):
        self._limit, self._weak_limit, self._client_limit = limit, limit - strong, limit - door
        self._taken = 0
        self._strong = 0
        self._weak: OrderedDict[Place, None] = OrderedDict()
        self._waiting: deque[trio.Event] = deque()

    async def acquire(self) -> None:
        """Take a place for a connection that is about to be accepted. Where none is free, weak ones are evicted."""
        await trio.lowlevel.checkpoint()
        while self._taken >= self._limit or self._taken - self._strong >= self._weak_limit:
            changed = trio.Event()
            self._waiting.append(changed)
            if self._weak:
                self._weak.popitem(last=False)[0].evict()
            try:
                await changed.wait()
            except BaseException:
                if changed.is_set():
                    self._wake_next()
                else:
                    self._waiting.remove(changed)
                raise
        self._taken += 1

    def release(self) -> None:
        """Give up the place of a connection that has ended."""
        self._taken -= 1
        self._wake_next()

    def take_strong(self, place: "Place", *, operator: bool) -> bool:
        """Make a weak place strong; False when clients have all the places that they get."""
        if not operator and self._strong >= self._client_limit:
            return False
        self._weak.pop(place, None)
        self._strong += 1
        if self._waiting:
            self._wake_next()
        return True

    def add_weak(self, place: "Place", *, was_strong: bool) -> None:
        """Make a place weak, as the one that will be evicted last."""
        self._strong -= was_strong
        self._weak[place] = None
        if self._waiting:
            self._wake_next()

    def remove(self, place: "Place", *, strong: bool) -> None:
        """Remove the place of a connection that has ended; `release` gives it up."""
        self._strong -= strong
        self._weak.pop(place, None)

    def _wake_next(self) -> None:
        if self._waiting:
            self._waiting.popleft().set()


class Place:
    """The place of one connection. table: None for a connection that nobody else is kept out by."""

    __slots__ = ("_strong", "_table", "evict")

    def __init__(self, table: ConnectionTable | None, evict: Callable[[], None]):
        self._table = table
        self._strong = False
        #: Ends the connection at once; called from any task.
        self.evict = evict
        if table is not None:
            table.add_weak(self, was_strong=False)

    def authenticate(self, *, operator: bool = False) -> None:
        """Keep the place to the end of the request, whose sender has shown what is asked of it. Raises Unavailable when
        there are too many."""
        if self._table is not None and not self._strong:
            if not self._table.take_strong(self, operator=operator):
                raise Unavailable("Too many requests are running; send it again in a moment.", retry_after=1)
            self._strong = True

    def end_request(self) -> None:
        """Make it weak."""
        if self._strong and self._table is not None:
            self._strong = False
            self._table.add_weak(self, was_strong=True)

    def leave(self) -> None:
        """End it with its connection."""
        if self._table is not None:
            self._table.remove(self, strong=self._strong)
