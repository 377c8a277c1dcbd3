"""The bound for all buffers of a proxy together: many large requests at once must not exhaust the machine's memory."""

from router.errors import Unavailable

LIMIT = 256 << 20


class MemoryBound:
    """Counts the bytes of request bodies and buffered answers; over the limit new ones are refused."""

    __slots__ = ("limit", "reserved")

    def __init__(self, limit: int = LIMIT):
        self.limit = limit
        self.reserved = 0

    def reserve(self, size: int) -> None:
        """Count `size` bytes as used. Raises Unavailable, counting nothing, when they do not fit."""
        if self.reserved + size > self.limit:
            raise Unavailable(
                f"All buffers together are at their bound of {self.limit >> 20} MiB; try again in a moment.",
                retry_after=1,
            )
        self.reserved += size

    def release(self, size: int) -> None:
        """Count `size` bytes as free again."""
        self.reserved -= size


class MemoryShare:
    """What one holder has taken of the bound, to be given back at once."""

    __slots__ = ("_bound", "size")

    def __init__(self, bound: MemoryBound):
        self._bound = bound
        #: Bytes that are counted now.
        self.size = 0

    def hold(self, size: int) -> None:
        """Count `size` bytes more, fewer when it is negative. Raises Unavailable, counting nothing."""
        self._bound.reserve(size)
        self.size += size

    def release(self) -> None:
        """Give all of it back."""
        if self.size:
            self._bound.release(self.size)
            self.size = 0
