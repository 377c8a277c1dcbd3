"""Writes the events of a Responses stream, each with the next sequence number."""

import msgspec

from router.wire.raw import sse

_encode = msgspec.json.encode


class EventSequence:
    """The numbered events of one stream. silent: they are not written, where only the answer that they make up is asked
    for: each of its last ones repeats all of a text."""

    __slots__ = ("number", "silent")

    def __init__(self, *, silent: bool = False) -> None:
        self.silent = silent
        #: The number of the next event.
        self.number = 0

    def event(self, kind: str, **said: object) -> bytes:
        """A whole event."""
        number = self.number
        self.number = number + 1
        if self.silent:
            return b""
        return sse.frame(_encode({"type": kind, "sequence_number": number, **said}), kind)

    def delta(self, head: bytes, text: str) -> bytes:
        """The beginning of an event that adds to an item; the caller closes it. head: from `delta_head`."""
        number = self.number
        self.number = number + 1
        if self.silent:
            return b""
        return head + b'%d,"delta":' % number + _encode(text)


def delta_head(kind: str, **said: object) -> bytes:
    """What all deltas of an item have in common."""
    return b'event: %b\ndata: %b,"sequence_number":' % (kind.encode(), _encode({"type": kind, **said})[:-1])
