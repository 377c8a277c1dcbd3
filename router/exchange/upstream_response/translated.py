"""An upstream's answer in the caller's protocol, behind the same interface as the answer itself."""

from collections.abc import Callable
from typing import Protocol

import trio

from router.errors import BadGateway, Unavailable
from router.exchange.upstream_response.content_coding import decode_stepwise, decoder_of
from router.exchange.upstream_response.large_work import is_large_json, run_json
from router.exchange.upstream_response.response import BufferedResponse, UpstreamResponse
from router.ir import Extras, Usage
from router.net.client.exchange import UpstreamDisconnected
from router.net.headers import Lines
from router.wire import translate
from router.wire.costs.extras import ToolReader, add_extras, merge_extras
from router.wire.dialect import Failure
from router.wire.raw import content_coding, scan, sse
from router.wire.raw.json.json_values import Json

ANSWER_LIMIT = 64 << 20
PREAMBLE_LIMIT = 1 << 20
#: Seconds to wait for usage, or the mark of the end, after a finish reason.
SETTLE_SECONDS = 2.0
_UNCOUNTED = 65536
# Bytes of events that are translated at once: calls take up to 0.4 ms for each KiB.
_AT_ONCE = 16384
#: Headers that describe the original body, so that they are wrong for a translated one.
_OF_THE_BODY = (b"content-encoding", b"content-length", b"etag", b"digest", b"content-md5")
# A routing token that only a client of the upstream's own protocol can give back to it.
_OF_ITS_CLIENTS = b"x-codex-turn-state"


def translation_decoder_of(response: UpstreamResponse) -> content_coding.Decoder | None:
    """The decoder for the content codings of an answer that is to be translated. Raises BadGateway."""
    try:
        return decoder_of(response)
    except (content_coding.UnknownCoding, content_coding.Malformed):
        raise BadGateway("The backend's answer has a content coding that cannot be read.") from None


def is_event_stream(response: UpstreamResponse) -> bool:
    """True for an answer that is a stream by its content type."""
    return response.fields.get(b"content-type", b"")[:17].lower() == b"text/event-stream"


def make_too_large() -> BadGateway:
    """The error for an answer of over ANSWER_LIMIT."""
    return BadGateway(f"The backend's answer is over {ANSWER_LIMIT >> 20} MiB, the limit for translated answers.")


def translated_lines(lines: Lines, content_type: tuple[bytes, bytes, bytes] | None) -> Lines:
    """The header lines of an answer whose body was replaced. content_type: of the new body, None to keep the old."""
    gone = (*_OF_THE_BODY, _OF_ITS_CLIENTS, *(() if content_type is None else (b"content-type",)))
    others = [line for line in lines if line[1] not in gone]
    return others if content_type is None else [*others, content_type]


class Round(Protocol):
    """What follows an answer that waits for something before it goes on: work of its own, which a reader that is
    cancelled does not end."""

    async def wait(self) -> None:
        """Wait until it is done."""
        ...

    def take(self) -> "tuple[bytes, UpstreamResponse | None]":
        """The translated bytes that it adds, and the upstream's next answer, None where the answer is whole."""
        ...

    def cancel(self) -> None:
        """End it, and give back what it holds."""
        ...


#: Begins the next round of an answer that waits for one; None where it does not wait.
NextRound = Callable[[], Round | None]


class TranslatedResponse(BufferedResponse):
    """A whole answer that was translated."""

    __slots__ = ("_upstream", "failure", "usage")

    def __init__(
        self,
        upstream: UpstreamResponse,
        status: int,
        lines: Lines,
        body: bytes,
        *,
        usage: Usage | None,
        failure: Failure | None,
    ):
        super().__init__(status, upstream.reason, lines, body)
        self._upstream = upstream
        #: The token counts that the upstream gave, None where it gave none. They are not read from the translated body:
        #: the caller's protocol may have no place for some of them, and writes 0 for unknown ones.
        self.usage = usage
        #: The error in a 200 of the upstream, as the upstream gave it; `status` is then the client's.
        self.failure = failure

    def release(self) -> None:
        """Give the upstream's answer back."""
        self._upstream.release()

    def drop(self) -> None:
        """Close the upstream's connection."""
        self._upstream.drop()


