"""An upstream's answer as one in the caller's protocol, behind the same face as the answer itself."""

from typing import TYPE_CHECKING

import trio

from router.errors import BadGateway
from router.exchange.upstream_response import content_coding as upstream_response_content_coding
from router.ir import Usage
from router.net.client.exchange import Broken
from router.net.client.exchange import Exchange as Upstream
from router.wire import translate
from router.wire.dialect import Failure
from router.wire.raw import content_coding, sse

if TYPE_CHECKING:
    from router.net.headers import Lines

ANSWER_LIMIT = 64 << 20
PREAMBLE_LIMIT = 1 << 20
#: Behind a finish reason: how long its usage, or the mark of the end, may take.
SETTLE_SECONDS = 2.0


def decoder_of(upstream: Upstream) -> content_coding.Decoder | None:
    """What takes the content codings off an answer that is to be translated. Raises BadGateway."""
    try:
        return upstream_response_content_coding.decoder_of(upstream)
    except (content_coding.UnknownCoding, content_coding.Malformed):
        raise BadGateway("The backend's answer has a content coding that cannot be read.") from None


def usage_before(upstream: Upstream) -> Usage | None:
    """The token counts of an answer as they were before it was translated; None for one that was not.

    The caller's protocol may have no place for some of them, and has 0 where the upstream said nothing.
    """
    return upstream.usage if isinstance(upstream, Translated) else None


class Translated(Upstream):
    """An upstream's answer in the caller's protocol. pieces: a body that is whole; stream: what makes one as it comes.

    upstream: the exchange that is read and given back; None when nothing was asked. usage: what the upstream said of a
    whole answer that was translated. failure: the error that a whole 200 of the upstream held; `status` is then the
    client's.
    """

    __slots__ = (
        "_decoder",
        "_failure",
        "_idle",
        "_inner",
        "_over",
        "_pieces",
        "_size",
        "_splitter",
        "_stream",
        "_usage",
    )

    def __init__(
        self,
        upstream: Upstream | None,
        pieces: list[bytes],
        stream: translate.Stream | None = None,
        *,
        usage: Usage | None = None,
        failure: Failure | None = None,
    ):
        self._inner = upstream
        self._failure = failure
        self._pieces = [piece for piece in pieces if piece]
        self._stream = stream
        self._usage = usage
        self._splitter = sse.Splitter()
        self._decoder = decoder_of(upstream) if upstream is not None and stream is not None else None
        self._over = stream is None
        self._size = 0
        self._idle = 0
        self.status = 0
        self.reason = b""
        self.lines: Lines = []
        self.fields: dict[bytes, bytes] = {}

    def take_head(self, upstream: Upstream, content_type: tuple[bytes, bytes, bytes] | None) -> None:
        """Have the head of an answer whose body is now of another type; None: its own."""
        self.status, self.reason = upstream.status, upstream.reason
        gone = (b"content-encoding", b"content-length", b"etag", b"digest", b"content-md5")
        if content_type is not None:
            gone += (b"content-type",)
        self.lines = [line for line in upstream.lines if line[1] not in gone]
        self.fields = {name: value for name, value in upstream.fields.items() if name not in gone}
        if content_type is not None:
            self.lines.append(content_type)
            self.fields[b"content-type"] = content_type[2]

    async def read(self) -> list[bytes]:
        """As its parent's; [b""] when what was read adds nothing yet."""
        if self._pieces:
            pieces, self._pieces = self._pieces, []
            return pieces
        if self._over or self._stream is None or self._inner is None:
            return []
        try:
            got = await self._next(self._stream, self._inner)
        except Broken:
            out = self._ending(self._stream)
            if out:
                return [out]
            raise
        out = self._taken(self._stream, got) if got else self._ending(self._stream)
        return [out] if out or got else []

    async def _next(self, stream: translate.Stream, inner: Upstream) -> list[bytes]:
        """The next read; nothing when the upstream said its last word and leaves the connection open."""
        if not stream.finished:
            return await inner.read()
        with trio.move_on_after(SETTLE_SECONDS):
            return await inner.read()
        return []

    def _taken(self, stream: translate.Stream, got: list[bytes]) -> bytes:
        data = b"".join(got)
        if self._decoder is not None:
            data = upstream_response_content_coding.decoded(self._decoder, data, ANSWER_LIMIT)
        try:
            batch = self._splitter.feed(data)
        except sse.EventTooLarge:
            raise Broken(f"an event passed {sse.EVENT_LIMIT >> 20} MiB without an end") from None
        return self._counted(stream, stream.feed(batch), len(data)) if batch else b""

    def _ending(self, stream: translate.Stream) -> bytes:
        """What the end of the upstream's body adds; nothing when the stream is not whole."""
        self._over = True
        tail = self._splitter.tail
        out = stream.feed(tail + b"\n\n") if tail.strip() and translate.is_whole(tail) else b""
        return out + stream.end()

    def _counted(self, stream: translate.Stream, out: bytes, read: int) -> bytes:
        """What a read gives, within the bounds; nothing is read any more behind an error."""
        self._size += len(out)
        if self._size > ANSWER_LIMIT:
            raise Broken(f"its translated answer passed {ANSWER_LIMIT >> 20} MiB")
        if not stream.meaningful:
            self._idle += read
            if self._idle > PREAMBLE_LIMIT:
                raise BadGateway(f"The upstream sent {PREAMBLE_LIMIT >> 20} MiB of events without any content.")
        if stream.failed:
            self._over = True
        return out

    @property
    def usage(self) -> Usage | None:
        """The token counts that the upstream has said so far; None where its answer was not translated."""
        return self._usage if self._stream is None else self._stream.usage

    @property
    def failure(self) -> Failure | None:
        """The error inside a 200, as the upstream's own protocol tells it: what is judged, whatever the client gets.
        Of a stream it is known once it was read."""
        return self._failure if self._stream is None else self._stream.failure

    @property
    def ended(self) -> bool:
        """True when nothing more comes."""
        return self._over and not self._pieces

    @property
    def reused(self) -> bool:
        """As its parent's."""
        return self._inner is not None and self._inner.reused

    @property
    def answered(self) -> bool:
        """As its parent's; what was made here is an answer."""
        return self._inner is None or self._inner.answered

    def put_back(self, data: bytes) -> None:
        """As its parent's."""
        self._pieces.insert(0, data)

    def release(self) -> None:
        """As its parent's."""
        if self._inner is not None:
            self._inner.release()

    def drop(self) -> None:
        """As its parent's."""
        if self._inner is not None:
            self._inner.drop()
