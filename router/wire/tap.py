"""Reads an answer while it is relayed: its usage, its end, and the values needed to end the stream if it breaks.

Most events are not decoded. Byte patterns that cannot occur inside a JSON string are searched for where a stream's end
can be: in the last event, and in the last 16 KiB of each read. A hit is stored or decoded; the rest of the stream costs
a few searches a read.
"""

import json
from collections.abc import Callable
from functools import lru_cache
from io import BytesIO

import msgspec

from router.backends.profile import Profile
from router.ir import Usage
from router.wire.costs.extras import add_extras
from router.wire.dialect import USAGE, Dialect, Failure, Verdict, find_failure
from router.wire.raw import content_coding, scan, sse
from router.wire.raw.json import json_values

_REGION = 16384
_USAGE_LIMIT = 8192
# Most usage objects of one read that are decoded: the last ones.
_USAGE_COUNT_LIMIT = 16
_TAIL_LIMIT = 32768
#: Bytes at the beginning of a large answer that are kept.
HEAD_LIMIT = 65_536
# Most characters of the event that announces a response which are kept: it repeats the request's tools.
_ANNOUNCED_LIMIT = 65536
# Most decoded bytes of one read: 64 KiB of compressed data can decode to 64 MiB.
_INFLATED_LIMIT = 8 << 20
# Bytes of an event beside its content, at most and at least: a smaller event shows that they are fewer.
_ENVELOPE, _LEAST_ENVELOPE = 384, 128
# Of the text in an event.
_BYTES_PER_TOKEN = 4
_SEQUENCE = b'"sequence_number":'


class _PlainAnswer(msgspec.Struct):
    usage: dict[str, object] | None = None


_answer_decoder = msgspec.json.Decoder(_PlainAnswer)
_scanner = json.JSONDecoder(strict=False)
_DEFAULT_PROFILE = Profile()


