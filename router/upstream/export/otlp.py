"""Sends spans and metrics of finished requests to an OpenTelemetry collector, by OTLP over HTTP, in JSON.

Rules of this file: opt-in (`telemetry.otlp`), and imported only then. Nothing of it is on the path of a request: the
ledger's thread hands over what has ended, a thread encodes it, and one task sends it: BATCH spans at a time, or what
there is every BATCH_SECONDS; metrics every METRIC_SECONDS. A collector that is busy or away is asked again, by its
Retry-After or after a growing pause, TRIES times; what does not fit meanwhile is dropped and counted.
"""

import contextlib
import gzip
import random
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple
from urllib.parse import urlsplit

import trio

from router import __version__
from router.errors import CommandError
from router.net.client.outbound import Outbound
from router.net.control.request import ControlError, send
from router.settings import Secret
from router.store.history.entry import HistoryEntry
from router.telemetry.otlp.form import METRICS, TRACES, Value, encode_metrics, encode_spans, read_rejected
from router.telemetry.otlp.metrics import make_metrics
from router.telemetry.otlp.queue import SpanQueue
from router.telemetry.otlp.spans import make_span
from router.telemetry.recorder import Recorder
from router.upstream.credentials import Credentials
from router.upstream.export.headers import parse_headers
from router.wire.headers.times import read_date, seconds_until

BATCH_SECONDS, METRIC_SECONDS = 5.0, 60.0
#: How often a batch is sent, and the pauses between: the first, doubled each time, and the longest.
TRIES, FIRST_PAUSE, LONGEST_PAUSE = 6, 1.0, 60.0
_SECONDS = 10.0
#: What is left at the end of the proxy may take so long.
_LAST_SECONDS = 2.0
_ANSWER_BYTES = 65536
# By OTLP's definition; every other refusal would be the same again.
_AGAIN = frozenset((429, 502, 503, 504))


class Sources(NamedTuple):
    """Where an export has what it needs from."""

    recorder: Recorder
    credentials: Credentials
    outbound: Callable[[], Outbound]
    #: The conventions' name for that of a backend.
    find_provider: Callable[[str], str]
    #: Logs a line for the user.
    say: Callable[[str], None]


class _Refused(Exception):
    """A collector's answer; `pause` is None where it would refuse again."""

    def __init__(self, text: str, pause: float | None):
        super().__init__(text)
        self.pause = pause


