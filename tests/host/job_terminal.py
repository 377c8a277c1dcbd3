"""A terminal with a job on it, as a shell keeps one: a session whose leader starts the job in a group of its own, takes
the terminal back when the job stops, and can continue it."""

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

from ..patience import PATIENCE

# The leader: starts the job in the foreground, and does what it is told, a line each.
LEADER = """
import os, signal, sys, json
control, answers, log = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
signal.signal(signal.SIGHUP, lambda *_: None)
job = os.fork()
if not job:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.close(control); os.close(answers)
    os.execv(sys.argv[4], sys.argv[4:])
def say(*words):
    os.write(answers, (json.dumps(words) + "\\n").encode())
say("job", job)
while True:
    try:
        pid, status = os.waitpid(job, os.WUNTRACED)
    except ChildProcessError:
        break
    if os.WIFSTOPPED(status):
        os.tcsetpgrp(0, os.getpgrp())
        say("stopped", os.WSTOPSIG(status))
        os.read(control, 1)
        os.tcsetpgrp(0, job)
        os.killpg(job, signal.SIGCONT)
        continue
    say("ended", os.waitstatus_to_exitcode(status))
    break
try:
    os.read(control, 1)
except OSError:
    pass
"""


class JobTerminal:
    """The terminal. words: the job. lines: the file in which the job writes."""

    def __init__(self, words, lines, environ, folder, *, leads=False):
        self.lines = lines
        self._control, give = os.pipe()
        answers, self._tell = os.pipe()
        os.set_inheritable(self._control, True)
        self.pid, self.terminal = pty.fork()
        if not self.pid:
            os.chdir(folder)
            os.set_inheritable(self._tell, True)
            for number in (give, answers):
                os.close(number)
            leader = [sys.executable, "-c", LEADER, str(self._control), str(self._tell), str(lines), *words]
            command = words if leads else leader
            os.execve(command[0], command, environ)
        os.close(self._control)
        os.close(self._tell)
        self._give, self._answers = give, os.fdopen(answers, "r")
        self.shown = b""

    def answer(self):
        """The next thing that the leader says."""
        return json.loads(self._answers.readline())

    def written(self, count, seconds=PATIENCE):
        """The first lines that the job has written, once there are as many."""
        until = time.monotonic() + seconds
        while True:
            found = [json.loads(line) for line in self.lines.read_text().splitlines()] if self.lines.exists() else []
            if len(found) >= count:
                return found
            assert time.monotonic() < until, (found, self.read())
            select.select([self.terminal] if self.terminal >= 0 else [], [], [], 0.01)
            self.read()

    def read(self):
        """All that the terminal has shown until now."""
        while self.terminal >= 0 and select.select([self.terminal], [], [], 0)[0]:
            try:
                data = os.read(self.terminal, 65536)
            except OSError:
                break
            if not data:
                break
            self.shown += data
        return self.shown.decode(errors="replace").replace("\r\n", "\n")

    def type(self, data):
        """Type something."""
        os.write(self.terminal, data)

    def resize(self, rows, columns):
        """Give the terminal another size."""
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def modes(self):
        """The local modes of the terminal."""
        return termios.tcgetattr(self.terminal)[3]

    def resume(self):
        """Continue a job that has stopped, in the foreground."""
        os.write(self._give, b"\n")

    def hang_up(self):
        """Close the terminal's window."""
        os.close(self.terminal)
        self.terminal = -1

    def close(self):
        """End what is left."""
        if self.terminal >= 0:
            os.close(self.terminal)
        os.close(self._give)
        self._answers.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