class Tap:
    """The state of one stream, updated with each read. profile: the properties of the provider that sends it. on_end:
    gets the data of the event that ends it well, before the client can."""

    __slots__ = (
        "_announced",
        "_dialect",
        "_endings",
        "_envelope",
        "_hide_usage",
        "_needles",
        "_on_end",
        "_profile",
        "_sequence",
        "_usage",
        "_usage_hit",
        "_usage_needles",
        "begun",
        "broken",
        "created",
        "ended",
        "failed_with",
        "model",
        "pieces",
        "response_id",
        "size",
        "so_far",
    )

    #: How much longer reading takes than that of a tap which changes nothing.
    weight = 1

    def __init__(
        self,
        dialect: Dialect,
        profile: Profile = _DEFAULT_PROFILE,
        *,
        hide_usage: bool = False,
        on_end: Callable[[bytes], None] | None = None,
    ):
        self._dialect = dialect
        self._on_end = on_end
        self._needles = dialect.needles
        self._usage_needles = dialect.needles.usage
        self._endings = dialect.needles.ending
        self._profile = profile
        self._hide_usage = hide_usage
        self._usage = Usage()
        self._usage_hit = b""
        self._sequence = b""
        #: Events read so far.
        self.pieces = 0
        #: Their bytes, without those of the preamble.
        self.size = 0
        self._envelope = _ENVELOPE
        #: The stream has announced its id and model.
        self.begun = False
        #: True after a good end, False after a failed one, None before either.
        self.ended: bool | None = None
        #: The data of the event that ended the stream as failed; b"" for none.
        self.failed_with = b""
        #: True once an event came that seems to be an error, and is no valid JSON.
        self.broken = False
        self.response_id = ""
        self.created = 0
        self.model = ""
        #: The response object so far, {} where it is not known.
        self.so_far: json_values.Json = {}
        self._announced = b""

    def judge(self, event: sse.Event) -> tuple[Verdict, Failure | None]:
        """How to treat an event before the commit point; stores the id, model and usage that the stream announces."""
        data = json_values.look_at_object(event.data) if event.data else None
        verdict = self._dialect.judge(event, data)
        if data is None:
            return verdict, None
        if verdict is Verdict.ERROR:
            used = self._dialect.usage_in(data) or json_values.get_object(
                json_values.get_object(data, "response"), "usage"
            )
            if used:
                self._usage = self._dialect.usage(used, self._usage, self._profile)
            return verdict, find_failure(self._dialect, event.name, data)
        announced = json_values.get_object(data, "response") or json_values.get_object(data, "message")
        if announced:
            self.begun = True
            if len(event.data) <= _ANNOUNCED_LIMIT:
                self._announced = event.data
            self.response_id = str(announced.get("id") or "")
            self.model = str(announced.get("model") or "")
            self.created = json_values.as_moment(announced.get("created_at")) or 0
            self._usage = self._dialect.usage(json_values.get_object(announced, "usage"), self._usage, self._profile)
        return verdict, None

    def read(self, batch: bytes) -> bytes:
        """Scan whole events; returns them, without usage events that the client did not ask for."""
        size = len(batch)
        seen = batch if size <= scan.STEP else scan.Steps(batch)
        events = seen.count(b"\ndata:") + batch.startswith(b"data:")
        if events:
            self.pieces += events
            self.size += size
            if self._envelope > _LEAST_ENVELOPE and size < events * self._envelope:
                self._envelope = max(_LEAST_ENVELOPE, size // events)
        start = 0
        if size > _REGION:
            # Four bytes less: skip the border that ends the last event, to find the one before it.
            start = min(size - _REGION, sse.find_last_border(batch, 0, size - 4))
        # Backwards throughout: nearly always there is nothing, and to see that takes half as long as forwards.
        first, second = self._usage_needles
        if seen.rfind(first, start) >= 0 or seen.rfind(second, start) >= 0:
            self._note_usage(batch, start)
        for needle in self._endings:
            if seen.rfind(needle, start) >= 0:
                self._read_endings(batch, start)
                break
        if start > 0:
            self._find_early_error(batch, start)
        at = seen.rfind(_SEQUENCE, start)
        if at >= 0:
            self._sequence = batch[at + len(_SEQUENCE) : at + len(_SEQUENCE) + 20]
        return self._drop_usage_events(batch) if self._hide_usage else batch

    def _note_usage(self, batch: bytes, start: int) -> None:
        """Store the last usage object, undecoded until it is needed; decode those that it adds to."""
        replaces, names = self._needles.counts, self._needles.usage
        at = _find_last_usage(names, batch, start, len(batch))
        last = batch[at : at + _USAGE_LIMIT]
        if replaces is None or not replaces.search(last):
            self._read_usage(self._usage_hit)
            before: list[int] = []
            while len(before) < _USAGE_COUNT_LIMIT and (at := _find_last_usage(names, batch, start, at)) >= 0:
                before.append(at)
            for at in reversed(before):
                self._read_usage(batch[at : at + _USAGE_LIMIT])
        self._usage_hit = last

    def _read_usage(self, hit: bytes) -> None:
        if hit:
            self._usage = _decode_usage(hit, self._dialect, self._usage, self._profile)

    def _read_endings(self, batch: bytes, start: int) -> None:
        for _, event in sse.parse_events(batch, start):
            ending = self._judge_ending(event)
            if ending is not None and self.ended is not False:
                self.ended = ending
                region = scan.copy(memoryview(batch)[start:]) if start else batch
                self._usage = add_extras(self._usage, region, self._needles.tools)
                if not ending:
                    self.failed_with = event.data
                elif self._on_end is not None:
                    self._on_end(event.data)

    def _find_early_error(self, batch: bytes, end: int) -> None:
        """Look for an error event before the end of a large read, which goes on behind it."""
        if self.ended is False or all(scan.find(batch, one, 0, end) < 0 for one in _select_failing(self._endings)):
            return
        for _, event in sse.parse_events(batch, 0, end):
            if self._judge_ending(event) is False:
                self.ended = False
                self.failed_with = event.data
                return

    def _judge_ending(self, event: sse.Event) -> bool | None:
        """Whether an event ends the stream, and how."""
        data = json_values.look_at_object(event.data)
        if data is None and scan.contains(event.data, b'"error"'):
            self.broken = True
        return self._dialect.ending(event, data)

    def _drop_usage_events(self, batch: bytes) -> bytes:
        seen = batch if len(batch) <= scan.STEP else scan.Steps(batch)
        if all(seen.rfind(needle) < 0 for needle in self._needles.alone):
            return batch
        rest, view = BytesIO(), memoryview(batch)
        at = 0
        for end, event in sse.parse_events(batch):
            data = json_values.look_at_object(event.data) or {}
            if not self._dialect.is_usage_event(data):
                scan.write(rest, view[at:end])
            at = end
        return rest.getvalue()

    def complete(self, events: bytes) -> bytes:
        """The events that end a stream which broke, as they are sent."""
        return events

    def declare(self) -> str:
        """What may be changed in the answer, for its head; "" for nothing."""
        return ""

    def list_notes(self) -> list[str]:
        """What was changed in the answer, for the record of the request."""
        return []

    @property
    def guess(self) -> int:
        """An estimate of the output tokens by what came: at least one for each event, more where they hold much."""
        return max(self.pieces, (self.size - self.pieces * self._envelope) // _BYTES_PER_TOKEN)

    @property
    def sequence(self) -> int:
        """The last sequence number seen, -1 when none was."""
        digits = self._sequence.strip()
        end = next((i for i, byte in enumerate(digits) if byte not in b"0123456789"), len(digits))
        return int(digits[:end]) if end else -1

    @property
    def in_background(self) -> bool:
        """True when the stream may announce a response that is made in the background."""
        return b'"background":true' in self._announced or b'"background": true' in self._announced

    def collect_response(self) -> json_values.Json:
        """The response object as far as it is known; {} for none."""
        return self.so_far or json_values.get_object(json_values.decode_object(self._announced) or {}, "response")

    def usage(self) -> Usage:
        """The token counts read so far."""
        self._read_usage(self._usage_hit)
        self._usage_hit = b""
        return self._usage


@lru_cache(maxsize=16)
def _select_failing(endings: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """The patterns of error events among those of events that end a stream."""
    return tuple(needle for needle in endings if b"error" in needle or b"failed" in needle)


def _find_last_usage(names: tuple[bytes, bytes], data: bytes, start: int, end: int) -> int:
    """The position of the last usage object in some bytes, -1 for none. names: the bytes that it may begin with."""
    seen = data if end - start <= scan.STEP else scan.Steps(data)
    return max(seen.rfind(names[0], start, end), seen.rfind(names[1], start, end))


class Tail:
    """Reads the usage of a plain answer that is too large to buffer: usage stands behind the text, in the last 32 KiB,
    or before it.

    coding: the answer's content codings, b"" for none. The decoded size is bounded; past the bound no usage is read.
    profile: the properties of the provider that sends it.
    """

    __slots__ = ("_decoder", "_dialect", "_end", "_known", "_profile", "head", "size")

    def __init__(self, dialect: Dialect, coding: bytes, profile: Profile = _DEFAULT_PROFILE):
        self._dialect = dialect
        self._profile = profile
        self._decoder: content_coding.Decoder | None = None
        self._known = True
        try:
            self._decoder = content_coding.Decoder(coding) if coding else None
        except (content_coding.UnknownCoding, content_coding.Malformed):
            self._known = False
        self._end = b""
        #: The beginning of the answer, in which it names itself and its model; at most HEAD_LIMIT bytes.
        self.head = b""
        self.size = 0

    def read(self, data: bytes) -> bytes:
        """Scan the next bytes of the answer; returns them decoded, b"" once decoding has failed."""
        if self._decoder is not None and self._known:
            try:
                data = self._decoder.decode(data, _INFLATED_LIMIT)
            except (content_coding.Malformed, content_coding.OverLimit):
                self._known = False
        self.size += len(data)
        if not self._known:
            return b""
        if len(self.head) < HEAD_LIMIT:
            self.head += data[: HEAD_LIMIT - len(self.head)]
        self._end = (self._end + data)[-_TAIL_LIMIT:]
        return data

    def usage(self) -> Usage:
        """The token counts; none where they cannot be read."""
        for part in (self._end, self.head) if self._known else ():
            at = _find_last_usage(self._dialect.needles.usage, part, 0, len(part))
            if at >= 0:
                found = _decode_usage(part[at:], self._dialect, Usage(), self._profile)
                return add_extras(found, self._end, self._dialect.needles.tools)
        return Usage()


def _decode_usage(data: bytes, dialect: Dialect, known: Usage, profile: Profile) -> Usage:
    """The counts of the usage object behind the name that some bytes begin with; `known` when it is cut off."""
    try:
        found: json_values.Json = _scanner.raw_decode(data[data.index(b"{") :].decode("utf-8", "replace"))[0]
    except (ValueError, RecursionError):
        return known
    return dialect.usage(found, known, profile)


def usage_of(dialect: Dialect, body: bytes | bytearray, profile: Profile = _DEFAULT_PROFILE) -> Usage:
    """The token counts of a plain answer. profile: the properties of the provider that sent it."""
    names = dialect.needles.usage
    try:
        found = _answer_decoder.decode(body).usage if names is USAGE else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = None
    if not found and scan.contains(body, names[0][:-2]):
        # The top level has none, but it may stand deeper: decode the whole answer.
        found = dialect.usage_in(json_values.look_at_object(bytes(body)) or {})
    if not found:
        return Usage()
    return add_extras(dialect.usage(found, Usage(), profile), body, dialect.needles.tools)


def failure_of(dialect: Dialect, body: bytes | bytearray) -> Failure | None:
    """The error inside a plain 200 answer, None when it holds none."""
    if not scan.contains(body, dialect.needles.error):
        return None
    data = json_values.look_at_object(bytes(body))
    return dialect.failure(data) if data is not None else None
