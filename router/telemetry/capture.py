"""Records one request for a capture: what came and what was sent, and when, each body up to a bound.

Nothing here waits, formats or searches: that is done once the request has ended, by the thread that writes captures.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

import msgspec

from router.ir import Usage
from router.settings.secret_headers import SHOWN, is_secret_value
from router.store.captures.folder import BODY_KEPT, BODY_LIMIT
from router.store.captures.format import (
    REDACTED,
    SCHEMA,
    Answer,
    AnswerLine,
    Body,
    Capture,
    Decision,
    End,
    ExchangeLine,
    Meta,
    RequestLine,
)
from router.telemetry.accesslog import RequestRecord
from router.wire.framings import EVENTS, Framed
from router.wire.raw import content_coding

#: Exchanges with upstreams that are kept of one request, and the bodies of upstreams that are kept of it, in bytes.
EXCHANGES_KEPT = 8
UPSTREAM_KEPT = 4 * BODY_KEPT
#: Reads of a body whose times are kept; what comes after them counts as one with the last.
CHUNKS_KEPT = 4096
# Coded bytes that are decoded at a time.
_STEP = 4096
# What so many may decode to at most: each step of a decoder gives a megabyte.
_DECODED = 8 << 20
#: Bytes of header fields that are kept of one head.
HEAD_KEPT = 16_384
# Header fields, beside those that are shown everywhere, whose values are written: they say what a body is, what a limit
# is, or how long to wait.
_WRITTEN = SHOWN | {
    *("content-type", "content-encoding", "retry-after", "retry-after-ms", "x-should-retry", "transfer-encoding"),
    *("x-fairlead-translation", "x-fairlead-loss", "x-fairlead-attempts", "x-fairlead-request-id"),
}
_WRITTEN_BEGINNINGS = ("x-ratelimit-", "anthropic-ratelimit-", "x-stainless-")

Lines = Iterable[tuple[bytes, bytes]]
Redact = Callable[[bytes], str]


class _Pieces:
    """The beginning of a body as it comes."""

    __slots__ = ("chunks", "cut", "data", "limit")

    def __init__(self, limit: int):
        self.limit = limit
        self.data = bytearray()
        self.cut = False
        self.chunks: list[tuple[int, int]] = []

    def add(self, pieces: Iterable[bytes | bytearray | memoryview], moment: int) -> None:
        """Keep what there is room for. moment: milliseconds from the request's arrival."""
        data = self.data
        for piece in pieces:
            left = self.limit - len(data)
            if len(piece) > left:
                self.cut = True
            data += piece[: max(0, left)]
        end = len(data)
        if len(self.chunks) < CHUNKS_KEPT:
            self.chunks.append((moment, end))
        else:
            self.chunks[-1] = (self.chunks[-1][0], end)


class _Head:
    """The fields of a head, name and value, as far as they are kept."""

    __slots__ = ("fields",)

    def __init__(self, lines: Lines):
        self.fields: list[tuple[bytes, bytes]] = []
        size = 0
        for name, value in lines:
            size += len(name) + len(value)
            if size > HEAD_KEPT:
                break
            self.fields.append((name, value))

    def coding(self) -> bytes:
        """The content codings of the body, b'' for none."""
        return next((value for name, value in self.fields if name.lower() == b"content-encoding"), b"")

    def show(self, redact: Redact) -> list[tuple[str, str]]:
        """The fields as they are written: of most only the name."""
        return [(name.decode("latin-1").lower(), _show_value(name, value, redact)) for name, value in self.fields]


