"""`fairlead init` on a real terminal: typed answers, a hidden key, Ctrl-C."""

import json
import os
import select
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ...local_servers import model_server
from ..conftest import Command

pty = pytest.importorskip("pty")

PROGRAM = Path(__file__).with_name("program.py")
SECONDS = 60


class Session:
    """A command on a terminal of 40 columns; each answer is typed once its question has come."""

    def __init__(self, fairlead, *arguments, **environ):
        import fcntl
        import struct
        import termios

        self._fd, there = pty.openpty()
        fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 10, 40, 0, 0))
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", str(PROGRAM), *arguments],
            stdin=there,
            stdout=there,
            stderr=there,
            env={**fairlead.environ, "TERM": "xterm", **environ},
            cwd=fairlead.folder,
            start_new_session=True,
        )
        os.close(there)
        self.said = ""

    def answer(self, question, text):
        """Type a text behind a question that ends so."""
        deadline = time.monotonic() + SECONDS
        while question not in self.said.rpartition("\0")[2]:
            assert self._read(deadline), self.said
        # What was answered before does not count again.
        self.said += "\0"
        os.write(self._fd, text.encode())

    def end(self):
        """The exit code, and all that was shown."""
        deadline = time.monotonic() + SECONDS
        while self._read(deadline):
            pass
        os.close(self._fd)
        return self._process.wait(SECONDS), self.said.replace("\0", "")

    def _read(self, deadline):
        ready, _, _ = select.select([self._fd], [], [], max(0, deadline - time.monotonic()))
        try:
            data = os.read(self._fd, 65536) if ready else b""
        except OSError:
            # Linux answers so when the other end is closed.
            data = b""
        self.said += data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)


@pytest.fixture
def fairlead(tmp_path):
    command = Command(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as free:
        command.environ |= {"NO_COLOR": "1", "PATH": "", "FAIRLEAD_PORT": str(free.getsockname()[1])}
    yield command
    command.close()


def test_answers(fairlead):
    """A wrong answer, a right one, a proxy for the first answer; no line is coloured or too long."""
    with model_server("ollama") as (port, _):
        session = Session(fairlead, "init", TEST_PORTS=json.dumps({"ollama": port}))
        session.answer("[all]: ", "2\n")
        session.answer("[all]: ", "1\n")
        session.answer("[y]: ", "n\n")
        code, said = session.end()
    assert code == 0, said
    assert "2 is none of the numbers" in said
    assert '"Hi"' in said
    assert "fairlead backend remove ollama" in said
    assert "\x1b" not in said
    assert fairlead.backend("ollama")["auth"] == "none"


def test_key_and_ctrl_c(fairlead):
    """A pasted key of several lines is not taken as the answers to what follows, and is not shown; Ctrl-C leaves the
    terminal as it was and the home empty."""
    session = Session(fairlead, "init", "--backend", "anthropic")
    session.answer("(not shown): ", "'sk-ant-secret'\nsk-ant-second\n")
    session.answer("(not shown): ", "\x03")
    code, said = session.end()
    assert code == 130
    assert "The key is in quotes." in said.replace("\n", " ")
    assert "Stopped; nothing was changed." in said
    assert "sk-ant" not in said
    assert [path for path in fairlead.home.rglob("*") if path.is_file()] == []
