"""The file of a capture: JSON lines, the first of which tells about the request; the others are the request and the
answers, as they came and as they went.

A repro, a capture without content, has the same form and one line more. Files of schema 1, which held two bodies in one
JSON object, are read too.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SCHEMA = 2
#: How an upstream's answer ended: as HTTP has it; by a closed connection; or not while the exchange lasted.
End = Literal["whole", "cut", "open"]
#: Bytes of a file that is read.
FILE_LIMIT = 64 << 20
#: In place of a value that is not written.
REDACTED = "[redacted]"


class Unreadable(Exception):
    """The file is no capture that this version reads; the text says why."""


class _Line(msgspec.Struct, kw_only=True, omit_defaults=True, tag_field="line"):
    pass


class Body(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A body, or its beginning, without secrets."""

    text: str = ""
    #: There was more of it than is kept.
    cut: bool = False
    #: Milliseconds from the request's arrival, and how many bytes of the text (in UTF-8) had come by then.
    chunks: list[tuple[int, int]] = []

    def split(self) -> list[tuple[int, bytes]]:
        """The body as it came: milliseconds from the request's arrival, and the bytes."""
        data = self.text.encode("utf-8", "surrogatepass")
        found: list[tuple[int, bytes]] = []
        begin = moment = 0
        for moment, end in self.chunks:
            found.append((moment, data[begin:end]))
            begin = max(begin, end)
        rest = data[begin:]
        return [*found, (moment, rest)] if rest else found