class TranslatedStream:
    """A stream that is translated as it is read."""

    __slots__ = (
        "_batch",
        "_counted",
        "_decoder",
        "_extras",
        "_hold",
        "_idle",
        "_next_round",
        "_over",
        "_pieces",
        "_read_tools",
        "_round",
        "_size",
        "_splitter",
        "_stream",
        "_upstream",
        "fields",
        "lines",
        "reason",
        "status",
    )

    def __init__(
        self,
        upstream: UpstreamResponse,
        lines: Lines,
        stream: translate.Stream,
        hold: Callable[[int], None],
        *,
        read_tools: ToolReader | None = None,
        next_round: NextRound | None = None,
    ):
        """read_tools: reads the provider's tools that it used from its last events. next_round: for an answer that may
        go on with another one of the upstream."""
        self._upstream = upstream
        self._next_round = next_round
        # The round under way, None while the upstream is read.
        self._round: Round | None = None
        self._stream = stream
        self._pieces: list[bytes] = []
        self._splitter = sse.Splitter()
        # Counts bytes that wait here against the bound of all buffers; how many are counted.
        self._hold = hold
        self._counted = 0
        # Events that wait for their translation, in the thread or one part after the other. They stay here while a read
        # that was cancelled waits for that.
        self._batch = b""
        self._decoder = translation_decoder_of(upstream)
        self._over = False
        # What stands beside the usage at the end; None until the end came.
        self._extras: Extras | None = None
        self._read_tools = read_tools
        self._size = 0
        self._idle = 0
        self.status = upstream.status
        self.reason = upstream.reason
        self.lines = lines
        self.fields: dict[bytes, bytes] = {}
        for _, name, value in lines:
            self.fields.setdefault(name, value)

    @property
    def usage(self) -> Usage:
        """The token counts that the upstream has given so far."""
        usage = self._stream.usage
        return usage if self._extras is None else merge_extras(usage, self._extras)

    @property
    def failure(self) -> Failure | None:
        """The error that the stream ended with, as the upstream gave it."""
        return self._stream.failure

    def collect_response(self) -> Json:
        """The client's response object with the output so far, {} where its protocol has none."""
        return self._stream.collect_response()

    async def read(self) -> list[bytes]:
        """The translated pieces of one read; [b""] when they are empty so far, [] at the end."""
        if self._pieces:
            pieces, self._pieces = self._pieces, []
            return pieces
        if self._batch:
            return [await self._translate_waiting()]
        if self._round is not None or self._begins_round():
            return [await self._end_round()]
        if self._over:
            return []
        try:
            got = await self._read_upstream()
        except UpstreamDisconnected:
            out = await self._end()
            if out:
                return [out]
            raise
        if got:
            if self._decoder is not None:
                got = [await decode_stepwise(self._decoder, got)]
            out = self._translate(got)
            return [await self._translate_large() if is_large_json(len(self._batch)) else out]
        out = await self._end()
        if self._begins_round():
            return [out]
        return [out] if out else []

    def _begins_round(self) -> bool:
        """True when the answer waits for another round, which has begun now."""
        if self._next_round is None or (found := self._next_round()) is None:
            return False
        self._round = found
        self._upstream.release()
        return True

    async def _end_round(self) -> bytes:
        """The translated bytes of the round under way, once it is done."""
        if self._round is None:
            return b""
        await self._round.wait()
        out, upstream = self._round.take()
        self._round = None
        self._splitter = sse.Splitter()
        self._over = upstream is None
        if upstream is not None:
            self._upstream = upstream
            self._decoder = translation_decoder_of(upstream)
        out = self._bound(out, 0)
        if upstream is None:
            self._begins_round()  # one that was answered whole may wait for another
        return out

    async def _read_upstream(self) -> list[bytes]:
        """The next read; [] when the upstream's stream is finished and its body does not end in SETTLE_SECONDS."""
        if not self._stream.finished:
            return await self._upstream.read()
        with trio.move_on_after(SETTLE_SECONDS):
            return await self._upstream.read()
        return []

    def _translate(self, got: list[bytes]) -> bytes:
        data = b"".join(got)
        try:
            batch = self._splitter.feed(data)
        except sse.EventTooLarge:
            raise UpstreamDisconnected(f"sent an event of over {sse.EVENT_LIMIT >> 20} MiB") from None
        waiting = self._splitter.size + len(batch)
        if waiting > _UNCOUNTED or self._counted:
            self._count(waiting)
        if len(batch) <= _AT_ONCE:
            return self._bound(self._feed(batch), len(data)) if batch else b""
        self._batch = batch
        return b"" if is_large_json(len(batch)) else self._translate_part()

    def _feed(self, batch: bytes) -> bytes:
        """Translate whole events. The one that ends the stream is read for what the answer costs beside its tokens."""
        out = self._stream.feed(batch)
        if self._extras is None and self._stream.finished:
            self._extras = add_extras(Usage(), batch, self._read_tools).extras or Extras()
        return out

    def _count(self, waiting: int) -> None:
        """Count the bytes of an event that is not whole yet, once they are more than one read."""
        try:
            self._hold(waiting - self._counted)
        except Unavailable as error:
            raise UpstreamDisconnected(f"sent more than can be held ({error.message.rstrip('.')})") from None
        self._counted = waiting

    async def _translate_waiting(self) -> bytes:
        """The translated bytes of events that were read before."""
        if is_large_json(len(self._batch)):
            return await self._translate_large()
        await trio.lowlevel.checkpoint()  # others run between two parts
        return self._translate_part()

    def _translate_part(self) -> bytes:
        """The translated bytes of the first events that wait."""
        batch = self._batch
        cut = sse.find_cut(batch, 0, _AT_ONCE)
        self._batch = batch[cut:]
        out = self._bound(self._feed(batch[:cut]), cut)
        if self._over:
            self._batch = b""  # nothing may follow an error
        return out

    async def _translate_large(self) -> bytes:
        """The translated bytes of the batch that waits."""
        out = await run_json(len(self._batch), self._feed, self._batch)
        read, self._batch = len(self._batch), b""
        self._count(self._splitter.size)
        return self._bound(out, read)

    async def _end(self) -> bytes:
        """The translated bytes for the end of the upstream's body; b"" when the stream is not whole."""
        tail = self._splitter.tail
        out = await run_json(len(tail), self._read_tail, tail)
        self._over = True
        return out + self._stream.end()

    def _read_tail(self, tail: bytes) -> bytes:
        """The translated bytes of an event that lacks its blank line."""
        whole = not scan.is_blank(tail) and translate.is_whole(tail)
        # Others may run while this joins megabytes.
        return self._stream.feed(b"".join((tail, b"\n\n"))) if whole else b""

    def _bound(self, out: bytes, read: int) -> bytes:
        """Check the translated bytes of a read against the bounds, and end reading after an error. read: how many bytes
        were translated."""
        self._size += len(out)
        if self._size > ANSWER_LIMIT:
            raise UpstreamDisconnected(f"sent an answer of over {ANSWER_LIMIT >> 20} MiB, translated")
        if not self._stream.meaningful:
            self._idle += read
            if self._idle > PREAMBLE_LIMIT:
                raise BadGateway(f"The upstream sent {PREAMBLE_LIMIT >> 20} MiB of events without any content.")
        if self._stream.failed:
            self._over = True
        return out

    @property
    def ended(self) -> bool:
        """True when nothing more comes."""
        return self._over and not self._pieces and not self._batch and self._round is None

    def put_back(self, data: bytes) -> None:
        """Have the next `read` return this first."""
        self._pieces.insert(0, data)

    def release(self) -> None:
        """Give the upstream's answer back."""
        self._cancel_round()
        self._upstream.release()

    def drop(self) -> None:
        """Close the upstream's connection."""
        self._cancel_round()
        self._upstream.drop()

    def _cancel_round(self) -> None:
        if self._round is not None:
            self._round.cancel()


#: An answer in the caller's protocol; `usage` and `failure` are the upstream's own.
Translated = TranslatedResponse | TranslatedStream
