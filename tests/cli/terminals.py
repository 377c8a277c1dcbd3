"""A command on a terminal of its own, which answers what it asks."""

import fcntl
import os
import pty
import struct
import termios

from ..patience import PATIENCE


def on_terminal(fairlead, arguments, answers, *, columns=0, **environ):
    """Run a command on a terminal: its exit code and all that it printed. answers: what is typed, one line each.
    columns: 0 where the terminal does not tell its size."""
    here, there = pty.openpty()
    fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 24 if columns else 0, columns, 0, 0))
    process = fairlead.begin(arguments, [there] * 3, **environ)
    os.close(there)
    os.write(here, "".join(f"{answer}\n" for answer in answers).encode())
    said = b""
    try:
        while data := os.read(here, 65536):
            said += data
    except OSError:
        # Linux answers so when the other end is closed.
        pass
    os.close(here)
    return process.wait(PATIENCE), said.decode().replace("\r\n", "\n")