class OtlpExport:
    """The export of one proxy. address: of the collector, without /v1/traces. headers: as in Settings. instance: names
    this process to the collector."""

    def __init__(
        self,
        address: str,
        headers: Secret | None,
        sources: Sources,
        instance: str,
        *,
        now: Callable[[], float] = time.time,
    ):
        self.queue = SpanQueue(self._wake_in_thread, urlsplit(address).netloc.rpartition("@")[2])
        self._address = address
        self._headers = headers
        self._sources = sources
        self._now = now
        self._since = now()
        self._resource: Mapping[str, Value] = {
            "service.name": "fairlead",
            "service.version": __version__,
            "service.instance.id": instance,
        }
        self._token: trio.lowlevel.TrioToken | None = None
        self._full = trio.Event()
        self._under_way: list[HistoryEntry] = []
        self._metrics_at = 0.0

    async def run(self) -> None:
        """Export until cancelled; what is left is then sent once, for a short time."""
        self._token = trio.lowlevel.current_trio_token()
        self._sources.recorder.export = self.queue.extend
        self._metrics_at = trio.current_time() + METRIC_SECONDS
        try:
            while True:
                with trio.move_on_after(BATCH_SECONDS):
                    await self._full.wait()
                self._full = trio.Event()
                await self._export()
        finally:
            with trio.CancelScope(shield=True), trio.move_on_after(_LAST_SECONDS):
                await self._export_rest()
            self._sources.recorder.export = None
            self.queue.drop_rest(len(self._under_way))

    def _wake_in_thread(self) -> None:
        if self._token is not None:
            with contextlib.suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._wake)

    def _wake(self) -> None:
        self._full.set()

    async def _export(self) -> None:
        while batch := self.queue.pop_batch():
            self._under_way = batch
            await self._deliver(TRACES, await self._encode_spans(batch), len(batch))
            self._under_way = []
        if trio.current_time() >= self._metrics_at:
            self._metrics_at = trio.current_time() + METRIC_SECONDS
            await self._deliver(METRICS, await self._encode_metrics(), 0)

    async def _export_rest(self) -> None:
        # Those that the ledger's thread has not looked at yet come with it.
        metrics = await self._encode_metrics()
        batch = self._under_way or self.queue.pop_batch()
        while batch:
            self._under_way = batch
            await self._deliver(TRACES, await self._encode_spans(batch), len(batch), tries=1)
            self._under_way = batch = self.queue.pop_batch()
        await self._deliver(METRICS, metrics, 0, tries=1)

    async def _encode_spans(self, batch: list[HistoryEntry]) -> bytes:
        return await trio.to_thread.run_sync(partial(self._make_spans, batch))

    def _make_spans(self, batch: list[HistoryEntry]) -> bytes:
        made = (make_span(one, self._sources.find_provider, self._sources.recorder.price) for one in batch)
        spans = [span for span in made if span is not None]
        return _pack(encode_spans(self._resource, __version__, spans)) if spans else b""

    async def _encode_metrics(self) -> bytes:
        return await trio.to_thread.run_sync(self._make_metrics)

    def _make_metrics(self) -> bytes:
        counters = self._sources.recorder.counters
        found = make_metrics(counters, self._sources.find_provider, self._since, self._now())
        return _pack(encode_metrics(self._resource, __version__, found)) if found else b""

    async def _deliver(self, path: str, body: bytes, spans: int, *, tries: int = TRIES) -> None:
        """Send a body, again where that may help; otherwise its spans are dropped. spans: how many it stands for."""
        if not body:
            return
        pause = FIRST_PAUSE
        for number in range(tries):
            try:
                rejected = await self._send(path, body)
            except _Refused as refused:
                self._note(str(refused))
                if refused.pause is None or number == tries - 1:
                    break
                # With a little chance, so that the processes of a team do not all come at once.
                await trio.sleep(max(refused.pause, pause * random.uniform(0.8, 1.2)))  # noqa: S311 - no secret
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                self._note(None)
                self.queue.exported += max(0, spans - rejected)
                self.queue.dropped += min(spans, rejected)
                return
        self.queue.dropped += spans

    async def _send(self, path: str, body: bytes) -> int:
        """Send a body once; returns how many of its spans were refused. Raises _Refused."""
        sources = self._sources
        sent = {"content-type": "application/json", "content-encoding": "gzip"}
        try:
            if self._headers is not None:
                sent |= parse_headers((await sources.credentials.key(self._headers.reveal())).reveal())
            answer = await send(
                "POST", self._address + path, sent, body, _SECONDS, sources.outbound(), limit=_ANSWER_BYTES
            )
        except ControlError as error:
            raise _Refused(str(error), 0.0) from None
        except CommandError as error:
            raise _Refused(f"{error} {error.hint}".strip(), 0.0) from None
        if 200 <= answer.status < 300:
            return read_rejected(answer.body) if path == TRACES else 0
        pause = None
        if answer.status in _AGAIN:
            fields = {name.lower().encode("latin-1"): text.encode("latin-1") for name, text in answer.headers.items()}
            told = fields.get(b"retry-after")
            pause = 0.0 if told is None else min(LONGEST_PAUSE, seconds_until(told, read_date(fields)))
        raise _Refused(f"the collector answered {answer.status}", pause)

    def _note(self, problem: str | None) -> None:
        """Tell the user of a problem once, and of its end."""
        if not self.queue.note(problem, self._now()):
            return
        if problem is not None:
            self._sources.say(f"telemetry: {problem}; spans wait, and are dropped where there are too many.")
        else:
            self._sources.say("telemetry: the collector takes spans again.")


def _pack(body: bytes) -> bytes:
    return gzip.compress(body, 1)
