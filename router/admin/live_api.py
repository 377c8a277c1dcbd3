"""GET /analytics/stream: the last requests, then each as it ends, as server-sent events.

A reader that stops reading holds up nobody: what waits for it is bounded, and then its connection is cut.
"""

import contextlib
import math
from collections.abc import Iterator, Sequence

import msgspec
import trio

from router.errors import Unavailable
from router.net.headers import RawHeaders
from router.net.server.connection import Connection, Cut, Request
from router.store.history.entry import HistoryEntry, Priced
from router.telemetry.recorder import Recorder
from router.wire.raw import sse

STREAM_SCHEMA = 1
READERS = 32
WAITING = 256
HEARTBEAT_SECONDS = 15.0
# How long a stop waits for a stream to notice it.
_TICK_SECONDS = 1.0
_BEAT = b": heartbeat\n\n"
_thread = trio.CapacityLimiter(1)


async def stream(recorder: Recorder, connection: Connection, request: Request, headers: RawHeaders) -> None:
    """Serve the stream until the reader leaves or the proxy stops.

    Events: `request`, whose data are the fields of HistoryEntry without `root`, with schema (1), cost_usd (None when
    the price is unknown) and price (where it is from). Times are seconds, started since 1970.
    """
    head = [*headers, (b"content-type", b"text/event-stream")]
    if request.method == "HEAD":
        await connection.respond(200, head)
        return
    if len(recorder.listeners) >= READERS:
        raise Unavailable(f"{READERS} readers of this stream are connected already.", retry_after=10)
    send, receive = trio.open_memory_channel[HistoryEntry](WAITING)

    def listen(entry: HistoryEntry) -> None:
        try:
            send.send_nowait(entry)
        except trio.WouldBlock:
            connection.cut(Cut.STALLED)

    recent = list(recorder.recent)
    recorder.listeners.add(listen)
    try:
        connection.deadline(math.inf, Cut.TOTAL)
        await connection.write([*connection.head(200, head), *connection.data(await _told(recorder, recent) or _BEAT)])
        await _pump(recorder, connection, receive)
    finally:
        recorder.listeners.discard(listen)
    await connection.write(connection.end())


async def _pump(recorder: Recorder, connection: Connection, receive: "trio.MemoryReceiveChannel[HistoryEntry]") -> None:
    beat = trio.current_time() + HEARTBEAT_SECONDS
    while not connection.retired:
        entry = None
        with trio.move_on_after(_TICK_SECONDS):
            entry = await receive.receive()
        if entry is not None:
            entries = [entry, *_waiting(receive)]
            await connection.write(connection.data(await _told(recorder, entries)))
        elif trio.current_time() < beat:
            continue
        else:
            await connection.write(connection.data(_BEAT))
        beat = trio.current_time() + HEARTBEAT_SECONDS


def _waiting(receive: "trio.MemoryReceiveChannel[HistoryEntry]") -> Iterator[HistoryEntry]:
    """What has come meanwhile."""
    with contextlib.suppress(trio.WouldBlock):
        while True:
            yield receive.receive_nowait()


async def _told(recorder: Recorder, entries: Sequence[HistoryEntry]) -> bytes:
    """The events of these requests; prices are looked up in a thread, since their data may have to be loaded first."""
    return await trio.to_thread.run_sync(_events, recorder, entries, limiter=_thread)


def _events(recorder: Recorder, entries: Sequence[HistoryEntry]) -> bytes:
    return b"".join(_event(entry, recorder.price(entry)) for entry in entries)


def _event(entry: HistoryEntry, priced: Priced) -> bytes:
    fields = msgspec.structs.asdict(entry)
    del fields["root"]
    cost, source = priced
    told = {"cost_usd": None if cost is None else cost / 1e9, "price": source}
    return sse.frame(msgspec.json.encode({"schema": STREAM_SCHEMA, **fields, **told}), "request")
