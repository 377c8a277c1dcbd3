"""Relays one event stream: commit point, whole events, pings, deadlines.

There is one cancel scope besides the connection's own: `nap` ends a read when it is time to ping or to commit. Nothing
is sent to the client inside it, since a send that is cut leaves half an event; what the socket does not take at once is
sent after the scope was left. Deadlines move at most once a second.
"""

import math
from collections.abc import Callable
from typing import Literal

import trio

from router.errors import BadGateway, Unavailable
from router.exchange.body.frames import Frames, close_broken
from router.exchange.client_response.pause import ENDED, Pause
from router.exchange.client_response.stream_timeouts import StreamTimeouts
from router.exchange.redaction import AT_ONCE, hide_key_in_events
from router.exchange.upstream_response.content_coding import READ_LIMIT, decode_read, decode_stepwise
from router.exchange.upstream_response.large_work import is_large, run_large
from router.exchange.upstream_response.response import UpstreamResponse
from router.net.client.exchange import UpstreamDisconnected
from router.net.server.cancel_reason import CancelReason
from router.net.server.connection import Connection
from router.net.stream import Bytes
from router.redaction import MARK, NO_SECRETS, Redactor, remove_controls
from router.wire.dialect import QUOTE_LIMIT, Dialect, Failure, Verdict
from router.wire.raw import content_coding, scan, sse
from router.wire.raw.json.json_values import look_at_object
from router.wire.tap import Tap

PREAMBLE_LIMIT = 1 << 20
PING_SECONDS = 15.0
_LAZY_SECONDS = 1.0
_UNCOUNTED = 65536
# Bytes of a large event that are sent at once.
_SENT = 1 << 20
# Bytes of a character, at most.
_LONGEST_CHARACTER = 4


