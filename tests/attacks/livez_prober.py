"""A process of its own that asks /livez every 10 ms, and prints how late each answer was, in seconds, as JSON.

Answers count from when their request was due, not from when it could be sent: a proxy that stands still for a second
makes a hundred answers late, as it would for a hundred clients. It ends when its standard input does.
"""

import contextlib
import json
import select
import socket
import sys
import time

EVERY = 0.01


def probe(port, stop):
    """The latencies until `stop` says so."""
    found = []
    with socket.create_connection(("127.0.0.1", port), 600) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        due = time.monotonic()
        while not stop(0):
            with contextlib.suppress(ValueError):
                time.sleep(due - time.monotonic())
            due = max(due, time.monotonic() - 60)
            sock.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            read_answer(sock)
            found.append(time.monotonic() - due)
            due += EVERY
    return found


def read_answer(sock):
    """One answer, to its end."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += sock.recv(4096)
        assert data, "the connection was closed"
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    size = int(lengths[0].partition(b":")[2])
    while len(body) < size:
        body += sock.recv(4096)


if __name__ == "__main__":
    print(json.dumps(probe(int(sys.argv[1]), lambda wait: bool(select.select([sys.stdin], [], [], wait)[0]))))
