"""A process of its own that asks /livez every 10 ms, and prints how late each answer was, in seconds, as JSON.

Answers count from when their request was due, and each request is sent when it is due, on a connection whose last one
is answered: a proxy that stands still for a second makes a hundred answers late, as it would for a hundred clients. It
ends when its standard input does; what was not answered until then counts as answered at that time.
"""

import json
import selectors
import socket
import sys
import time

EVERY = 0.01
_REQUEST = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
# Connections of one client that the proxy keeps open at once; when all wait for an answer, so does the next request.
_MOST = 32


class Prober:
    """Connections to one proxy, and how late it answered on them."""

    def __init__(self, port):
        self._port = port
        self._selector = selectors.DefaultSelector()
        self._selector.register(sys.stdin, selectors.EVENT_READ)
        self._idle = []
        # When the request on a connection was due, and what has come of its answer.
        self._asked = {}
        self._due = 0.0
        self.found = []
        for _ in range(_MOST):
            self._open()

    def _open(self):
        sock = socket.create_connection(("127.0.0.1", self._port), 600)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(sock, selectors.EVENT_READ)
        self._idle.append(sock)

    def run(self):
        """Ask until standard input ends; the latencies."""
        self._due = time.monotonic()
        while True:
            now = time.monotonic()
            while self._due <= now and self._idle:
                sock = self._idle.pop()
                self._asked[sock] = [self._due, b""]
                sock.sendall(_REQUEST)
                self._due += EVERY
            for key, _ in self._selector.select(max(0.0, self._due - time.monotonic()) if self._idle else None):
                if key.fileobj is sys.stdin:
                    return self._end()
                self._read(key.fileobj)

    def _read(self, sock):
        asked = self._asked.get(sock)
        if asked is None:
            # The proxy has closed a connection that was not used for long.
            self._selector.unregister(sock)
            self._idle.remove(sock)
            sock.close()
            self._open()
            return
        data = sock.recv(4096)
        assert data, "the connection was closed"
        asked[1] += data
        if _is_whole(asked[1]):
            self.found.append(time.monotonic() - asked[0])
            del self._asked[sock]
            self._idle.append(sock)

    def _end(self):
        """The latencies, with those of what is not answered, and of what could not be asked."""
        now = time.monotonic()
        late = [due for due, _ in self._asked.values()]
        while self._due < now:
            late.append(self._due)
            self._due += EVERY
        return self.found + [now - due for due in late]


def _is_whole(data):
    """True for an answer that came to its end."""
    head, mark, body = data.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return bool(mark) and len(body) >= int(lengths[0].partition(b":")[2])


if __name__ == "__main__":
    print(json.dumps(Prober(int(sys.argv[1])).run()))
