"""The pieces of a body as one, put together as they come when they are many: joining 64 MiB at its end would hold up
every stream for 40 ms, and a thread would not help, since a join keeps the interpreter's lock."""

from io import BytesIO

LARGE = 1 << 20


class Gathered:
    """Pieces of a body."""

    __slots__ = ("_large", "_pieces", "_size")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._large: BytesIO | None = None

    def add(self, piece: bytes) -> None:
        """One more piece."""
        if self._large is not None:
            self._large.write(piece)
            return
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > LARGE:
            self._large = BytesIO()
            self._large.writelines(self._pieces)
            self._pieces.clear()

    def whole(self) -> bytes:
        """All of them. Bytes also from one bytearray: what reads a body reads bytes faster."""
        # It gives what it has written into, without a copy.
        return b"".join(self._pieces) if self._large is None else self._large.getvalue()
