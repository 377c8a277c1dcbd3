"""A program of another user that takes the place of a proxy: it relays nonces, and keeps what it gets."""

import contextlib
import socket
import threading

from ..patience import PATIENCE


class Relay:
    """Listens on an address. seen: all bytes that came. whole: relays everything, not only /livez."""

    def __init__(self, target, *, address="127.0.0.1", port=0, whole=False):
        self.seen = bytearray()
        self._target, self._whole = target, whole
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, port), family=family)
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE)

    def _serve(self):
        while True:
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.settimeout(PATIENCE)
                self._answer(connection)

    def _answer(self, connection):
        asked = connection.recv(65536)
        self.seen += asked
        if not asked:
            return
        if not self._whole and not asked.startswith(b"GET /livez"):
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")
            return
        with socket.create_connection(self._target, 5) as real:
            head, blank, body = asked.partition(b"\r\n\r\n")
            lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
            real.sendall(b"\r\n".join([*lines, b"Connection: close"]) + blank + body)
            while data := real.recv(65536):
                connection.sendall(data)
