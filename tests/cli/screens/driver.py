"""Runs commands in this process, one after the other, as terminals of a width or a pipe would read them: a process for
each would take minutes. Those that serve get one.

Reads a JSON list of {"argv", "stdin", "environ"} on stdin, writes one of [code, out, err]."""

import io
import json
import os
import subprocess
import sys

from router.cli import main
from router.net.control import local_servers


class Terminal(io.TextIOWrapper):
    """Output that says to be a terminal; its width is $COLUMNS."""

    def isatty(self):
        return True


def run(argv, stdin, environ):
    """What a command printed, after its exit code."""
    serves = argv[0] in ("demo", "mcp") and "--help" not in argv
    return run_apart(argv, environ) if serves else run_here(argv, stdin, environ)


def run_apart(argv, environ):
    """The same, in a process of its own."""
    command = [sys.executable, "-W", "error", "-m", "router", *argv]
    done = subprocess.run(
        command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, env={**os.environ, **environ}
    )
    return [done.returncode, done.stdout, done.stderr]


def run_here(argv, stdin, environ):
    """The same, in this one."""
    kept = {**os.environ}
    os.environ.update(environ)
    form = Terminal if os.environ.get("COLUMNS") else io.TextIOWrapper
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin.encode()), "utf-8")
    sys.stdout, sys.stderr = (form(io.BytesIO(), "utf-8") for _ in range(2))
    try:
        code = main(argv)
        said = [stream.buffer.getvalue().decode() for stream in (sys.stdout, sys.stderr) if not stream.flush()]
    finally:
        sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__
        os.environ.clear()
        os.environ.update(kept)
    return [code, *said]


if __name__ == "__main__":
    # What else runs on this machine is not on the screens.
    local_servers.PORTS = {}
    print(json.dumps([run(**one) for one in json.load(sys.stdin)]))
