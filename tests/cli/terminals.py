"""A command on a terminal of its own, which answers what it asks."""

import os
import pty
import subprocess
import sys


def on_terminal(fairlead, arguments, answers, **environ):
    """Run a command on a terminal: its exit code and all that it printed. answers: what is typed, one line each."""
    here, there = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "router", *arguments],
        stdin=there,
        stdout=there,
        stderr=there,
        env={**fairlead.environ, **environ},
        cwd=fairlead.folder,
    )
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
    return process.wait(20), said.decode().replace("\r\n", "\n")
