"""A process that has imported `fairlead`, and runs each command in a child of its own.

A command spends most of its time with the import of the interpreter's and fairlead's modules, and the tests run some
thousand of them. Each still has a process with its own descriptors, environment, folder and exit code; it begins where
`python -W error -m router` stands after its imports.
"""

import contextlib
import functools
import gc
import importlib
import io
import json
import os
import pkgutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import NamedTuple

_NUMBER = struct.Struct("=i")
#: Variables that the interpreter reads when it starts, before the command does.
_READ_AT_START = ("PYTHON", "LC_", "LANG")


class Ended(NamedTuple):
    """A command that has ended."""

    code: int
    out: bytes
    err: bytes


class CommandProcess:
    """The process of a command, as subprocess.Popen has one."""

    def __init__(self, arguments, told):
        self.args = ["fairlead", *arguments]
        self._told = told
        # The server says which process it is, then with which code it ended.
        self.pid = self._read_number()
        self.returncode = None

    def _read_number(self):
        return _NUMBER.unpack(self._told.recv(_NUMBER.size))[0]

    def wait(self, timeout=None):
        """Its exit code, once it has ended. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            self._told.settimeout(timeout)
            try:
                self.returncode = self._read_number()
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(self.args, timeout) from None
            self._told.close()
        return self.returncode

    def poll(self):
        """The same; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def send_signal(self, number):
        """Send a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self):
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self):
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


class CommandServer:
    """The process, for as long as the tests run. environ: what it starts with."""

    def __init__(self, environ):
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-W", "error", str(Path(__file__)), str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=environ,
                cwd="/",
            )
        assert self._socket.recv(1), "the imports failed"

    def start(self, arguments, streams, *, environ, cwd):
        """Start a command. streams: three descriptors."""
        asked = {"arguments": arguments, "environ": environ, "cwd": str(cwd), "umask": _read_umask()}
        data = json.dumps(asked).encode()
        ours, theirs = socket.socketpair()
        # The next one is asked for when this one has begun: what it is sent would come together.
        with self._lock:
            with theirs:
                socket.send_fds(self._socket, [_NUMBER.pack(len(data))], [*streams, theirs.fileno()])
            self._socket.sendall(data)
            return CommandProcess(arguments, ours)

    def run(self, arguments, *, stdin, environ, cwd, timeout):
        """Run a command to its end. stdin: bytes. timeout: seconds. Raises subprocess.TimeoutExpired."""
        with contextlib.ExitStack() as opened:
            files = [opened.enter_context(tempfile.TemporaryFile()) for _ in range(3)]
            files[0].write(stdin)
            files[0].seek(0)
            process = self.start(arguments, [file.fileno() for file in files], environ=environ, cwd=cwd)
            try:
                code = process.wait(timeout)
            finally:
                process.kill()
            for file in files[1:]:
                file.seek(0)
            return Ended(code, *(file.read() for file in files[1:]))


@functools.cache
def find_server():
    """The server of this test process: it starts when it is first needed, and ends with this process."""
    return CommandServer({name: os.environ[name] for name in ("PATH",) if name in os.environ})


def takes(environ):
    """True for a command that such a process can run as an interpreter of its own would: one whose variables are only
    its own."""
    return hasattr(os, "fork") and not any(name.startswith(_READ_AT_START) for name in environ)


def _read_umask():
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _import_all():
    """Import what commands import when they begin, and later."""
    import router.__main__

    for found in pkgutil.walk_packages(router.__path__, "router."):
        # Some modules are for another system.
        with contextlib.suppress(ImportError):
            importlib.import_module(found.name)
    for name in ("certifi", "httpx", "sqlite3", "tomlkit", "zoneinfo"):
        importlib.import_module(name)
    # As in the tests' own processes: nothing has to outlive a power failure.
    os.fsync = lambda _: None
    # What is imported is nobody's garbage: a command that looked through it would copy the memory of all of it.
    gc.freeze()
    return router.__main__


def _read(connection, size):
    """So many bytes. MSG_WAITALL would give fewer when a command ends meanwhile."""
    data = b""
    while len(data) < size:
        data += connection.recv(size - len(data))
    return data


class _Children:
    """The commands that run, by their numbers: the sockets on which their ends are told."""

    def __init__(self):
        self._told = {}
        signal.signal(signal.SIGCHLD, self._tell_ends)

    def fork(self, told):
        """Fork a command; True in its process. told: gets its number, and at its end its code."""
        # An end is told only when its number is known.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        pid = os.fork()
        if pid:
            told.sendall(_NUMBER.pack(pid))
            self._told[pid] = told
        else:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for other in (told, *self._told.values()):
                other.close()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        return pid == 0

    def _tell_ends(self, *_):
        while self._told:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            # Who asked may have left.
            with self._told.pop(pid) as told, contextlib.suppress(OSError):
                told.sendall(_NUMBER.pack(os.waitstatus_to_exitcode(status)))


def _serve(connection):
    """Start what is asked for; in a command's process, return its arguments."""
    entry = _import_all()
    children = _Children()
    connection.send(b"\n")
    while True:
        size, given, _, _ = socket.recv_fds(connection, _NUMBER.size, 4)
        if not size:
            os._exit(0)
        asked = json.loads(_read(connection, _NUMBER.unpack(size)[0]))
        *streams, told = given
        if children.fork(socket.socket(fileno=told)):
            connection.close()
            return entry, asked, streams
        for number in streams:
            os.close(number)


def _set_standard_descriptors(streams):
    for standard, number in enumerate(streams):
        os.dup2(number, standard)
        os.close(number)


def _open_standard_streams():
    """Open the three anew, as the interpreter does when it starts: what can be done with them depends on what they are,
    a file, a pipe or a terminal."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        before = getattr(sys, name)
        binary = open(number, "wb" if number else "rb", closefd=False)  # noqa: SIM115 - it stays open
        lines = number == 2 or os.isatty(number)
        text = io.TextIOWrapper(binary, before.encoding, before.errors, line_buffering=lines)
        setattr(sys, name, text)
        setattr(sys, f"__{name}__", text)


def _become_command(entry, asked):
    """Make this process what `python -m router` is at its beginning."""
    os.chdir(asked["cwd"])
    os.umask(asked["umask"])
    os.environ.clear()
    os.environ.update(asked["environ"])
    _open_standard_streams()
    sys.argv[:] = [entry.__file__, *asked["arguments"]]
    sys.orig_argv[:] = [sys.executable, "-W", "error", "-m", "router", *asked["arguments"]]
    sys.exit(entry.main())


if __name__ == "__main__":
    entry, asked, streams = _serve(socket.socket(fileno=int(sys.argv[1])))
    _set_standard_descriptors(streams)
    _become_command(entry, asked)
