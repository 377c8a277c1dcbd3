"""A release host on loopback over TLS, with the paths and redirects of the real one, and with faults on demand.

Below its address are `latest/download/NAME`, which leads to `download/vVERSION/NAME` of the newest release, which
leads to the bytes at another path, as the real host leads to where it stores them.
"""

import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: Bytes in, bytes out: what a fault makes of a file.
Change = Callable[[bytes], bytes]


@dataclass
class Faults:
    """What is wrong with a file, by its name; an empty one is a host in order."""

    #: Other bytes than those of the release.
    changed: dict[str, Change] = field(default_factory=dict[str, Change])
    #: The connection ends after so many bytes of the body, whose length was announced in full.
    cut: dict[str, int] = field(default_factory=dict[str, int])
    #: Addresses in place of the file.
    elsewhere: dict[str, str] = field(default_factory=dict[str, str])
    #: Files that are not there.
    missing: set[str] = field(default_factory=set[str])


class ReleaseHost:
    """Serves releases until closed. releases: the folder of files by version; latest: the newest version.

    certificate: a PEM file of key and chain for `localhost` and 127.0.0.1.
    """

    def __init__(self, certificate: Path, releases: dict[str, Path], latest: str):
        self.releases = releases
        self.latest = latest
        self.faults = Faults()
        #: The paths that were asked for, in their order.
        self.asked: list[str] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._server = _Server(self, context)
        #: The port on 127.0.0.1.
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The address below which the releases are."""
        return f"https://localhost:{self.port}/fairlead/fairlead/releases"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def find(self, path: str) -> tuple[int, str, bytes]:
        """Status, Location and body for a path of a request."""
        parts = unquote(urlsplit(path).path).strip("/").split("/")
        match parts:
            case ["fairlead", "fairlead", "releases", "latest", "download", name]:
                return 302, f"/fairlead/fairlead/releases/download/v{self.latest}/{name}", b""
            case ["fairlead", "fairlead", "releases", "download", tag, name] if self._find_file(tag, name):
                return 302, self.faults.elsewhere.get(name, f"/stored/{tag}/{name}?expires=1"), b""
            case ["stored", tag, name] if file := self._find_file(tag, name):
                return 200, "", self.faults.changed.get(name, bytes)(file.read_bytes())
            case _:
                return 404, "", b"Not Found"

    def _find_file(self, tag: str, name: str) -> Path | None:
        folder = self.releases.get(tag.removeprefix("v"))
        if folder is None or name in self.faults.missing or not (folder / name).is_file():
            return None
        return folder / name


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, host: ReleaseHost, context: ssl.SSLContext):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.host = host
        self._context = context

    def finish_request(self, request: object, client_address: object) -> None:
        # In the connection's own thread: a client that does not shake hands holds up no other.
        with suppress(OSError), self._context.wrap_socket(request, server_side=True) as stream:  # pyright: ignore[reportArgumentType]
            _Handler(stream, client_address, self)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that break off are part of the play."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer one request, with its fault if it has one."""
        assert isinstance(self.server, _Server)
        host = self.server.host
        host.asked.append(self.path)
        status, location, body = host.find(self.path)
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        name = self.path.partition("?")[0].rpartition("/")[2]
        if status == 200 and name in host.faults.cut:
            self.wfile.write(body[: host.faults.cut[name]])
            self.close_connection = True
        else:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name is the base class's)
        """Say nothing; `asked` has it."""
