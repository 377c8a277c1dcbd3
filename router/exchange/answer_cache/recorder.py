"""Copies the answer that a client gets, so that it can be kept."""

from collections.abc import Sequence

from router.errors import Unavailable
from router.host.memory_bound import MemoryBound, MemoryShare
from router.net.headers import Headers, RawHeaders
from router.net.server.answers import AnswerObserver
from router.net.stream import Bytes
from router.store.answer_cache.answers import ENTRY_LIMIT


class AnswerRecorder:
    """One answer as it is sent; conforms to `net.server.answers.AnswerObserver`. inner: another, which is told too."""

    def __init__(self, bound: MemoryBound, inner: AnswerObserver | None):
        self._inner = inner
        self._memory = MemoryShare(bound)
        self._pieces: list[bytes] = []
        self._headers: list[tuple[bytes, bytes]] = []
        self._whole = True
        self._status = 0

    def note_head(self, status: int, headers: RawHeaders | Headers) -> None:
        """The head of the answer is about to be sent."""
        self._status, self._headers = status, [(name.lower(), value) for name, value in headers]
        if self._inner is not None:
            self._inner.note_head(status, headers)

    def note_body(self, pieces: Sequence[Bytes]) -> None:
        """So much of its body is about to be sent."""
        if self._inner is not None:
            self._inner.note_body(pieces)
        if not self._whole:
            return
        size = sum(map(len, pieces))
        try:
            self._memory.hold(size)
        except Unavailable:
            self._drop()
            return
        if self._memory.size > ENTRY_LIMIT:
            self._drop()
            return
        self._pieces += [bytes(piece) for piece in pieces]

    def _drop(self) -> None:
        self._whole = False
        self.release()

    @property
    def content_type(self) -> str:
        """The type of the body."""
        return self._find(b"content-type")

    @property
    def body(self) -> bytes | None:
        """The whole body; None for an answer that is not kept: too large, not a 200, or with a content coding."""
        if not self._whole or self._status != 200 or self._find(b"content-encoding"):
            return None
        return b"".join(self._pieces)

    def _find(self, name: bytes) -> str:
        return next((value.decode("latin-1") for known, value in self._headers if known == name), "")

    def release(self) -> None:
        """Give the memory back."""
        self._pieces = []
        self._memory.release()
