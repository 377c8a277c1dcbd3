"""Limits of the proxy's own process: descriptors, standard streams, freed memory, and no core files.

Rules of this file: called once, before any long-lived descriptor is opened; what the system refuses is skipped.
"""

import contextlib
import functools
import os
import sys
from typing import Any

# The soft and hard limit of descriptors before they were raised; None when they were not.
_original: tuple[int, int] | None = None


def apply_limits() -> None:
    """Raise the limit of descriptors, forbid core files, fill missing standard streams, keep freed memory."""
    _fill_streams()
    _raise_limits()
    _keep_freed_memory()


def make_child_options() -> dict[str, Any]:
    """Options of subprocess.Popen that give a child the limits this process was started with.

    Programs that use select(2), or close every possible descriptor at their start, fail under a high limit.
    """
    if _original is None or sys.platform == "win32":
        return {}
    import resource

    # A partial of a C function: between fork and exec no Python code may run, since another thread may hold a lock.
    return {"preexec_fn": functools.partial(resource.setrlimit, resource.RLIMIT_NOFILE, _original)}


def _fill_streams() -> None:
    """Open the null device in the place of closed standard streams.

    Otherwise the next file or socket gets that number, and output for the terminal is written into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # open() returns the lowest free number.
            os.open(os.devnull, os.O_RDWR)


def _raise_limits() -> None:
    """Allow as many descriptors as the system does (a stream takes two), and no core files: they would hold keys."""
    global _original  # noqa: PLW0603 - it is the process's, and set once
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS accepts at most OPEN_MAX, whatever it reports as the hard limit.
    wanted = 10240 if sys.platform == "darwin" else hard
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if soft == wanted:
        return
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        _original = (soft, hard)


def _keep_freed_memory() -> None:
    """Make glibc keep freed memory for the next request.

    By default it returns the top of the heap once some 400 KB are free. A 122 KB body needs that much for a moment, and
    the page faults of getting it again cost 0.19 ms a request, a third of its CPU. Blocks over 1 MiB are still returned
    at once.
    """
    if sys.platform != "linux":
        return
    import ctypes

    trim_threshold, mmap_threshold = -1, -3
    with contextlib.suppress(OSError, AttributeError):  # another libc
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(trim_threshold, 4 << 20)
        mallopt(mmap_threshold, 1 << 20)
