"""Real servers for tests: redis-server or valkey-server on a Unix socket or a free port, in a temporary folder."""

import os
import shutil
import signal
import socket
import subprocess
import time

import pytest

from ...patience import PATIENCE

#: Set where the tests must not be skipped for want of a server.
REQUIRED = "FAIRLEAD_TEST_REDIS"


def find_program():
    """The server's program; skips the test where there is none, or fails it where one is required."""
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
    """One server. options: further lines of its configuration."""

    def __init__(self, folder, *options, persistent=False):
        self._program = find_program()
        self._folder = folder
        self._options = options
        self._persistent = persistent
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self._process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self.kill()

    def start(self):
        """Start it, and wait until it answers."""
        append = ["--appendonly", "yes", "--appendfsync", "everysec"] if self._persistent else []
        command = [self._program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", *append]
        self._process = subprocess.Popen(
            [*command, "--dir", str(self._folder), *self._options], stdout=subprocess.DEVNULL
        )
        ends = time.monotonic() + PATIENCE
        while True:
            try:
                if self.command("PING") in ("+PONG", "-NOAUTH Authentication required."):
                    return
            except OSError:
                pass
            assert time.monotonic() < ends, "the server does not answer"
            time.sleep(0.01)  # a program of others: it has no way to say that it listens

    def command(self, *words):
        """The first line of the answer to a command, by a connection of its own."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as connection:
            parts = [str(word).encode() for word in words]
            connection.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(one), one) for one in parts))
            return connection.makefile("rb").readline().decode().strip()

    def read(self, *words):
        """The text that a command answers with, '' for none."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as connection:
            parts = [str(word).encode() for word in words]
            connection.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(one), one) for one in parts))
            file = connection.makefile("rb")
            size = file.readline()
            assert size.startswith(b"$"), size
            return file.readline().decode().strip() if size != b"$-1\r\n" else ""

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
