"""Real servers for tests: redis-server or valkey-server on a Unix socket or a free port, in a temporary folder."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time

import pytest

from ...machines import HERE
from ...patience import PATIENCE

#: Set where the tests must not be skipped for want of a server.
REQUIRED = "FAIRLEAD_TEST_REDIS"
#: The path of the server to test with, in the place of the one that is installed.
CHOSEN = "FAIRLEAD_TEST_VALKEY"


def find_program():
    """The server's program; skips the test where there is none, or fails it where one is required."""
    if chosen := os.environ.get(CHOSEN):
        return chosen
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return found
    if os.environ.get(REQUIRED):
        pytest.fail(f"${REQUIRED} is set, and neither valkey-server nor redis-server is installed")
    pytest.skip("neither valkey-server nor redis-server is installed")


def free_port():
    """A port of loopback that nothing listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Server:
    """One server. options: further lines of its configuration. machine: where it runs."""

    def __init__(self, folder, *options, persistent=False, machine=HERE):
        self._program = find_program()
        self._folder = folder
        self._options = options
        self._persistent = persistent
        self._machine = machine
        self.port = machine.run(free_port)
        self.url = f"redis://127.0.0.1:{self.port}"
        self._process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self.kill()

    def start(self):
        """Start it, and wait until it answers; skips the test where TLS is asked of one that was built without it."""
        append = ["--appendonly", "yes", "--appendfsync", "everysec"] if self._persistent else []
        command = [self._program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", *append]
        command = [*self._machine.command, *command, "--dir", str(self._folder), *self._options]
        log = self._folder / "server.log"
        with log.open("wb") as file:
            self._process = subprocess.Popen(command, stdout=file)
        ends = time.monotonic() + PATIENCE
        while True:
            try:
                if self.command("PING") in ("+PONG", "-NOAUTH Authentication required."):
                    return
            except OSError:
                pass
            if self._process.poll() is not None:
                said = log.read_text()
                if "TLS support" in said:
                    pytest.skip(f"{self._program} was built without TLS")
                pytest.fail(f"the server has ended: {said[-500:]}")
            assert time.monotonic() < ends, "the server does not answer"
            time.sleep(0.01)  # a program of others: it has no way to say that it listens

    @contextlib.contextmanager
    def _ask(self, words):
        """A file with the answer to a command, by a connection of its own."""
        parts = [str(word).encode() for word in words]
        told = b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(one), one) for one in parts)
        opened = self._machine.run(socket.create_connection, ("127.0.0.1", self.port), PATIENCE)
        with opened as connection, connection.makefile("rb") as file:
            connection.sendall(told)
            yield file

    def command(self, *words):
        """The first line of the answer to a command."""
        with self._ask(words) as file:
            return file.readline().decode().strip()

    def read(self, *words):
        """The text that a command answers with, '' for none."""
        with self._ask(words) as file:
            size = file.readline()
            assert size.startswith(b"$"), size
            return file.read(int(size[1:])).decode() if size != b"$-1\r\n" else ""

    def read_info(self, section, field):
        """One field of what INFO tells."""
        text = self.read("INFO", section)
        return next(line.partition(":")[2] for line in text.splitlines() if line.startswith(field + ":"))

    def kill(self):
        """End it at once, as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self):
        """Have it answer nothing, as behind a network that is gone."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self):
        """Have it answer again."""
        self._process.send_signal(signal.SIGCONT)
