"""A proxy in the background, started by `fairlead proxy --detach`, and a crowd that asks it without a pause."""

import contextlib
import errno
import json
import os
import signal
import socket
import subprocess
import threading
import time

from router.store.home import processes

from .processes import SOURCES, make_home, until
from .wire import JSON, PATIENCE, Client, ask, request

START = 60.0


class Detached:
    """A home's proxy in the background. command: what starts the program. done: how `fairlead proxy --detach` ended."""

    def __init__(self, folder, *, backends=(), settings=None, command=SOURCES):
        self.folder = folder
        self.home = make_home(folder, backends)
        self._command = command
        keep = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
        own = {"HOME": str(folder), "FAIRLEAD_HOME": str(self.home), "FAIRLEAD_REQUIRE_KEY": "off"}
        self.environ = {**keep, **own, **(settings or {})}
        #: Every process that served.
        self.pids = []
        self.done = self.command("proxy", "--detach", "--port", "0")

    def __enter__(self):
        assert self.done.returncode == 0, self.said()
        self.port = self.run()["port"]
        return self

    def __exit__(self, *_):
        for pid in {*self.pids, *(run["pid"] for run in self.runs())}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def command(self, *arguments):
        """Run a command on the home; how it ended."""
        return subprocess.run(
            [*self._command, *arguments],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=self.environ,
            cwd=self.folder,
            timeout=START,
        )

    def runs(self):
        """The run files."""
        return [json.loads(path.read_text()) for path in (self.home / "run").glob("*.json")]

    def run(self):
        """The one run file; its process is noted."""
        [found] = self.runs()
        if found["pid"] not in self.pids:
            self.pids.append(found["pid"])
        return found

    def restart(self):
        """Ask for a restart; the answer. One that came to nothing because the machine is busy is asked for again."""
        for _ in range(5):
            answer = ask(self.port, "/admin/restart", b"{}", JSON, self.operator())
            if answer is None or b"did not serve within" not in answer.body:
                break
        return answer

    def operator(self):
        """The header that operator endpoints ask for."""
        return b"Authorization", b"Bearer " + (self.home / "operator.token").read_bytes().strip()

    def gone(self, pid):
        """Wait until a process has ended."""
        return until(lambda: not processes.alive(pid))

    def said(self):
        """What it and its start said."""
        log = self.home / "proxy.log"
        return f"{self.done.stdout}{self.done.stderr}{log.read_text()[-3000:] if log.exists() else ''}"


class Watch:
    """Asks on a new connection every 10 ms, and tries to take the port as often. faults: what went wrong."""

    def __init__(self, port):
        self._port = port
        self.faults = []
        self.asked = 0
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._repeat, args=(work,)) for work in (self._ask, self._bind)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _repeat(self, work):
        while not self._ended.wait(0.01):
            try:
                work()
            except Exception as error:
                self.faults.append((time.monotonic(), repr(error)))

    def _ask(self):
        with Client(self._port) as client:
            client.send(request("/livez"))
            answer = client.answer()
            assert answer is not None, "the connection ended without an answer"
            assert answer.status == 200
            self.asked += 1

    def _bind(self):
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::1")):
            with socket.socket(family) as taker:
                taker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    taker.bind((address, self._port))
                    taker.listen()
                except OSError as error:
                    if error.errno not in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                        raise
                else:
                    raise AssertionError(f"{address} could be taken")
