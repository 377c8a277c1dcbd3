"""A server on loopback that answers each request by a function, for the fakes of providers.

It is made of the standard library and knows nothing of the project. An answer is written by hand, so that it can be cut
at any byte; a stream is compressed, flushed at each event, for a caller that asks for gzip.
"""

import contextlib
import gzip
import json
import socket
import struct
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

JSON = "application/json; charset=UTF-8"
SSE = "text/event-stream"
#: A lingering time of 0 seconds makes close a reset.
_RESET = struct.pack("ii", 1, 0)


class Asked(NamedTuple):
    """One request. target: as it arrived. path: decoded, without the query. fields: headers by lower-case name. data:
    the body, decompressed."""

    method: str
    target: str
    path: str
    query: dict
    fields: dict
    data: bytes

    def json(self):
        """The body as JSON; ValueError when it is none."""
        return json.loads(self.data)


class Over(Exception):
    """The connection is over."""


class Out:
    """Where the answer to one request goes."""

    def __init__(self, handler, fields):
        self._handler = handler
        self._zipped = "gzip" in fields.get("accept-encoding", "")
        self._zip = None
        #: Write each byte by itself.
        self.one_byte = False

    def _head(self, status, kind, fields):
        self._handler.send_response_only(status)
        self._handler.send_header("content-type", kind)
        for name, value in fields:
            self._handler.send_header(name, value)

    def whole(self, status, value, fields=(), kind=JSON, *, short=False):
        """A whole answer, value: bytes, or what is written as JSON. short: only half of it, under its full length."""
        data = value if isinstance(value, bytes) else json.dumps(value, indent=2).encode()
        if self._zipped and not short:
            data, fields = gzip.compress(data, mtime=0), [*fields, ("content-encoding", "gzip")]
        self._head(status, kind, [*fields, ("content-length", str(len(data)))])
        self._handler.end_headers()
        self._handler.wfile.write(data[: len(data) // 2] if short else data)

    def begin(self, status=200, kind=SSE, fields=()):
        """The head of a chunked answer."""
        if self._zipped:
            self._zip, fields = zlib.compressobj(wbits=31), [*fields, ("content-encoding", "gzip")]
        self._head(status, kind, [*fields, ("transfer-encoding", "chunked")])
        self._handler.end_headers()

    def send(self, data):
        """A part of a chunked answer."""
        if self._zip is not None:
            data = self._zip.compress(data) + self._zip.flush(zlib.Z_SYNC_FLUSH)
        size = 1 if self.one_byte else len(data)
        for at in range(0, len(data), size or 1):
            part = data[at : at + size]
            self._handler.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))

    def end(self):
        """The end of a chunked answer."""
        tail = self._zip.flush() if self._zip is not None else b""
        self._handler.wfile.write((b"%x\r\n%b\r\n" % (len(tail), tail) if tail else b"") + b"0\r\n\r\n")

    def cut(self, *, reset=False):
        """End the connection wherever the answer stands."""
        sock = self._handler.connection
        if reset:
            time.sleep(0.02)  # a reset overtakes data that the peer has not read yet
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            sock.close()
        else:
            sock.shutdown(socket.SHUT_RDWR)
        raise Over

    def hang(self, seconds):
        """Say nothing until the peer has left, or for that long; then end the connection."""
        sock = self._handler.connection
        sock.settimeout(seconds)
        with contextlib.suppress(OSError):
            while sock.recv(65536):
                pass
        self.cut()


class Server:
    """Listens until it is left. answer: (Asked, Out) -> None. seen: the requests so far. url: http, host and port."""

    def __init__(self, answer):
        self.seen = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 0
            disable_nagle_algorithm = True

            def _serve(self):
                fields = {name.lower(): value for name, value in self.headers.items()}
                path, _, query = self.path.partition("?")
                asked = Asked(
                    self.command, self.path, unquote(path), dict(parse_qsl(query, True)), fields, self._body(fields)
                )
                server.seen.append(asked)
                try:
                    answer(asked, Out(self, fields))
                except (Over, OSError):
                    self.close_connection = True

            do_GET = do_POST = do_DELETE = do_HEAD = do_PUT = _serve  # noqa: N815

            def _body(self, fields):
                if fields.get("transfer-encoding") == "chunked":
                    data = b""
                    while size := int(self.rfile.readline(), 16):
                        data += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                else:
                    data = self.rfile.read(int(fields.get("content-length", 0)))
                return gzip.decompress(data) if fields.get("content-encoding") == "gzip" else data

            def finish(self):
                with contextlib.suppress(OSError):  # the answer may have closed it
                    super().finish()

            def log_message(self, *_):
                pass

        class Listener(ThreadingHTTPServer):
            daemon_threads = True

            def shutdown_request(self, request):
                with contextlib.suppress(OSError):
                    super().shutdown_request(request)

            def handle_error(self, request, client_address):
                server.broken.append(client_address)
                super().handle_error(request, client_address)

        #: Peers whose request could not be served: a defect of the fake.
        self.broken = []
        self._server = Listener(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
