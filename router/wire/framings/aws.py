"""Streams of Bedrock's InvokeModel: each message holds one event of the model's own protocol, or an exception.

The payload of a `chunk` is `{"bytes": base64 of the event's JSON, "p": padding}`; an exception has its name in a header
and its message in the payload. Source: the service model of bedrock-runtime (ResponseStream), and recorded streams.
"""

import msgspec

from router.backends.profile import GENERIC
from router.errors import RouterError
from router.wire.dialect import Dialect, anthropic_kind
from router.wire.errors.texts import find_message
from router.wire.raw import sse
from router.wire.raw.event_stream import Decoder, Message
from router.wire.raw.json.json_values import UNREADABLE, decode_object
from router.wire.tap import Tap

# The status that the service documents for each, and that of a gateway for what the model did.
_STATUSES = {
    "internalserverexception": 500,
    "modelstreamerrorexception": 502,
    "modeltimeoutexception": 504,
    "serviceunavailableexception": 529,
    "throttlingexception": 429,
    "validationexception": 400,
}
_NAME_LIMIT = 64


class _Chunk(msgspec.Struct):
    """The payload of a chunk. msgspec decodes the base64."""

    data: bytes = msgspec.field(name="bytes", default=b"")


class _Event(msgspec.Struct):
    type: str = ""


_chunks = msgspec.json.Decoder(_Chunk)
_events = msgspec.json.Decoder(_Event)


class AwsEvents:
    """Turns one stream into server-sent events. dialect: of the protocol of its events."""

    __slots__ = ("_decoder", "_dialect", "problem")

    def __init__(self, dialect: Dialect):
        self._decoder = Decoder()
        self._dialect = dialect
        #: Why nothing more can be read, '' where nothing hinders that.
        self.problem = ""

    @property
    def size(self) -> int:
        """Bytes of the message that is not whole yet."""
        return self._decoder.size

    def feed(self, data: bytes) -> bytes:
        """The events of the messages that are whole now."""
        if self.problem:
            return b""
        out: list[bytes] = []
        for message in self._decoder.feed(data):
            try:
                out.append(self._write(message))
            except UNREADABLE:
                self.problem = "the payload of a message is not what its headers say"
                break
        self.problem = self.problem or self._decoder.problem
        return b"".join(out)

    def _write(self, message: Message) -> bytes:
        """The event of a message, b"" for one without. Raises what is in UNREADABLE."""
        kind = message.text(":message-type")
        if kind == "event":
            event = _chunks.decode(message.payload).data if message.text(":event-type") == "chunk" else b""
            return sse.frame(_join_lines(event), _find_name(event)) if event else b""
        if kind == "exception":
            return self._write_error(message.text(":exception-type"), _read_text(message.payload))
        if kind == "error":
            return self._write_error(message.text(":error-code"), message.text(":error-message"))
        return b""

    def _write_error(self, name: str, said: str) -> bytes:
        """The error event of an exception of that name."""
        name = name[:_NAME_LIMIT] or "unknown error"
        error = RouterError(f"{said} ({name})" if said else name)
        error.status = _STATUSES.get(name.lower(), 500)
        error.kind = anthropic_kind(error.status)
        return self._dialect.error_events(error, "", Tap(self._dialect, GENERIC))


def _find_name(event: bytes) -> str:
    """The name that an event has in server-sent events: the type in its JSON, '' for a protocol that names none."""
    try:
        name = _events.decode(event).type
    except UNREADABLE:
        return ""
    return name if len(name) <= _NAME_LIMIT and name.isascii() and name.isprintable() else ""


def _join_lines(event: bytes) -> bytes:
    """JSON on one line: its strings hold no line ends."""
    return b" ".join(event.splitlines()) if b"\n" in event or b"\r" in event else event


def _read_text(payload: bytes) -> str:
    """The message of an exception, '' where it has none."""
    return find_message(decode_object(payload) or {})