class ExchangeRecord:
    """One exchange with an upstream; conforms to `net.client.recorded.ExchangeObserver`."""

    def __init__(self, capture: "CaptureRecorder", backend: str, account: str, framed: Framed | None = None):
        self._capture = capture
        self._framed, self._unframer = framed, None
        self._at = capture.elapsed()
        self._backend, self._account = backend, account
        self._method = self._target = b""
        self._sent_head = _Head(())
        self._sent = _Pieces(0)
        self._same = False
        self._status = self._head_at = 0
        self._reason = b""
        self._head = _Head(())
        self._body = _Pieces(0)
        self._end: End = "open"
        self._error = ""

    def note_request(
        self,
        method: bytes,
        target: bytes,
        lines: Sequence[tuple[bytes, bytes, bytes]],
        parts: Sequence[bytes | bytearray | memoryview],
    ) -> None:
        """A request begins to be sent."""
        self._method, self._target = method, target
        self._sent_head = _Head((name, value) for _, name, value in lines)
        self._same = self._capture.is_received(parts)
        if not self._same:
            self._sent = _Pieces(self._capture.reserve(sum(map(len, parts))))
            self._sent.add(parts, 0)

    def note_head(self, status: int, reason: bytes, lines: Sequence[tuple[bytes, bytes, bytes]]) -> None:
        """The head of the answer has come."""
        self._status, self._reason, self._head_at = status, reason, self._capture.elapsed()
        self._head = _Head((name, value) for _, name, value in lines)
        if self._framed is not None and not self._head.coding():
            self._unframer = self._framed.find_unframer(dict(line[1:] for line in lines).get(b"content-type", b""))
        if self._unframer is not None:
            # Texts within frames could neither be read nor be searched for secrets.
            self._head = _Head((name, EVENTS if name == b"content-type" else value) for _, name, value in lines)

    def note_body(self, pieces: Sequence[bytes | bytearray | memoryview]) -> None:
        """So much of the body has come with one read."""
        if self._unframer is not None:
            pieces = [self._unframer.feed(b"".join(pieces))]
        body = self._body
        wanted = min(self._capture.limit, len(body.data) + sum(map(len, pieces)))
        if wanted > body.limit:
            body.limit += self._capture.reserve(wanted - body.limit)
        body.add(pieces, self._capture.elapsed())

    def note_end(self, error: str) -> None:
        """The answer ended."""
        self._end, self._error = ("cut" if error else "whole"), error

    def finish(self, redact: Redact) -> ExchangeLine:
        """The line of the capture."""
        answer = None
        if self._status:
            answer = Answer(
                status=self._status,
                reason=self._reason.decode("latin-1"),
                headers=self._head.show(redact),
                at_ms=self._head_at,
                body=_finish_body(self._body, redact, self._head.coding()),
            )
        return ExchangeLine(
            at_ms=self._at,
            backend=self._backend,
            account=self._account,
            method=self._method.decode("latin-1"),
            target=redact(self._target),
            headers=self._sent_head.show(redact),
            body=None if self._same else _finish_body(self._sent, redact, timed=False),
            answer=answer,
            end=self._end,
            error=redact(self._error.encode()),
        )


