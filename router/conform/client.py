"""Sends one request to a backend over fairlead's own upstream connections, and keeps what came and when.

Rules of this file: an answer is read up to a bound of bytes and of seconds; nothing that a backend does raises: what it
did in place of a whole answer is told in the reply; redirects are not followed; what a backend repeats of the secrets
that it was sent is taken out before anyone reads it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, cast

import trio

from router import __version__
from router.backends.endpoints import find_endpoint
from router.errors import RouterError
from router.net.client.exchange import UpstreamDisconnected, UpstreamExchange
from router.net.client.pool import ConnectionPool, UpstreamConnection
from router.net.headers import RawHeaders, to_lines
from router.redaction import SEARCH_LIMIT, Redactor
from router.settings import Secret
from router.settings.kinds import NO_KEY
from router.upstream.credentials import auth_header
from router.upstream.targets import Target
from router.wire.framings import EVENTS, Framed
from router.wire.protocols import BY_NAME
from router.wire.raw import sse
from router.wire.raw.content_coding import Decoder, Malformed, OverLimit, UnknownCoding
from router.wire.raw.json import json_values
from router.wire.raw.json.depth import too_deep
from router.wire.raw.json.json_values import Json

#: Bytes of one answer, also once decoded.
BODY_LIMIT = 1 << 20
#: Of one request, from the connection to the end of its answer.
SECONDS = 60.0


class StreamEvent(NamedTuple):
    """One event of a stream."""

    #: Seconds from the request until it had come whole.
    at: float
    name: str
    #: {} where its data is no JSON object.
    data: Json
    #: As it came.
    raw: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for one request."""

    #: 0 where no answer came.
    status: int = 0
    #: Lower-case name -> first value.
    fields: Mapping[str, str] = field(default_factory=dict[str, str])
    #: Decoded; the beginning of one that is too large.
    body: bytes = b""
    #: What the backend did instead of a whole answer, '' for a whole one.
    problem: str = ""
    #: It did not answer in time, or not to the end.
    late: bool = False
    #: It came over a connection that had served before.
    reused: bool = False
    #: Content codings that were undone, '' for none.
    coding: str = ""
    #: Its events came in other frames than those of `body`.
    framed: bool = False
    #: Seconds since the request and bytes of the body that had come by then, one for each read.
    arrivals: tuple[tuple[float, int], ...] = ()
    #: Seconds from the request to the end.
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """True for a whole answer with a status of success."""
        return 200 <= self.status < 300 and not self.problem

    @property
    def refused(self) -> bool:
        """True for an answer that says that this request is not taken, whoever sends it and when."""
        return self.status in (400, 404, 405, 406, 411, 413, 414, 415, 422, 500, 501)

    @property
    def is_stream(self) -> bool:
        """True for server-sent events."""
        return self.fields.get("content-type", "").lower().startswith("text/event-stream")

    @property
    def is_page(self) -> bool:
        """True for a web page."""
        return "html" in self.fields.get("content-type", "") or self.body[:64].lstrip()[:1] == b"<"

    def read_json(self) -> Json:
        """The body as a JSON object, {} for anything else."""
        if not self.body or too_deep(self.body):
            return {}
        return json_values.decode_object(self.body) or {}

    def iter_events(self) -> Iterator[StreamEvent]:
        """The events of a stream; what follows the last blank line is none."""
        start = 0
        for behind, event in sse.parse_events(self.body):
            # Of a coded body nothing is known of single events, and nothing of one that was unframed.
            at = self.seconds if self.coding or self.framed else self._find_time(behind)
            data = {} if too_deep(event.data) else json_values.decode_object(event.data) or {}
            yield StreamEvent(at, event.name, data, self.body[start:behind])
            start = behind

    def _find_time(self, size: int) -> float:
        return next((at for at, came in self.arrivals if came >= size), self.seconds)

    def describe(self) -> str:
        """It in a few words: status and the beginning of the body, or what came in its place."""
        if not self.status:
            return self.problem
        message = _find_message(self.read_json()) if self.status >= 400 else ""
        if message:
            return f"{self.status} {message}"
        said = "a web page, not an API's answer" if self.is_page else self.body[:4096].decode("utf-8", "replace")
        return " ".join(part for part in (str(self.status), self.problem and f"({self.problem})", said) if part)


def _find_message(data: Json) -> str:
    """What an error says, in any of the forms that providers have; '' for none."""
    inner = data.get("error", data)
    if isinstance(inner, dict):
        error = cast("Json", inner)
        inner = error.get("message") or error.get("detail")
    return inner if isinstance(inner, str) else ""


