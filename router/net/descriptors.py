"""File descriptors: whether there are any, how many are open, and a few kept back for when all others are in use.

Out of descriptors, accept(2) fails and callers would wait in the kernel for an answer that nobody will give. The
reserve lets some of them in: they are answered with 503, or on a connection that is there already, and operators
still reach /status and can stop the proxy.
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
    """True for an error that says that no descriptor is left; of a group, any of them."""
    if isinstance(error, BaseExceptionGroup):
        return any(map(is_exhaustion, cast("BaseExceptionGroup[BaseException]", error).exceptions))
    return isinstance(error, OSError) and error.errno in _EXHAUSTED


def make_exhausted_error() -> Unavailable:
    """The error for a request that needs a descriptor when there is none; no backend and no account is at fault."""
    return Unavailable("fairlead is out of file descriptors; try again in a moment.", retry_after=1)


def has_free() -> bool:
    """True while a socket can be opened. For errors that do not say what they failed of: a resolver that cannot open
    its files says that there is no such name."""
    try:
        socket.socket().close()
    except OSError as error:
        return not is_exhaustion(error)
    return True


def count_open() -> int | None:
    """How many descriptors this process has open, None where the system does not tell. Blocks for a moment."""
    folder = {"linux": "/proc/self/fd", "darwin": "/dev/fd"}.get(sys.platform)
    if folder is None:
        return None
    try:
        # One of them is that of the folder itself.
        return len(os.listdir(folder)) - 1
    except OSError as error:
        return get_limit() if is_exhaustion(error) else None


def get_limit() -> int | None:
    """How many this process may have, None where that is not bounded so."""
    if sys.platform == "win32":
        return None
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


class Reserve:
    """Descriptors that stand for nothing, to be given up one by one."""

    def __init__(self, size: int = RESERVE):
        self._size = size
        self._descriptors: list[int] = []
        self.fill()

    def fill(self) -> None:
        """Take back what was given up, as far as there are descriptors."""
        with contextlib.suppress(OSError):
            while len(self._descriptors) < self._size:
                self._descriptors.append(os.open(os.devnull, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)))

    def free_one(self) -> bool:
        """Free one descriptor for whoever opens something next; False when all are given up."""
        if not self._descriptors:
            return False
        os.close(self._descriptors.pop())
        return True

    @property
    def low(self) -> bool:
        """True while some are given up."""
        return len(self._descriptors) < self._size

    def close(self) -> None:
        """Give up all."""
        while self.free_one():
            pass
