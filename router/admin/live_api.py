"""Serves GET /analytics/stream: the last requests, then each as it ends, as server-sent events.

A reader that stops reading delays no request: the queue of its events is bounded, and when it is full the connection is
closed.
"""

import contextlib
import math
from collections.abc import Iterator, Sequence

import msgspec
import trio

from router.admin.ask import Ask
from router.errors import Unavailable
from router.net.server.cancel_reason import CancelReason
from router.net.server.connection import Connection
from router.operator_api.endpoints import STREAM
from router.operator_api.history import make_event
from router.store.history.entry import HistoryEntry, Priced
from router.telemetry.recorder import Recorder
from router.wire.raw import sse

STREAM_SCHEMA = 1
READERS = 32
WAITING = 256
HEARTBEAT_SECONDS = 15.0
# How often a stream checks whether the proxy stops.
_TICK_SECONDS = 1.0
_BEAT = b": heartbeat\n\n"
_thread = trio.CapacityLimiter(1)


async def stream(ask: Ask) -> None:
    """Serve the stream until the reader leaves or the proxy stops. Raises Unavailable."""
    recorder, connection = ask.runtime.recorder, ask.connection
    head = ask.headers(STREAM.content)
    if ask.request.method == "HEAD":
        await connection.respond(200, head)
        return
    if len(recorder.listeners) >= READERS:
        raise Unavailable(f"{READERS} readers are already connected to this stream.", retry_after=10)
    send, receive = trio.open_memory_channel[HistoryEntry](WAITING)

    def listen(entry: HistoryEntry) -> None:
        try:
            send.send_nowait(entry)
        except trio.WouldBlock:
            connection.cancel(CancelReason.STALLED)

    recent = list(recorder.recent)
    recorder.listeners.add(listen)
    try:
        connection.set_deadline(math.inf, CancelReason.TOTAL)
        await connection.write(
            [*connection.frame_head(200, head), *connection.frame_data(await _encode_events(recorder, recent) or _BEAT)]
        )
        await _pump(recorder, connection, receive)
    finally:
        recorder.listeners.discard(listen)
    await connection.write(connection.frame_end())


async def _pump(recorder: Recorder, connection: Connection, receive: "trio.MemoryReceiveChannel[HistoryEntry]") -> None:
    beat = trio.current_time() + HEARTBEAT_SECONDS
    while not connection.retired:
        entry = None
        with trio.move_on_after(_TICK_SECONDS):
            entry = await receive.receive()
        if entry is not None:
            entries = [entry, *_drain(receive)]
            await connection.write(connection.frame_data(await _encode_events(recorder, entries)))
        elif trio.current_time() < beat:
            continue
        else:
            await connection.write(connection.frame_data(_BEAT))
        beat = trio.current_time() + HEARTBEAT_SECONDS


def _drain(receive: "trio.MemoryReceiveChannel[HistoryEntry]") -> Iterator[HistoryEntry]:
    """The entries that have arrived, without waiting."""
    with contextlib.suppress(trio.WouldBlock):
        while True:
            yield receive.receive_nowait()


async def _encode_events(recorder: Recorder, entries: Sequence[HistoryEntry]) -> bytes:
    """Encode the events of requests, in a thread: the data for prices may have to be loaded first."""
    return await trio.to_thread.run_sync(_frame_events, recorder, entries, limiter=_thread)


def _frame_events(recorder: Recorder, entries: Sequence[HistoryEntry]) -> bytes:
    return b"".join(_frame_event(entry, recorder.price(entry)) for entry in entries)


def _frame_event(entry: HistoryEntry, priced: Priced) -> bytes:
    cost, source = priced
    event = make_event(STREAM_SCHEMA, entry, None if cost is None else cost / 1e9, source)
    return sse.frame(msgspec.json.encode(event), "request")
