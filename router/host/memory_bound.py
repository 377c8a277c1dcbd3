"""The bound for all buffers of a proxy together (product.md 7, bounds)."""

from router.errors import Unavailable

LIMIT = 256 << 20


class Buffers:
    """Counts the bytes of request bodies and held answers; over the limit new ones are refused."""

    __slots__ = ("held", "limit")

    def __init__(self, limit: int = LIMIT):
        self.limit = limit
        self.held = 0

    def take(self, size: int) -> None:
        """Count `size` bytes. Raises Unavailable, counting nothing, when they do not fit."""
        if self.held + size > self.limit:
            raise Unavailable(
                f"All buffers together are at their bound of {self.limit >> 20} MiB; try again in a moment.",
                retry_after=1,
            )
        self.held += size

    def give(self, size: int) -> None:
        """Count `size` bytes as free again."""
        self.held -= size


class MemoryShare:
    """What one holder has taken of the bound, to be given back at once."""

    __slots__ = ("_bound", "size")

    def __init__(self, bound: Buffers):
        self._bound = bound
        #: Bytes that are counted now.
        self.size = 0

    def hold(self, size: int) -> None:
        """Count `size` bytes more, fewer when it is negative. Raises Unavailable, counting nothing."""
        self._bound.take(size)
        self.size += size

    def release(self) -> None:
        """Give all of it back."""
        self._bound.give(self.size)
        self.size = 0
