"""Answers of upstreams, as the rest of an exchange sees them."""

from typing import Protocol

from router.net.headers import Lines


class UpstreamResponse(Protocol):
    """An answer: live, translated, or read whole. At its end exactly one of `release` and `drop` must be called; both
    may be called again without effect."""

    status: int
    reason: bytes
    #: Header fields in their order: name as it came, lower-case name, value.
    lines: Lines
    #: First value by lower-case name.
    fields: dict[bytes, bytes]

    async def read(self) -> list[bytes]:
        """The body pieces that one read brought; [] at the end of the body. Raises UpstreamDisconnected, BadGateway."""
        ...

    def put_back(self, data: bytes) -> None:
        """Have the next `read` return this first."""
        ...

    @property
    def ended(self) -> bool:
        """True when the whole body was read."""
        ...

    def release(self) -> None:
        """End the use of the answer. Its connection is used again where all of the answer was read."""
        ...

    def drop(self) -> None:
        """End the use of the answer, and close its connection."""
        ...


class BufferedResponse:
    """An answer whose body is in memory: it was read before, or made here. It needs no connection."""

    __slots__ = ("_pieces", "fields", "lines", "reason", "status")

    def __init__(self, status: int, reason: bytes, lines: Lines, body: bytes):
        self.status = status
        self.reason = reason
        self.lines = lines
        self.fields: dict[bytes, bytes] = {}
        for _, name, value in lines:
            self.fields.setdefault(name, value)
        self._pieces = [body] if body else []

    async def read(self) -> list[bytes]:
        """The body, at once."""
        pieces, self._pieces = self._pieces, []
        return pieces

    def put_back(self, data: bytes) -> None:
        """Have the next `read` return this first."""
        self._pieces.insert(0, data)

    @property
    def ended(self) -> bool:
        """True when the body was read."""
        return not self._pieces

    def release(self) -> None:
        """There is nothing to give back."""

    def drop(self) -> None:
        """There is nothing to close."""


#: The answer of an attempt that was not sent yet.
NOT_ASKED = BufferedResponse(0, b"", [], b"")
