"""An upstream's stream whose events are framed otherwise, as the server-sent events that everything else reads."""

from collections.abc import Callable

from router.errors import BadGateway, Unavailable
from router.exchange.upstream_response.content_coding import decode_stepwise, decoder_of
from router.exchange.upstream_response.large_work import is_large, run_large
from router.exchange.upstream_response.response import UpstreamResponse
from router.exchange.upstream_response.translated import translated_lines
from router.net.client.exchange import UpstreamDisconnected
from router.wire.framings import EVENTS, Framed, Unframer
from router.wire.raw import content_coding

_UNCOUNTED = 65536


def unframe(upstream: UpstreamResponse, framed: Framed, hold: Callable[[int], None]) -> UpstreamResponse:
    """The answer with its events unframed; any other answer as it is. framed: how its endpoint frames events. hold:
    counts bytes that wait against the bound of all buffers. Raises BadGateway."""
    unframer = framed.find_unframer(upstream.fields.get(b"content-type", b""))
    if unframer is None or not 200 <= upstream.status < 300:
        return upstream
    try:
        return UnframedStream(upstream, unframer, decoder_of(upstream), hold)
    except (content_coding.UnknownCoding, content_coding.Malformed):
        raise BadGateway("The backend's answer has a content coding that cannot be read.") from None


class UnframedStream:
    """A stream that is unframed as it is read."""

    __slots__ = (
        "_counted",
        "_data",
        "_decoder",
        "_hold",
        "_over",
        "_pieces",
        "_unframer",
        "_upstream",
        "fields",
        "lines",
        "reason",
        "status",
    )

    def __init__(
        self,
        upstream: UpstreamResponse,
        unframer: Unframer,
        decoder: content_coding.Decoder | None,
        hold: Callable[[int], None],
    ):
        self._upstream = upstream
        self._unframer = unframer
        self._decoder = decoder
        self._hold = hold
        self._counted = 0
        self._pieces: list[bytes] = []
        # What was read and is not unframed yet: a read that is cancelled while it waits for the thread leaves it here.
        self._data = b""
        self._over = False
        self.status = upstream.status
        self.reason = upstream.reason
        self.lines = translated_lines(upstream.lines, (b"Content-Type", b"content-type", EVENTS))
        self.fields: dict[bytes, bytes] = {}
        for _, name, value in self.lines:
            self.fields.setdefault(name, value)

    async def read(self) -> list[bytes]:
        """The events of one read; [b""] when none is whole yet, [] at the end. Raises UpstreamDisconnected."""
        if self._pieces:
            pieces, self._pieces = self._pieces, []
            return pieces
        if self._unframer.problem:
            # What came whole before it is not lost with it.
            raise UpstreamDisconnected(f"sent an event stream that cannot be read: {self._unframer.problem}")
        if not self._data and not await self._fill():
            return []
        large = is_large(self._unframer.size + len(self._data))
        feed = self._unframer.feed
        out = await run_large(feed, self._data) if large else feed(self._data)
        self._data = b""
        self._count(self._unframer.size)
        return [out]

    async def _fill(self) -> bool:
        """Read on; False at the end of the body. Raises UpstreamDisconnected."""
        got = await self._upstream.read()
        if got:
            self._data = b"".join(got) if self._decoder is None else await decode_stepwise(self._decoder, got)
            return True
        self._over = True
        if self._unframer.size:
            raise UpstreamDisconnected("ended the stream within an event")
        return False

    def _count(self, waiting: int) -> None:
        """Count the bytes of an event that is not whole yet, once they are more than one read."""
        if waiting <= _UNCOUNTED and not self._counted:
            return
        try:
            self._hold(waiting - self._counted)
        except Unavailable as error:
            raise UpstreamDisconnected(f"sent more than can be held ({error.message.rstrip('.')})") from None
        self._counted = waiting

    @property
    def ended(self) -> bool:
        """True when nothing more comes."""
        return (self._over or self._upstream.ended) and not (self._pieces or self._data)

    def put_back(self, data: bytes) -> None:
        """Have the next `read` return this first."""
        self._pieces.insert(0, data)

    def release(self) -> None:
        """Give the upstream's answer back."""
        self._upstream.release()

    def drop(self) -> None:
        """Close the upstream's connection."""
        self._upstream.drop()
