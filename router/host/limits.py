"""What a proxy asks of its own process: descriptors, standard streams, memory, and no core files.

Rules of this file: called once, before anything is opened that stays open; what the system refuses is done without.
"""

import contextlib
import functools
import os
import sys
from typing import Any

# What the soft limit was before it was raised; None where it was not.
_usual: tuple[int, int] | None = None


def prepare() -> None:
    """Raise the limit of descriptors, forbid core files, fill missing standard streams, keep freed memory."""
    _fill_streams()
    _raise_limits()
    _keep_freed_memory()


def for_children() -> dict[str, Any]:
    """What starts a child (subprocess.Popen) with the limits this process was started with.

    Programs that use select(2), or close every possible descriptor at their start, fail under a high limit.
    """
    if _usual is None or sys.platform == "win32":
        return {}
    import resource

    # Bound here: between fork and exec no line of Python may run, another thread may have held any lock.
    return {"preexec_fn": functools.partial(resource.setrlimit, resource.RLIMIT_NOFILE, _usual)}


def _fill_streams() -> None:
    """Open the null device in the place of closed standard streams.

    Else the next file or socket gets that number, and what is meant for the terminal is written into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is taken.
            os.open(os.devnull, os.O_RDWR)


def _raise_limits() -> None:
    """As many descriptors as the system allows (two a stream), and no core files: they would hold keys."""
    global _usual  # noqa: PLW0603 - it is the process's, and set once
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS takes no more than OPEN_MAX, whatever it reports as the hard limit.
    wanted = 10240 if sys.platform == "darwin" else hard
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if soft == wanted:
        return
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        _usual = (soft, hard)


def _keep_freed_memory() -> None:
    """Let glibc keep freed memory for the next request.

    It gives the top of the heap back once some 400 KB are free; a 122 KB body needs that much for a moment, and the
    page faults of getting it again cost 0.19 ms a request, a third of its CPU. Over 1 MiB memory goes back at once.
    """
    if sys.platform != "linux":
        return
    import ctypes

    trim_threshold, mmap_threshold = -1, -3
    with contextlib.suppress(OSError, AttributeError):  # another libc
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(trim_threshold, 4 << 20)
        mallopt(mmap_threshold, 1 << 20)
