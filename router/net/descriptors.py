"""File descriptors: whether any is free, how many are open, and a reserve for when all others are in use.

Out of descriptors, accept(2) fails, and clients would wait in the kernel's backlog without an answer. The reserve lets
some of them in: they are answered with 503, or over an upstream connection that is already open, and operators still
reach /status and can stop the proxy.
"""

import contextlib
import errno
import os
import socket
import sys
from typing import cast

from router.errors import Unavailable

RESERVE = 8
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, getattr(errno, "WSAEMFILE", errno.EMFILE))


def is_exhaustion(error: BaseException | None) -> bool:
    """True for an error that says that no descriptor is left, and for a group with such an error."""
    if isinstance(error, BaseExceptionGroup):
        return any(map(is_exhaustion, cast("BaseExceptionGroup[BaseException]", error).exceptions))
    return isinstance(error, OSError) and error.errno in _EXHAUSTED


def make_exhausted_error() -> Unavailable:
    """The error for a request that needs a descriptor when there is none; no backend or account failed."""
    return Unavailable("fairlead is out of file descriptors; try again in a moment.", retry_after=1)


def has_free() -> bool:
    """True while a socket can be opened. For errors that hide their cause: a resolver that cannot open its files
    reports that the name does not exist."""
    try:
        socket.socket().close()
    except OSError as error:
        return not is_exhaustion(error)
    return True


def count_open() -> int | None:
    """How many descriptors this process has open, None where the system does not say. Blocks for a moment."""
    folder = {"linux": "/proc/self/fd", "darwin": "/dev/fd"}.get(sys.platform)
    if folder is None:
        return None
    try:
        # One of them is the listing's own.
        return len(os.listdir(folder)) - 1
    except OSError as error:
        return get_limit() if is_exhaustion(error) else None


def get_limit() -> int | None:
    """How many descriptors this process may have, None where there is no such limit."""
    if sys.platform == "win32":
        return None
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


class Reserve:
    """Descriptors of the null device, to be closed one by one when others are needed."""

    def __init__(self, size: int = RESERVE):
        self._size = size
        self._descriptors: list[int] = []
        self.fill()

    def fill(self) -> None:
        """Open the null device again for those that were closed, as far as descriptors are free."""
        with contextlib.suppress(OSError):
            while len(self._descriptors) < self._size:
                self._descriptors.append(os.open(os.devnull, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)))

    def free_one(self) -> bool:
        """Close one, so that the next open succeeds; False when none is left."""
        if not self._descriptors:
            return False
        os.close(self._descriptors.pop())
        return True

    @property
    def low(self) -> bool:
        """True while some are closed."""
        return len(self._descriptors) < self._size

    def close(self) -> None:
        """Close all."""
        while self.free_one():
            pass