class Client:
    """Sends requests to one account of a backend. target: with its key. seconds: of one request. headers: lower-case
    name -> value of what every request carries beside the key."""

    def __init__(self, target: Target, headers: Mapping[str, str], roots: str = "", *, seconds: float = SECONDS):
        self._target = target
        self._headers = headers
        self._seconds = seconds
        hidden = [*(one.reveal() for one in target.hidden), *headers.values()]
        self._redactor = Redactor(text for text in hidden if text != NO_KEY)
        self._connections = ConnectionPool()
        self._connections.configure({target.origin}, roots)

    async def send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        key: str | None = None,
        limit: int = BODY_LIMIT,
        protocol: str = "",
    ) -> Reply:
        """Send one request. path: below the backend's root of the protocol, such as /models. headers: lower-case names;
        they win over the usual ones. key: another key in place of the account's, '' for none. protocol: '' for a path
        of none."""
        started = trio.current_time()
        reading = _Reading(started, limit, self._redactor, self._find_framing(protocol))
        lines = self._make_lines(headers or {}, body, key, protocol or None)
        target = self._target.prefix_for(protocol) + path.encode("ascii")
        with trio.move_on_after(self._seconds) as scope:
            try:
                await self._exchange(reading, method.encode("ascii"), target, lines, body)
            except RouterError as error:
                reading.problem = error.message
            except UpstreamDisconnected as error:
                reading.problem = f"the backend {error}"
        if scope.cancelled_caught:
            reading.late = True
            what = "end its answer" if reading.status else "answer"
            reading.problem = f"it did not {what} within {self._seconds:g} s"
        return reading.finish()

    def _find_framing(self, protocol: str) -> Framed | None:
        framing = self._target.endpoint_for(protocol).framing
        return None if framing == "sse" else Framed(framing, BY_NAME[protocol].dialect)

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()

    def _make_lines(self, headers: Mapping[str, str], body: bytes, key: str | None, protocol: str | None) -> RawHeaders:
        found = {"host": self._target.host.decode("ascii"), "user-agent": f"fairlead/{__version__}"}
        found |= {"accept": "*/*", "accept-encoding": "identity", **self._headers}
        found |= {name.decode("ascii"): value.decode("ascii") for _, name, value in self._target.set_headers}
        auth = self._target.auth_for(protocol)
        if key is not None:
            auth = auth_header(self._target.backend, Secret(key) if key else None, protocol)
        if auth is not None:
            found[auth[1].decode("ascii")] = auth[2].decode("latin-1")
        if body:
            found["content-type"] = "application/json"
        left_out = find_endpoint(self._target.backend, protocol).drop_headers
        found |= {name: value for name, value in headers.items() if name not in left_out}
        if body:
            found["content-length"] = str(len(body))
        return [(name.encode("ascii"), value.encode("latin-1")) for name, value in found.items()]

    async def _exchange(
        self, reading: "_Reading", method: bytes, target: bytes, lines: RawHeaders, body: bytes
    ) -> None:
        connection = self._connections.acquire(self._target.origin, trio.current_time())
        if connection is not None:
            try:
                await self._use(connection, reading, method, target, lines, body)
            except UpstreamDisconnected:
                if reading.status:
                    raise
            else:
                return
        fresh = await self._connections.dial(self._target.origin)
        await self._use(fresh, reading, method, target, lines, body)

    async def _use(
        self,
        connection: UpstreamConnection,
        reading: "_Reading",
        method: bytes,
        target: bytes,
        lines: RawHeaders,
        body: bytes,
    ) -> None:
        exchange = UpstreamExchange(self._connections, connection)
        reading.reused = exchange.reused
        try:
            await exchange.send(method, target, to_lines(lines), (body,) if body else ())
            await exchange.head()
            reading.note_head(exchange)
            while pieces := await exchange.read():
                if not reading.add(pieces):
                    return
            exchange.release()
        finally:
            exchange.drop()


class _Reading:
    """An answer as it comes."""

    def __init__(self, started: float, limit: int, redactor: Redactor, framed: Framed | None = None):
        self._started = started
        self._limit = limit
        self._redactor = redactor
        self._framed = framed
        self._fields: dict[str, str] = {}
        self._body = bytearray()
        self._arrivals: list[tuple[float, int]] = []
        self.status = 0
        self.problem = ""
        self.late = False
        self.reused = False

    def note_head(self, exchange: UpstreamExchange) -> None:
        self.status = exchange.status
        self._fields = {name.decode("latin-1"): value.decode("latin-1") for name, value in exchange.fields.items()}

    def add(self, pieces: list[bytes]) -> bool:
        """False once the body is larger than the limit."""
        for piece in pieces:
            self._body += piece[: self._limit + 1 - len(self._body)]
        self._arrivals.append((trio.current_time() - self._started, len(self._body)))
        if len(self._body) > self._limit:
            self.problem = f"it sent more than {self._limit >> 10} KiB"
            return False
        return True

    def finish(self) -> Reply:
        body, coding = bytes(self._body[: self._limit]), self._fields.get("content-encoding", "")
        if coding and body:
            body = self._decode(body, coding)
        kind = self._fields.get("content-type", "").encode("latin-1")
        unframed = None if self._framed is None else self._framed.unframe(kind, body)
        if unframed is not None:
            body = unframed[0]
            self._fields["content-type"] = EVENTS.decode("ascii")
            if unframed[1]:
                self.problem = self.problem or f"its event stream cannot be read: {unframed[1]}"
        body = self._redact(body)
        return Reply(
            status=self.status,
            fields=self._fields,
            body=body,
            problem=self.problem,
            late=self.late,
            reused=self.reused,
            coding=coding if coding.lower() != "identity" else "",
            framed=unframed is not None,
            arrivals=tuple(self._arrivals),
            seconds=trio.current_time() - self._started,
        )

    def _redact(self, body: bytes) -> bytes:
        """The body without what the request held that is secret: nobody who cuts a text can leave a part of it."""
        # Lists of models can be larger than what is searched; no text of theirs is shown.
        found = self._redactor.redact(body) if len(body) <= SEARCH_LIMIT else body
        if found is None:
            self.problem = self.problem or "its body cannot be searched for the key that was sent"
        return found or b""

    def _decode(self, body: bytes, coding: str) -> bytes:
        try:
            return Decoder(coding.encode("latin-1")).decode(body, self._limit)
        except OverLimit:
            self.problem = self.problem or f"it sent more than {self._limit >> 10} KiB"
        except (UnknownCoding, Malformed):
            self.problem = self.problem or "its body cannot be decoded as its content-encoding says"
        return b""
