"""Collects the pieces of a body. Large bodies are joined as they arrive: joining 64 MiB at the end would block every
stream for 40 ms, and a thread would not help, since a join keeps the interpreter's lock."""

from io import BytesIO

LARGE = 1 << 20


class BodyBuffer:
    """The received pieces of one body."""

    __slots__ = ("_pieces", "_size", "_stream")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._stream: BytesIO | None = None

    def append(self, piece: bytes) -> None:
        """Add the next piece."""
        if self._stream is not None:
            self._stream.write(piece)
            return
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > LARGE:
            self._stream = BytesIO()
            self._stream.writelines(self._pieces)
            self._pieces.clear()

    def join(self) -> bytes:
        """The whole body, as bytes also when it came as one bytearray: decoders read bytes faster."""
        # BytesIO hands out its own buffer without a copy.
        return b"".join(self._pieces) if self._stream is None else self._stream.getvalue()