class CaptureRecorder:
    """All of one request; as an observer of the client's connection, its answer. clock: gives seconds. arrived: when
    the request came, on that clock."""

    def __init__(self, clock: Callable[[], float], arrived: float, limit: int = BODY_KEPT):
        self._clock, self._arrived = clock, arrived
        #: Bytes of each body that are kept.
        self.limit = limit
        self._left = max(UPSTREAM_KEPT, 4 * limit)
        self._method = self._target = b""
        self._request_head = _Head(())
        self._request = b""
        self._request_cut = False
        self._exchanges: list[ExchangeRecord] = []
        self._answer_status = 0
        self._answer_head = _Head(())
        self._answer = _Pieces(limit)
        #: What of the configuration decided, once that is known.
        self.decision: Decision | None = None
        #: The session that the request belongs to, as a hash.
        self.session = ""

    def elapsed(self) -> int:
        """Milliseconds since the request came."""
        return max(0, round((self._clock() - self._arrived) * 1000))

    def reserve(self, wanted: int) -> int:
        """Take room for an upstream's body; returns how many bytes there are."""
        given = min(wanted, self.limit, self._left)
        self._left -= given
        return given

    def note_request(self, method: bytes, target: bytes, lines: Lines) -> None:
        """The head of the client's request. target: without the query parameters that hold credentials."""
        self._method, self._target, self._request_head = method, target, _Head(lines)

    def note_request_body(self, data: bytes | bytearray | memoryview) -> None:
        """The body of the client's request, without content coding."""
        self._request, self._request_cut = bytes(data[: self.limit]), len(data) > self.limit

    def is_received(self, parts: Sequence[bytes | bytearray | memoryview]) -> bool:
        """True for a body that is the received one, as far as that is kept."""
        at = 0
        for part in parts:
            left = len(self._request) - at
            if bytes(part[:left]) != self._request[at : at + len(part)]:
                return False
            at += len(part)
        return bool(at) and (at == len(self._request) or (self._request_cut and at > len(self._request)))

    def begin_exchange(self, backend: str, account: str, framed: Framed | None = None) -> ExchangeRecord:
        """The record of one more exchange; those over EXCHANGES_KEPT are not written. framed: how events are framed."""
        record = ExchangeRecord(self, backend, account, framed)
        if len(self._exchanges) < EXCHANGES_KEPT:
            self._exchanges.append(record)
        return record

    def note_head(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """The head of the answer is about to be sent to the client."""
        self._answer_status, self._answer_head = status, _Head(headers)

    def note_body(self, pieces: Sequence[bytes | bytearray | memoryview]) -> None:
        """So much of the answer is about to be sent to the client."""
        self._answer.add(pieces, self.elapsed())

    def finish(self, record: RequestRecord, version: str, redact: Redact) -> Capture:
        """The capture, once the request has ended; for a thread. version: of fairlead."""
        request = RequestLine(
            method=self._method.decode("latin-1"),
            target=redact(self._target),
            headers=self._request_head.show(redact),
            body=Body(text=_limit_text(redact(self._request), _shown(self.limit)), cut=self._request_cut),
        )
        answer = AnswerLine(
            status=self._answer_status,
            headers=self._answer_head.show(redact),
            body=_finish_body(self._answer, redact, self._answer_head.coding()),
        )
        return Capture(
            meta=_make_meta(record, version, self.session, self.decision, redact),
            request=request,
            exchanges=[one.finish(redact) for one in self._exchanges],
            answer=answer if self._answer_status else None,
        )


def _make_meta(record: RequestRecord, version: str, session: str, decision: Decision | None, redact: Redact) -> Meta:
    return Meta(
        schema=SCHEMA,
        version=version,
        id=record.id,
        time=record.started,
        client=record.client,
        key=record.key,
        tag=redact(record.tag.encode()),
        session=session,
        protocol=record.protocol,
        model=redact((record.model or "").encode("utf-8", "replace")),
        sent_model=redact((record.sent_model or "").encode("utf-8", "replace")),
        stream=record.stream,
        status=record.status,
        error=record.error,
        text=redact(record.text.encode("utf-8", "replace")),
        losses=[loss for loss in record.losses.split("; ") if loss],
        notes=[redact(note.encode("utf-8", "replace")) for note in record.notes],
        attempts=record.attempts,
        queued_ms=round(record.queued * 1000),
        first_byte_ms=None if record.first_byte is None else round(record.first_byte * 1000),
        total_ms=round(record.total * 1000),
        tokens_in=record.usage.input,
        tokens_cached=_count_cached(record.usage),
        tokens_out=record.usage.output,
        decision=None if decision is None else _redact_decision(decision, redact),
    )


def _redact_decision(decision: Decision, redact: Redact) -> Decision:
    """The decision without secrets, which edits of a body's fields may hold."""
    if not any(one.set_fields for one in decision.edits):
        return decision
    edits = [
        msgspec.structs.replace(
            one, set_fields={path: _redact_value(value, redact) for path, value in one.set_fields.items()}
        )
        for one in decision.edits
    ]
    return msgspec.structs.replace(decision, edits=edits)


def _redact_value(value: Any, redact: Redact) -> Any:
    if isinstance(value, str):
        return redact(value.encode("utf-8", "replace"))
    if isinstance(value, Mapping):
        return {name: _redact_value(inner, redact) for name, inner in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_redact_value(inner, redact) for inner in cast("Sequence[Any]", value)]
    return value


def _count_cached(usage: Usage) -> int | None:
    return None if usage.input is None else (usage.cache_read or 0) + (usage.cache_write or 0)


def _show_value(name: bytes, value: bytes, redact: Redact) -> str:
    lowered = name.decode("latin-1").lower()
    text = value.decode("latin-1")
    shown = lowered in _WRITTEN or lowered.startswith(_WRITTEN_BEGINNINGS)
    return redact(value) if shown and not is_secret_value(text) else REDACTED


def _finish_body(pieces: _Pieces, redact: Redact, coding: bytes = b"", *, timed: bool = True) -> Body:
    """The body as it is written. coding: its content codings; where there are any, its chunks have no places in the
    text, and only the last of their times is kept."""
    raw, chunks, cut = bytes(pieces.data), pieces.chunks, pieces.cut
    if content_coding.parse_codings(coding):
        raw, whole = _decode(raw, coding, max(pieces.limit, BODY_KEPT))
        cut = cut or not whole
        chunks = [(chunks[-1][0], len(raw))] if chunks else []
    limit = _shown(pieces.limit)
    text = _limit_text(redact(raw), limit)
    return Body(text=text, cut=cut or len(raw) > limit, chunks=_move_chunks(chunks, raw, text) if timed else [])


def _decode(raw: bytes, coding: bytes, limit: int) -> tuple[bytes, bool]:
    """A body without its content codings, as far as it can be decoded and fits, and whether that is all of it."""
    out = bytearray()
    try:
        decoder = content_coding.Decoder(coding)
        for at in range(0, len(raw), _STEP):
            for piece in decoder.pieces(raw[at : at + _STEP], _DECODED):
                out += piece
                if len(out) > limit:
                    return bytes(out[:limit]), False
    except (content_coding.UnknownCoding, content_coding.Malformed, content_coding.OverLimit):
        return bytes(out), False
    return bytes(out), decoder.whole


def _shown(limit: int) -> int:
    """How many bytes are written of a body of which so many are kept: a little less, as a secret may be cut."""
    return BODY_LIMIT if limit <= BODY_KEPT else limit - 1024


def _limit_text(text: str, limit: int) -> str:
    """The text, at most so many bytes of it in UTF-8."""
    raw = text.encode("utf-8", "replace")
    return text if len(raw) <= limit else raw[:limit].decode("utf-8", "ignore")


def _move_chunks(chunks: Sequence[tuple[int, int]], raw: bytes, text: str) -> list[tuple[int, int]]:
    """The ends of chunks in the text that was made of a body. Where secrets were removed, those between the first and
    the last of them come as one chunk: what lies before and behind them is as it was."""
    made = text.encode("utf-8", "replace")
    if made == raw:
        return list(chunks)
    before = _count_common(lambda size: made[:size] == raw[:size], min(len(made), len(raw)))
    behind = _count_common(
        lambda size: made[len(made) - size :] == raw[len(raw) - size :], min(len(made), len(raw)) - before
    )
    shift = len(made) - len(raw)
    moved: list[tuple[int, int]] = []
    for moment, end in chunks:
        place = end if end <= before else end + shift if end >= len(raw) - behind else before
        moved.append((moment, max(0, min(place, len(made)))))
    return moved


def _count_common(agrees: Callable[[int], bool], most: int) -> int:
    """The largest size up to `most` that agrees, where all smaller ones do too."""
    least = 0
    while least < most:
        middle = (least + most + 1) // 2
        least, most = (middle, most) if agrees(middle) else (least, middle - 1)
    return least
