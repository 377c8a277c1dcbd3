"""Servers whose answers a test scripts, and the control plane's calls to them."""

import contextlib
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import trio

from router.backends import Backend
from router.net.control.calls import ControlError, fetch_models
from router.settings import Secret

KEY = Secret("sk-very-secret")


class Peer(ThreadingHTTPServer):
    """A server whose answers a test scripts: path (with query) -> (status, headers, body), or a function of it."""

    daemon_threads = True

    def __init__(self, tls=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = {}
        self.seen = []
        self.root = f"{'https' if tls else 'http'}://127.0.0.1:{self.server_port}/v1"
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)

    def handle_error(self, request, client_address):
        """A client that leaves early is what some tests do."""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append((self.command, self.path, headers, body))
        answer = self.server.answers.get(self.path, (404, {}, b"{}"))
        status, fields, data = answer(headers) if callable(answer) else answer
        self.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(data)), **fields}.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(data)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *args):
        """Nothing."""


@contextlib.contextmanager
def scripted(tls=None):
    with Peer(tls) as peer:
        thread = threading.Thread(target=peer.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield peer
        finally:
            peer.shutdown()
            thread.join()


@contextlib.contextmanager
def speaking(data):
    """A socket that sends `data` to whoever connects and closes; None accepts nobody and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        root = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        if data is None:
            yield root
            return

        def talk():
            with listener.accept()[0] as connection:
                connection.recv(65536)
                connection.sendall(data)

        thread = threading.Thread(target=talk)
        thread.start()
        yield root
        thread.join()


def backend(root, vendor="", protocols=("chat",)):
    return Backend(name="some", root=root, protocols=protocols, vendor=vendor)


def listed(*names, **more):
    return 200, {}, json.dumps({"object": "list", "data": [{"id": name} for name in names], **more}).encode()


def models(target, key=KEY, **options):
    return trio.run(lambda: fetch_models(target, key, **options))


def failure(call):
    with pytest.raises(ControlError) as failed:
        trio.run(call)
    assert KEY.reveal() not in str(failed.value)
    return failed.value
