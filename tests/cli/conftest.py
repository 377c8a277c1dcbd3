"""Real `fairlead` processes on a home of their own, and a scripted provider for them to talk to."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import pytest

from ..command_server import find_server, takes
from ..commands import run_command
from ..local_servers import find_free_port
from ..patience import PATIENCE

ANSWERS = {
    "/v1/messages": {"content": [{"type": "text", "text": "Hi"}]},
    "/v1/chat/completions": {"choices": [{"message": {"content": "Hi"}}]},
    "/v1/responses": {"output": [{"content": [{"text": "Hi"}]}]},
}


class Done(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str


class Command:
    """Runs `fairlead` with warnings as errors, in a home, with nothing of this shell's environment."""

    def __init__(self, folder):
        self.home = folder / "home"
        self.folder = folder
        keep = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
        self.environ = {**keep, "FAIRLEAD_HOME": str(self.home), "HOME": str(folder), "FAIRLEAD_REQUIRE_KEY": "off"}
        self._started = []
        #: Seconds that a command may take.
        self.patience = PATIENCE
        #: False where a test looks at the process of a command that keeps running: it then has its own interpreter.
        self.forks = True

    def __call__(self, *arguments, stdin="", **environ):
        environ = {**self.environ, **environ}
        code, out, err = run_command(
            arguments, environ=environ, stdin=stdin.encode(), cwd=self.folder, timeout=self.patience
        )
        return Done(code, out.decode(), err.decode())

    def begin(self, arguments, streams, **environ):
        """A command's process. streams: its three standard descriptors."""
        environ = {**self.environ, **environ}
        if self.forks and takes(environ):
            return find_server().start(arguments, streams, environ=environ, cwd=self.folder)
        named = dict(zip(("stdin", "stdout", "stderr"), streams, strict=True))
        return subprocess.Popen(self._line(arguments), env=environ, cwd=self.folder, **named)

    def start(self, *arguments, **environ):
        """A command that keeps running, once it says that it serves; its lines until then are in `lines`."""
        reading, writing = os.pipe()
        with open(os.devnull, "rb") as nothing, os.fdopen(writing, "wb"):
            process = self.begin(arguments, [nothing.fileno(), writing, writing], **environ)
        process.stdout = os.fdopen(reading, encoding="utf-8")
        self._started.append(process)
        process.lines = []
        for line in process.stdout:
            process.lines.append(line.rstrip("\n"))
            if line.startswith("Serving."):
                break
        return process

    def backend(self, name):
        """The stored backend."""
        return json.loads((self.home / "backends" / f"{name}.json").read_text())

    def close(self):
        for process in self._started:
            process.kill()
            process.wait()
            process.stdout.close()

    def _line(self, arguments):
        return [sys.executable, "-W", "error", "-m", "router", *arguments]


@pytest.fixture
def fairlead(tmp_path):
    """Runs fairlead commands on a fresh home."""
    command = Command(tmp_path)
    yield command
    command.close()


@pytest.fixture
def free_port():
    """For tests of what is on the port of the settings."""
    return find_free_port()


#: Of a stream.
EVENTS = 12


class Provider(ThreadingHTTPServer):
    """A provider that takes the key `sk-good`. models: its list, None when it has none. closed: the list needs the
    key. serves: the paths it knows. pause: seconds between two of the EVENTS of a stream, None where it sends none."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.models = ["text-embedding-1", "model-a"]
        self.closed = True
        self.needs_key = True
        self.serves = set(ANSWERS)
        self.seen = []
        self.fields = {}
        self.pause = 0.0
        #: Further headers of its answers.
        self.answer_fields = {}

    def answer(self, path, key):
        known = not self.needs_key or key == "sk-good"
        if path == "/v1/models":
            if self.models is None:
                return 404, {"error": {"message": "not found"}}
            if self.closed and not known:
                return 401, {"error": {"message": "Incorrect key", "code": "invalid_api_key"}}
            return 200, {"object": "list", "data": [{"id": name} for name in self.models]}
        if path not in self.serves:
            return 404, {"error": {"message": "no such path"}}
        if not known:
            return 401, {"error": {"message": "Incorrect key", "code": "invalid_api_key"}}
        return 200, ANSWERS[path]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        asked = self.rfile.read(int(self.headers.get("content-length") or 0))
        key = (self.headers.get("authorization") or "").removeprefix("Bearer ") or self.headers.get("x-api-key")
        path = self.path.partition("?")[0]
        self.server.seen.append((path, key))
        self.server.fields[path] = {name.lower(): value for name, value in self.headers.items()}
        status, answer = self.server.answer(path, key)
        body = json.dumps(answer).encode()
        streamed = status == 200 and b'"stream":true' in asked and self.server.pause is not None
        self.send_response(status)
        self.send_header("content-type", "text/event-stream" if streamed else "application/json")
        for name, value in self.server.answer_fields.items():
            self.send_header(name, value)
        self.send_header(*(("connection", "close") if streamed else ("content-length", str(len(body)))))
        self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(EVENTS if streamed else 0):
                self.wfile.write(b"data: " + body + b"\n\n")
                time.sleep(self.server.pause)
            if not streamed:
                self.wfile.write(body)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *args):
        """Nothing."""


@pytest.fixture
def provider():
    """A provider on loopback."""
    with Provider() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()
