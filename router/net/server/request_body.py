"""The body of one request, taken piece by piece from what was read ahead."""

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import h11

from router.errors import BadRequest, RouterError
from router.net.server import request_head
from router.net.server.chunk_lines import ChunkLines
from router.net.server.read_ahead import ReadAhead

if TYPE_CHECKING:
    from h11._readers import ContentLengthReader


class RequestBody:
    """The body behind a head that the parser was given. fields: of the head."""

    __slots__ = ("_ahead", "_chunks", "_length", "_parser", "_received", "_unread")

    def __init__(self, parser: h11.Connection, ahead: ReadAhead, fields: Mapping[bytes, bytes]):
        self._parser = parser
        self._ahead = ahead
        self._chunks = ChunkLines() if b"transfer-encoding" in fields else None
        # Of a body in chunks the first stays 0.
        self._length = self._unread = int(fields.get(b"content-length", b"0"))
        self._received = 0

    def take(self, limit: int) -> bytes | None:
        """The next piece, b"" at the end, None while it must be waited for. Raises TooLarge when all exceed `limit`
        bytes, and BadRequest."""
        if self._length > limit:
            raise request_head.make_too_large_error(limit)
        if self._unread:
            return self._take_sized() if self._ahead else None
        self._feed_parser()
        try:
            event = self._parser.next_event()
        except h11.RemoteProtocolError as error:
            raise request_head.make_malformed_error(error) from None
        if type(event) is h11.EndOfMessage:
            return b""
        if event is h11.NEED_DATA:
            return None
        if isinstance(event, h11.Data):
            self._received += len(event.data)
            if self._received > limit:
                raise request_head.make_too_large_error(limit)
            return event.data
        raise BadRequest("The request body could not be read.")

    def _take_sized(self) -> bytes:
        """The next piece of a body whose length the head tells. There is nothing in it for h11 to check, which would
        copy it three times, so h11 is only told how much is left."""
        piece = self._ahead.pop(self._unread)
        self._unread -= len(piece)
        reader = cast("ContentLengthReader", self._parser._reader)  # pyright: ignore[reportPrivateUsage]
        reader._remaining = self._unread  # pyright: ignore[reportPrivateUsage]
        return piece

    @property
    def is_announced(self) -> bool:
        """True while the client waits for a word before it sends the body."""
        return self._parser.they_are_waiting_for_100_continue and self._unread == self._length

    def discard(self) -> None:
        """Discard what has arrived of a body that was not read; also moves a request without body to its end."""
        parser = self._parser
        if parser.their_state is not h11.SEND_BODY:
            return
        self._unread = 0
        with contextlib.suppress(h11.RemoteProtocolError, RouterError):  # ends the connection, not this answer
            while parser.their_state is h11.SEND_BODY:
                if parser.next_event() is h11.NEED_DATA:
                    if not self._ahead:
                        return
                    self._feed_parser()

    def _feed_parser(self) -> None:
        while self._ahead:
            data = self._ahead.pop()
            if self._chunks is not None:
                self._chunks.check(data)
            self._parser.receive_data(data)