class Relay:
    """Relays one stream from an upstream's answer to the client's connection.

    begin: makes the head of the answer. It is called once more when a stream that was committed before has announced
    itself, and then makes nothing.
    """

    __slots__ = (
        "_begin",
        "_breaks_off",
        "_capture_limit",
        "_connection",
        "_counted",
        "_decoder",
        "_dialect",
        "_frames",
        "_held",
        "_hold",
        "_impatient",
        "_key",
        "_lazy",
        "_marked",
        "_pinged",
        "_redactor",
        "_reword",
        "_splitter",
        "_timeouts",
        "_unjudged",
        "_upstream",
        "captured",
        "committed",
        "early_failure",
        "tap",
    )

    def __init__(
        self,
        connection: Connection,
        upstream: UpstreamResponse,
        tap: Tap,
        dialect: Dialect,
        timeouts: StreamTimeouts,
        begin: Callable[[], list[Bytes]],
        hold: Callable[[int], None],
        *,
        decoder: content_coding.Decoder | None,
        frames: Frames | None = None,
        breaks_off: bool = False,
        impatient: bool = False,
        committed: bool = False,
        redactor: Redactor = NO_SECRETS,
        reword: Callable[[bytes, Tap], bytes] = lambda events, tap: events,
        key: bytes = b"",
        capture_limit: int = 0,
    ):
        self._connection = connection
        self._frames = connection if frames is None else frames
        self._breaks_off = breaks_off
        self._upstream = upstream
        self._dialect = dialect
        self._timeouts = timeouts
        self._begin = begin
        self._hold = hold
        self._counted = 0
        self._splitter = sse.Splitter()
        self._decoder = decoder
        self._held = bytearray()
        self._marked = 0.0
        self._pinged = 0.0
        self._lazy = min(_LAZY_SECONDS, timeouts.idle / 10)
        #: True when another upstream may be asked instead: silence before the commit is then an error, not the end.
        self._impatient = impatient
        # Applied to the events of a stream that has failed; others are searched for the key that was sent.
        self._redactor = redactor
        self._reword = reword
        self._key = key
        self._capture_limit = capture_limit
        #: True once the client was sent the head; `begin` then sends none.
        self.committed = committed
        #: True while the preamble of a stream that was committed within it is sent as it comes.
        self._unjudged = committed
        #: The error that such a stream began with, which the client got as an event; None for none.
        self.early_failure: Failure | None = None
        self.tap = tap
        #: The beginning of the stream, at most `capture_limit` bytes.
        self.captured = bytearray()

    async def run(self) -> Failure | None:
        """Relay to the end; a Failure when the answer turned out to be an error before anything was sent.

        Raises UpstreamDisconnected when the upstream broke off; `committed` tells whether the client got anything.
        """
        pause = Pause()
        self._mark(trio.current_time())
        while not pause.ended:
            if pause.rest:
                await self._connection.flush(pause.rest)
                self._mark(trio.current_time())  # the client was slow, not the upstream
            if self._counted:
                self._count(self._splitter.size + len(self._held) + len(pause.large))
                self._mark(trio.current_time())
            if pause.large:
                pause = await self._process_large(pause.large)
                self._mark(trio.current_time())
                if pause.failure is None:
                    continue
            else:
                pause = Pause()
                with trio.CancelScope(deadline=self._find_wake_time()) as nap:
                    pause = await self._relay_reads(nap)
                if nap.cancelled_caught:
                    if self.tap.ended is not None:
                        # The last event was sent, yet the upstream does not end: the client need not wait for that.
                        self._upstream.drop()
                        break
                    if self._gives_up():
                        raise UpstreamDisconnected(f"sent nothing for {self._timeouts.idle:g} s (timeouts.idle)")
                    self._pinged = trio.current_time()
                    pause = self._pause_for(self._ping_or_commit())
            if pause.failure is not None:
                return pause.failure
        return await self._finish()

    async def _relay_reads(self, nap: trio.CancelScope) -> Pause:
        """Relay what is read until something must be done outside the scope."""
        ending = self.tap.ended is not None
        while True:
            pieces = await self._upstream.read()
            if not pieces:
                return ENDED
            committed = self.committed
            if self._decoder is not None:
                pieces = [await decode_stepwise(self._decoder, pieces)]
            batch = self._split_events(pieces)
            if len(batch) > AT_ONCE and (is_large(len(batch) * self.tap.weight) or self._failed):
                return Pause(large=batch)
            out = self._process(batch)
            if isinstance(out, Failure):
                return Pause(failure=out)
            rest = self._connection.write_now(out) if out else b""
            if rest or self._counted:
                # While a slow client reads, one copy of the data is enough: those of this frame go with it.
                return Pause(rest=rest)
            if ending:
                continue
            now = trio.current_time()
            ending = self.tap.ended is not None
            if ending or committed is not self.committed or now - self._marked > self._lazy:
                self._mark(now)
                nap.deadline = self._find_wake_time()

    def _pause_for(self, out: list[Bytes] | None) -> Pause:
        """Write what the socket takes; the rest waits."""
        return Pause(rest=self._connection.write_now(out) if out else b"")

    def _gives_up(self) -> bool:
        return self._impatient and not self.committed and trio.current_time() < self._timeouts.commit_by

    def _find_wake_time(self) -> float:
        if self.committed:
            return max(self._marked, self._pinged) + PING_SECONDS
        silence = self._marked + self._timeouts.idle if self._impatient else math.inf
        return min(self._timeouts.commit_by, silence)

    def _mark(self, now: float) -> None:
        """Move the connection's deadline to where silence from now on becomes too long."""
        self._marked = now
        timeouts = self._timeouts
        if now + timeouts.idle < timeouts.end_by and (self.committed or not self._impatient):
            self._connection.set_deadline(timeouts.idle, CancelReason.SILENT)
        else:
            self._connection.set_deadline(timeouts.end_by - now, CancelReason.TOTAL)

    def _process(self, batch: bytes) -> list[Bytes] | Failure | None:
        """Process the events of one read: framed events for the client, None for nothing yet, or an error."""
        if self.committed:
            if self._unjudged:
                self._look_at_preamble(batch)
            batch = self._read_events(batch) if batch else b""
            return self._frames.frame_data(batch) if batch else None
        return self._judge_preamble(batch)

    async def _process_large(self, batch: bytes) -> Pause:
        """As `_process`, with the events read in the thread for large work."""
        begun: list[Bytes] = []
        if not self.committed:
            found = await run_large(self._judge_events, batch)
            if found is not Verdict.COMMIT:
                self._held += b"" if found is not None else batch
                return Pause(failure=found)
            if self._held:
                batch = await run_large(b"".join, (bytes(self._held), batch))
            begun = self._begin_answer()
        elif self._unjudged:
            self._unjudged = False  # errors are not that large
            self._begin()
        batch = await run_large(self._read_events, batch)
        # In pieces: what a socket does not take at once is copied.
        whole = memoryview(batch)
        for at in range(0, len(whole), _SENT):
            await self._connection.write(begun + self._frames.frame_data(whole[at : at + _SENT]))
            begun = []
        return self._pause_for(begun)

    @property
    def _failed(self) -> bool:
        """True once an error event was seen."""
        return self.tap.ended is False or self.tap.broken or self.early_failure is not None

    def _read_events(self, batch: bytes) -> bytes:
        """Read whole events that are about to be sent; returns them as they are sent, from an error event on without
        secrets."""
        batch = self.tap.read(batch)
        if not self._failed:
            hides = self._key and self._key in (batch if len(batch) <= scan.STEP else scan.Steps(batch))
            return hide_key_in_events(batch, self._key) if hides else batch
        found = self._redactor.redact(self._reword(batch, self.tap))
        if found is None:
            error = BadGateway("The upstream sent an error event that is too large to be passed on.")
            return self._dialect.error_events(error, "", self.tap)
        return found

    def _split_events(self, pieces: list[bytes]) -> bytes:
        data = b"".join(pieces)
        try:
            batch = self._splitter.feed(data)
        except sse.EventTooLarge:
            raise UpstreamDisconnected(f"sent an event of over {sse.EVENT_LIMIT >> 20} MiB") from None
        waiting = self._splitter.size + len(self._held) + len(batch)
        if waiting > _UNCOUNTED or self._counted:
            self._count(waiting)
        if len(self.captured) < self._capture_limit:
            self.captured += batch[: self._capture_limit - len(self.captured)]
        return batch

    def _count(self, waiting: int) -> None:
        """Count the waiting bytes of a stream against the bound of all buffers, once they are more than one read."""
        try:
            self._hold(waiting - self._counted)
        except Unavailable as error:
            raise UpstreamDisconnected(f"sent more than can be held ({error.message.rstrip('.')})") from None
        self._counted = waiting

    def note(self, pieces: list[bytes]) -> None:
        """Read usage from what comes after the client left; nothing is sent."""
        if self._decoder is not None:
            pieces = [decode_read(self._decoder, b"".join(pieces), READ_LIMIT)]
        batch = self._split_events(pieces)
        if batch:
            self.tap.read(batch)

    def _judge_preamble(self, batch: bytes) -> list[Bytes] | Failure | None:
        found = self._judge_events(batch)
        self._held += batch
        return self._commit() if found is Verdict.COMMIT else found

    def _judge_events(self, batch: bytes) -> Literal[Verdict.COMMIT] | Failure | None:
        """What the events before the commit come to, whose last are about to be held: None for nothing yet."""
        begin = start = len(self._held)
        for end, event in sse.parse_events(batch):
            verdict, failure = self.tap.judge(event)
            if verdict is Verdict.COMMIT:
                # The preamble repeats the request, and is no output.
                self.tap.size -= begin
                return Verdict.COMMIT
            if verdict is Verdict.ERROR:
                return failure or self._make_failure(event)
            begin = start + end
        # The event that is not whole yet may be the content: a picture can be one large event.
        if start + len(batch) > PREAMBLE_LIMIT:
            raise BadGateway(f"The upstream sent {PREAMBLE_LIMIT >> 20} MiB of events without any content.")
        return None

    def _look_at_preamble(self, batch: bytes) -> None:
        """Read what a stream announces of itself, which is on its way to the client already."""
        for _, event in sse.parse_events(batch):
            verdict, failure = self.tap.judge(event)
            if verdict is not Verdict.HOLD:
                self._unjudged = False
                if verdict is Verdict.ERROR:
                    self.early_failure = failure or self._make_failure(event)
                else:
                    self._begin()
                return

    def _make_failure(self, event: sse.Event) -> Failure:
        """The failure for an error event that the protocol cannot read, in the protocol's form."""
        found = self._redactor.redact(event.data)
        said = (MARK if found is None else found)[: QUOTE_LIMIT * _LONGEST_CHARACTER].decode("utf-8", "replace")
        text = remove_controls(said[:QUOTE_LIMIT])
        error = BadGateway(f"The upstream sent an error event: {text.strip() or 'without any text'}")
        return Failure(error.status, self._dialect.error_body(error, ""))

    def _commit(self) -> list[Bytes]:
        batch = self._read_events(bytes(self._held))
        return self._begin_answer() + (self._frames.frame_data(batch) if batch else [])

    def _begin_answer(self) -> list[Bytes]:
        """The head of the answer; what was held is sent behind it."""
        self._held = bytearray()
        self.committed = True
        if self._impatient:
            self._mark(trio.current_time())
        return self._begin()

    def _ping_or_commit(self) -> list[Bytes]:
        if not self.committed:
            self._unjudged = True
            return self._commit()
        if self.tap.ended is not None:
            return []  # nothing may follow the last event
        return self._frames.frame_data(self._dialect.ping(self.tap.begun))

    async def _finish(self) -> Failure | None:
        """End the client's stream after the upstream's body ended. Raises UpstreamDisconnected unless the protocol's
        own end came."""
        parts: list[Bytes] = []
        tail = self._splitter.tail
        large = is_large(len(tail) * self.tap.weight)
        if tail and (await run_large(_is_whole, tail) if large else _is_whole(tail)):
            # Some servers leave out the last blank line.
            if large:
                pause = await self._process_large(await run_large(sse.complete_event, tail))
                parts.append(pause.rest)
                out = pause.failure
            else:
                out = self._process(sse.complete_event(tail))
            if isinstance(out, Failure):
                return out
            parts += out or []
        elif tail and self.committed and not tail.strip(b"\r\n"):
            # The LF of the last CR LF, when it is read by itself.
            parts += self._frames.frame_data(tail)
        if self._dialect.has_terminal and self.tap.ended is None:
            if parts:
                await self._connection.write(parts)
            raise UpstreamDisconnected("ended the stream before its last event")
        if not self.committed:
            parts += self._commit()
        await self._connection.write([*parts, *self.frame_end()])
        return None

    def frame_end(self) -> list[Bytes]:
        """The end of the client's answer behind the last event."""
        breaks = self.tap.ended is False and self._breaks_off
        return close_broken(self._connection, self._frames) if breaks else self._frames.frame_end()


def _is_whole(tail: bytes) -> bool:
    """True for an event that lacks its blank line, and nothing else."""
    event = sse.parse_event(tail)
    return event.name == "error" or event.is_done or look_at_object(event.data) is not None
