"""Whether a server speaks TLS or plain HTTP, by its bytes alone."""

import contextlib
import socket
import ssl
import threading

import pytest
import trio
import trustme

from router.net.control import scheme
from router.net.control.calls import fetch_models

from ...patience import PATIENCE
from ..peers import KEY, backend, failure


@contextlib.contextmanager
def answering(answer):
    """A server that gives `answer(first bytes)` on each connection, None for silence; its port."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            while True:
                with listener.accept()[0] as connection:
                    if ended.is_set():
                        return
                    connection.settimeout(PATIENCE)
                    with contextlib.suppress(OSError):
                        data = answer(connection.recv(65536))
                        if data is None:
                            connection.recv(65536)
                        else:
                            connection.sendall(data)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            ended.set()
            socket.create_connection(listener.getsockname()).close()
            thread.join()


def always(data):
    return lambda first: data


@pytest.mark.parametrize(
    ("answer", "tls", "http"),
    [
        (b"\x16\x03\x03\x00\x7a\x02", True, False),
        (b"\x15\x03\x03\x00\x02\x02\x28", True, False),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", False, True),
        (b"HTTP/1.0 501 Unsupported method\r\n\r\n", False, True),
        # What a server with TLS answers to a plain request.
        (b"HTTP/1.1 400 Bad Request\r\n\r\nThe plain HTTP request was sent to HTTPS port", False, False),
        (b"SSH-2.0-OpenSSH_9.2\r\n", False, False),
        (b"", False, False),
    ],
)
def test_only_its_own_bytes_count(answer, tls, http):
    """A closed connection and other protocols are neither."""
    with answering(always(answer)) as port:
        assert trio.run(scheme.speaks, "tls", "127.0.0.1", port) is tls
        assert trio.run(scheme.speaks, "http", "127.0.0.1", port) is http


def test_silence_ends(monkeypatch):
    """A server that says nothing is given up, and so is a port where nobody listens."""
    monkeypatch.setattr(scheme, "SECONDS", 0.05)
    with answering(always(None)) as port:
        assert trio.run(scheme.speaks, "tls", "127.0.0.1", port) is False
    assert trio.run(scheme.speaks, "http", "127.0.0.1", port) is False


def test_a_real_server_with_tls_is_recognised():
    """By its handshake, whatever its certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("other.example").configure_cert(context)

    def hello(first):
        came, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        came.write(first)
        with contextlib.suppress(ssl.SSLError):
            context.wrap_bio(came, out, server_side=True).do_handshake()
        return out.read()

    with answering(hello) as port:
        error = failure(lambda: fetch_models(backend(f"http://127.0.0.1:{port}/v1"), KEY))
    assert error.cause == "speaks_tls"


def test_a_plain_server_that_waits_in_silence_is_recognised():
    """It reads a greeting of TLS as the beginning of a line, and waits for its end."""

    def answer(first):
        return None if first.startswith(b"\x16") else b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

    with answering(answer) as port:
        error = failure(lambda: fetch_models(backend(f"https://127.0.0.1:{port}/v1"), KEY, timeout=0.5))
    assert (error.cause, "did not accept the connection in time" in str(error)) == ("speaks_http", True)
