"""The pipe between a host and this server: a message a line, and nothing else on it.

Rules of this file: the descriptors of the pipe are taken away from the rest of the program, so that what is printed
goes to stderr and what is started reads nothing of it; no line is held that is longer than LINE_LIMIT.
"""

import os
import select
import sys
import threading
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from router.mcp.protocol import Json, encode

#: Bytes of a line.
LINE_LIMIT = 1 << 20


class Pipe(NamedTuple):
    """Both ends of the pipe."""

    lines: BinaryIO
    output: "Output"


class Output:
    """Where messages go, from any thread; `open` is False once nobody reads them any more."""

    def __init__(self, descriptor: int):
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self.open = True

    def write(self, message: Json) -> None:
        """Send a message, as a whole."""
        data = memoryview(encode(message))
        with self._lock:
            try:
                while self.open and data:
                    data = data[os.write(self._descriptor, data) :]
            except OSError:
                self.open = False

    def is_read(self) -> bool:
        """False where it is known that nobody reads: the host has closed its end."""
        if sys.platform == "win32":
            return self.open
        if not self.open:
            return False
        poll = select.poll()
        poll.register(self._descriptor, 0)
        return not poll.poll(0)


def take_pipe() -> Pipe:
    """Take standard input and output for messages; what is printed from now on goes to stderr."""
    incoming, outgoing = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    try:
        os.dup2(2, 1)
    except OSError:
        # stderr was closed before the start.
        os.dup2(nothing, 1)
    os.close(nothing)
    return Pipe(os.fdopen(incoming, "rb"), Output(outgoing))


def iter_lines(stream: BinaryIO, limit: int = LINE_LIMIT) -> Iterator[bytes | None]:
    """The lines of a stream as they come, until it ends; None in the place of one that is longer than `limit`."""
    while line := stream.readline(limit + 1):
        if len(line) <= limit or line.endswith(b"\n"):
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = stream.readline(limit)
        yield None
