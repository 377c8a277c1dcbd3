"""Runs `fairlead` commands to their end."""

import os
import subprocess
import sys

from .command_server import Ended, find_server, takes
from .patience import PATIENCE


def run_command(arguments, *, environ, stdin=b"", cwd="/", timeout=PATIENCE, before=()):
    """Run a command with these variables alone, in a child of the process that has imported fairlead where that does.
    before: words of another command, which runs it. Raises subprocess.TimeoutExpired."""
    if takes(environ) and not before:
        return find_server().run(arguments, stdin=stdin, environ=environ, cwd=cwd, timeout=timeout)
    line = [*before, sys.executable, "-W", "error", "-m", "router", *arguments]
    done = subprocess.run(line, check=False, input=stdin, capture_output=True, env=environ, cwd=cwd, timeout=timeout)
    return Ended(done.returncode, done.stdout, done.stderr)


def run_in_home(home, *arguments, before=(), **environ):
    """Run a command with this home, and nothing else of this shell's environment. before: as of `run_command`."""
    keep = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    own = {"HOME": str(home.parent), "FAIRLEAD_HOME": str(home)}
    return run_command(arguments, environ={**keep, **own, **environ}, before=before)