class RuleExcerpt(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The rule that applied."""

    name: str = ""
    #: The conditions that it gives, by their keys.
    when: dict[str, Any] = {}
    backend: str = ""
    model: str = ""
    fallback: list[str] = []


class ConfiguredEdits(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What one table of the configuration changes in a request. Of headers only the names are kept."""

    by: Literal["backend", "rule"] = "backend"
    set_headers: list[str] = []
    remove_headers: list[str] = []
    set_fields: dict[str, Any] = {}
    remove_fields: list[str] = []
    effort: str = ""
    max_tokens: int | None = None


class BackendExcerpt(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A backend that was asked before the one that is described whole; the members are as there."""

    backend: str = ""
    vendor: str = ""
    protocols: list[str] = []
    profile: dict[str, Any] = {}


class Decision(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What of the configuration decided about a request."""

    backend: str = ""
    #: The known provider that the backend is, '' for others.
    vendor: str = ""
    protocols: list[str] = []
    account: str = ""
    #: The step of routing that found the backend, and what of the user's chose it.
    route: str = ""
    chosen: str = ""
    #: None where no rule applied.
    rule: RuleExcerpt | None = None
    #: In the order in which they were made.
    edits: list[ConfiguredEdits] = []
    #: The other backends that were asked, in their order.
    earlier: list[BackendExcerpt] = []
    #: As `messages->chat`, '' for a request that was passed through.
    translation: str = ""
    #: Habits of the backend and model, where they differ from those that are usual.
    profile: dict[str, Any] = {}
    #: Efforts that the model takes, None where that is not known.
    efforts: list[str] | None = None
    #: The settings of translation, by their key.
    settings: dict[str, Any] = {}


class Meta(_Line, tag="meta", kw_only=True):
    """About the request. Times are milliseconds, `time` is seconds since 1970."""

    schema: int
    #: The fairlead that wrote it.
    version: str = ""
    id: str
    time: float = 0.0
    client: str = ""
    key: str = ""
    tag: str = ""
    #: A hash that tells the session from others, '' for none.
    session: str = ""
    protocol: str = ""
    model: str = ""
    sent_model: str = ""
    stream: bool = False
    status: int = 0
    error: str = ""
    text: str = ""
    losses: list[str] = []
    notes: list[str] = []
    attempts: int = 0
    queued_ms: int = 0
    first_byte_ms: int | None = None
    total_ms: int = 0
    #: Without those of a cache; `tokens_cached` are those that were read from one or written to it.
    tokens_in: int | None = None
    tokens_cached: int | None = None
    tokens_out: int | None = None
    decision: Decision | None = None


class RequestLine(_Line, tag="request"):
    """The request as it was received, decoded."""

    method: str = "POST"
    #: Path and query.
    target: str = ""
    headers: list[tuple[str, str]] = []
    body: Body = msgspec.field(default_factory=Body)


class Answer(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An answer of an upstream."""

    status: int = 0
    reason: str = ""
    headers: list[tuple[str, str]] = []
    #: Milliseconds from the request's arrival to its head.
    at_ms: int = 0
    body: Body = msgspec.field(default_factory=Body)


class ExchangeLine(_Line, tag="exchange"):
    """One request to an upstream, and its answer."""

    at_ms: int = 0
    backend: str = ""
    account: str = ""
    method: str = "POST"
    target: str = ""
    headers: list[tuple[str, str]] = []
    #: None where it is the body of the request as it was received.
    body: Body | None = None
    #: None where no head came.
    answer: Answer | None = None
    end: End = "open"
    #: What the upstream did instead of ending its answer.
    error: str = ""


class AnswerLine(_Line, tag="answer"):
    """The answer as it was sent to the client."""

    status: int = 0
    headers: list[tuple[str, str]] = []
    body: Body = msgspec.field(default_factory=Body)


class ReproLine(_Line, tag="repro"):
    """What was done to a capture to make a repro of it."""

    bodies: Literal["none", "shape", "full"] = "shape"
    #: What was removed or replaced, each with how often.
    removed: dict[str, int] = {}
    #: What a run of the repro showed: `yes`, `no: …`, or `not run: …`.
    reproduces: str = ""


AnyLine = Meta | RequestLine | ExchangeLine | AnswerLine | ReproLine


@dataclass(kw_only=True)
class Capture:
    """All that a file holds."""

    meta: Meta
    request: RequestLine | None = None
    exchanges: list[ExchangeLine] = field(default_factory=list[ExchangeLine])
    answer: AnswerLine | None = None
    repro: ReproLine | None = None

    def lines(self) -> list[AnyLine]:
        """The lines of the file, in their order."""
        parts: Sequence[AnyLine | None] = (self.meta, self.repro, self.request, *self.exchanges, self.answer)
        return [line for line in parts if line is not None]

    def list_bodies(self) -> list[Body]:
        """All bodies that it holds."""
        return [body for _, body in self._name_bodies()]

    def list_cut(self) -> list[str]:
        """The bodies of which only the beginning is kept, in words."""
        return [what for what, body in self._name_bodies() if body.cut]

    def _name_bodies(self) -> list[tuple[str, Body]]:
        found: list[tuple[str, Body | None]] = [("the request", self.request and self.request.body)]
        for number, one in enumerate(self.exchanges, 1):
            found.append((f"the request of exchange {number}", one.body))
            found.append((f"the answer of exchange {number}", one.answer and one.answer.body))
        found.append(("the answer", self.answer and self.answer.body))
        return [(what, body) for what, body in found if body is not None]


class _Old(msgspec.Struct):
    """A file of schema 1."""

    schema: int
    id: str
    time: float
    request: str
    answer: str
    request_cut: bool = False
    answer_cut: bool = False


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(AnyLine)
_OLD = msgspec.json.Decoder(_Old)
_SCHEMA = msgspec.json.Decoder(dict[str, Any])


def encode(capture: Capture) -> bytes:
    """The file of a capture."""
    return b"".join(_ENCODER.encode(line) + b"\n" for line in capture.lines())


def decode(data: bytes) -> Capture:
    """Read the file of a capture. Raises Unreadable."""
    rows = [row for row in data.split(b"\n") if row.strip()]
    if not rows:
        raise Unreadable("it is empty")
    schema = _read_schema(rows[0])
    if schema == 1:
        return _decode_old(data)
    if schema != SCHEMA:
        raise Unreadable(f"it has the form {schema}, and this version of fairlead reads {SCHEMA} and 1")
    lines = [_decode_line(row, number) for number, row in enumerate(rows, 1)]
    meta = lines[0]
    if not isinstance(meta, Meta):
        raise Unreadable("line 1 is not its meta line")
    found = Capture(meta=meta)
    for number, line in enumerate(lines[1:], 2):
        _add_line(found, line, number)
    _check_chunks(found)
    return found


def _read_schema(row: bytes) -> object:
    try:
        head: Mapping[str, Any] = _SCHEMA.decode(row)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Unreadable("line 1 is not a JSON object") from None
    return head.get("schema", "of no version")


def _decode_line(row: bytes, number: int) -> AnyLine:
    try:
        return _DECODER.decode(row)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"line {number}: {error}") from None


def _add_line(found: Capture, line: AnyLine, number: int) -> None:
    if isinstance(line, ExchangeLine):
        found.exchanges.append(line)
    elif isinstance(line, RequestLine) and found.request is None:
        found.request = line
    elif isinstance(line, AnswerLine) and found.answer is None:
        found.answer = line
    elif isinstance(line, ReproLine) and found.repro is None:
        found.repro = line
    else:
        raise Unreadable(f"line {number} is a second one of its kind")


def _check_chunks(found: Capture) -> None:
    """Raise Unreadable for a body whose chunks do not lie one behind the other within it."""
    bodies = [one.answer.body for one in found.exchanges if one.answer is not None]
    bodies += [found.answer.body] if found.answer is not None else []
    for body in bodies:
        size = len(body.text.encode("utf-8", "surrogatepass"))
        before = (0, 0)
        for chunk in body.chunks:
            if not (before[0] <= chunk[0] and before[1] <= chunk[1] <= size):
                raise Unreadable("the chunks of a body do not fit it: it was edited, or it is damaged")
            before = chunk


def _decode_old(data: bytes) -> Capture:
    try:
        old = _OLD.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"it is damaged: {error}") from None
    return Capture(
        meta=Meta(schema=1, id=old.id, time=old.time),
        request=RequestLine(body=Body(text=old.request, cut=old.request_cut)),
        answer=AnswerLine(body=Body(text=old.answer, cut=old.answer_cut)),
    )
