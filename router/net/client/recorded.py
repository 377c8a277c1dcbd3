"""An exchange with an upstream that tells an observer what was sent and what came, for a capture."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from router.errors import BadGateway
from router.net.client.exchange import UpstreamDisconnected, UpstreamExchange
from router.net.client.pool import ConnectionPool, UpstreamConnection
from router.net.headers import Lines
from router.net.stream import Bytes


class ExchangeObserver(Protocol):
    """Is told of one exchange. None of the calls may wait, and what they get must be copied to be kept."""

    def note_request(self, method: bytes, target: bytes, lines: Lines, parts: Sequence[Bytes]) -> None:
        """A request begins to be sent. parts: of its body; () for one that is streamed."""
        ...

    def note_head(self, status: int, reason: bytes, lines: Lines) -> None:
        """The head of the answer has come."""
        ...

    def note_body(self, pieces: Sequence[Bytes]) -> None:
        """So much of the body has come with one read."""
        ...

    def note_end(self, error: str) -> None:
        """The answer ended. error: what the upstream did instead of ending it, '' for a whole answer."""
        ...


class RecordedExchange(UpstreamExchange):
    """A class of its own, so that other exchanges pay nothing for captures."""

    __slots__ = ("_observer",)

    def __init__(self, connections: ConnectionPool, connection: UpstreamConnection, observer: ExchangeObserver):
        super().__init__(connections, connection)
        self._observer = observer

    async def send(self, method: bytes, target: bytes, lines: Lines, body: Sequence[Bytes]) -> None:
        """As for any exchange; the observer is told before."""
        self._observer.note_request(method, target, lines, body)
        await super().send(method, target, lines, body)

    async def send_streamed(
        self, method: bytes, target: bytes, lines: Lines, more: Callable[[], Awaitable[Bytes]]
    ) -> None:
        """As for any exchange; the observer is told before, without the body."""
        self._observer.note_request(method, target, lines, ())
        await super().send_streamed(method, target, lines, more)

    async def head(self) -> None:
        """As for any exchange; the observer is told of the head, or of the error in its place."""
        known = self.status
        try:
            await super().head()
        except (UpstreamDisconnected, BadGateway) as error:
            self._observer.note_end(str(error))
            raise
        if not known:
            self._observer.note_head(self.status, self.reason, self.lines)

    async def read(self) -> list[bytes]:
        """As for any exchange; the observer is told once of what is read twice."""
        again = bool(self._unread)
        try:
            pieces = await super().read()
        except UpstreamDisconnected as error:
            self._observer.note_end(str(error))
            raise
        if not again:
            if pieces:
                self._observer.note_body(pieces)
            if self._ended:
                self._observer.note_end("")
        return pieces
