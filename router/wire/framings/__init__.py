"""How the events of a stream are framed: what is not written as server-sent events is turned into these.

Everything that reads a stream reads server-sent events. A provider that frames the events of a protocol otherwise says
so in its entry (`Endpoint.framing`); what it sends is unframed first, whoever reads it.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from router.backends import Framing
from router.wire.dialect import Dialect
from router.wire.framings.aws import AwsEvents

#: The content type of what is unframed.
EVENTS = b"text/event-stream; charset=utf-8"


class Unframer(Protocol):
    """Turns one stream into server-sent events."""

    @property
    def problem(self) -> str:
        """Why nothing more can be read, '' where nothing hinders that."""
        ...

    @property
    def size(self) -> int:
        """Bytes that wait for the rest of an event."""
        ...

    def feed(self, data: bytes) -> bytes:
        """The events that are whole now, b"" for none."""
        ...


class _Kind(NamedTuple):
    """One framing."""

    content_type: bytes
    #: Makes the reader of one stream, from the dialect of its protocol.
    make: Callable[[Dialect], Unframer]


_KINDS: Mapping[Framing, _Kind] = {
    "aws-eventstream": _Kind(b"application/vnd.amazon.eventstream", AwsEvents),
}


class Framed(NamedTuple):
    """How an endpoint frames the events of its streams."""

    framing: Framing
    #: Of the protocol that it speaks.
    dialect: Dialect

    def find_unframer(self, content_type: bytes) -> Unframer | None:
        """The reader of an answer's stream; None for an answer that is not framed so, as errors and whole answers are
        not. content_type: of the answer."""
        kind = _KINDS.get(self.framing)
        if kind is None or content_type.partition(b";")[0].strip().lower() != kind.content_type:
            return None
        return kind.make(self.dialect)

    def unframe(self, content_type: bytes, body: bytes) -> tuple[bytes, str] | None:
        """A stream that was read whole as server-sent events, and what is wrong with it, '' for nothing; None for a
        body that is not framed so."""
        unframer = self.find_unframer(content_type)
        if unframer is None:
            return None
        found = unframer.feed(body)
        return found, unframer.problem or ("it ends within an event" if unframer.size else "")
