"""The listener on this machine to which the browser brings the answer of the issuer (RFC 8252, 7.3 and 8.3).

Rules of this file: both loopback addresses of one port, since `localhost` may mean either; one path, GET alone, and a
Host that names this listener; what does not belong to the login changes nothing, and the listener goes on waiting; once
an answer was taken no other is. The page holds nothing of the request, loads nothing, and takes the code out of the
browser's address bar.
"""

import base64
import contextlib
import hashlib
from collections.abc import AsyncGenerator, Callable

import trio

from router.errors import CommandError, RouterError
from router.login.code import Foreign, Refused, Returned, read_parameters
from router.net.headers import RawHeaders
from router.net.loopback import LOCALHOST
from router.net.server.connection import Connection
from router.net.server.limits import Limits
from router.net.server.listen import AddressTaken, accept, hold_port
from router.net.server.request_head import Request
from router.net.stream import SocketStream

# The path stays; what follows it is the code.
_SCRIPT = "history.replaceState(null,'',location.pathname)"
_HASH = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
_HEADERS: RawHeaders = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", f"default-src 'none'; script-src 'sha256-{_HASH}'; frame-ancestors 'none'".encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"connection", b"close"),
]
_TAKEN = "fairlead has the answer. Go back to the terminal; this window can be closed."
_REFUSED = "The login was refused. Go back to the terminal; it says why."
_FOREIGN = "This does not belong to the login that fairlead waits for, and was not used."
_OVER = "This login has its answer already."
_NOT_HERE = "There is nothing here."

#: How many answers that do not belong to a login are told of: any page can send them.
NOTED = 3
#: For the browser to read the page, once the login goes on.
ANSWER_SECONDS = 2.0

#: Judges the parameters of a request; None for a query that cannot be read.
Judge = Callable[["dict[str, str] | None"], Returned]


class Callback:
    """The listener of one login. result: what came, once `done` is set."""

    def __init__(self, path: str, port: int, judge: Judge, note: Callable[[str], None]):
        self.port = port
        self.done = trio.Event()
        self.result: str | Refused | None = None
        self._path = path
        self._judge = judge
        self._note = note
        self._count = 0
        self._hosts = {f"{name}:{port}" for name in ("localhost", "127.0.0.1", "[::1]")}
        # Browsers leave out the usual port.
        self._hosts |= {"localhost", "127.0.0.1", "[::1]"} if port == 80 else set()

    def take(self, returned: Returned) -> bool:
        """Take what came, from here or from the terminal; False for what does not belong to the login, and for what
        came later."""
        if self.done.is_set() or isinstance(returned, Foreign):
            return False
        self.result = returned
        self.done.set()
        return True

    async def __call__(self, connection: Connection, request: Request) -> None:
        """Answer one request."""
        status, text = self._decide(request)
        connection.retire()
        await connection.respond(status, _HEADERS, _make_page(text))

    def _decide(self, request: Request) -> tuple[int, str]:
        host = request.fields.get(b"host", b"").decode("latin-1").lower()
        if host not in self._hosts or request.path != self._path:
            return 404, _NOT_HERE
        if request.method != "GET":
            return 405, _NOT_HERE
        if self.done.is_set():
            return 410, _OVER
        found = read_parameters(request.query)
        returned = self._judge(None if found is None else dict(found))
        if isinstance(returned, Foreign):
            self._count += 1
            if self._count <= NOTED:
                self._note(f"note: an answer came that was not used: {returned.why}. The login goes on waiting.")
            return 400, _FOREIGN
        self.take(returned)
        return (200, _TAKEN) if isinstance(returned, str) else (403, _REFUSED)

    def format_refusal(self, error: RouterError) -> tuple[RawHeaders, bytes]:
        """The answer to what is no request."""
        return list(_HEADERS), _make_page(_NOT_HERE)

    def report_crash(self, error: Exception) -> None:
        """Say that a request failed here; what it held is not repeated."""
        self._note(f"note: an answer could not be read ({type(error).__name__}). The login goes on waiting.")


def _make_page(text: str) -> bytes:
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>fairlead</title>'
        f"<p>{text}</p><script>{_SCRIPT}</script></html>\n"
    ).encode()


@contextlib.asynccontextmanager
async def listen(path: str, port: int, judge: Judge, note: Callable[[str], None]) -> AsyncGenerator[Callback]:
    """Listen while the body runs. port: 0 for a free one. Raises CommandError when it is taken."""
    try:
        listeners = hold_port(LOCALHOST[0], port)
    except AddressTaken:
        raise CommandError(
            f"port {port} is taken by another program, and --redirect-uri names it.",
            "End that program, or log in without the listener:   --manual",
        ) from None
    except OSError as error:
        raise CommandError(
            f"no port on this machine can be listened on: {error.strerror or error}.",
            "Log in without the listener:   --manual",
        ) from None
    callback = Callback(path, listeners[0].getsockname()[1], judge, note)

    open_now: set[Connection] = set()

    async def serve(stream: SocketStream) -> None:
        connection = Connection(stream, callback, Limits())
        open_now.add(connection)
        try:
            await connection.serve()
        finally:
            open_now.discard(connection)

    async with trio.open_nursery() as connections, trio.open_nursery() as accepting:
        for listener in listeners:
            accepting.start_soon(accept, listener, connections, serve)
        try:
            yield callback
        finally:
            accepting.cancel_scope.cancel()
            # Browsers open connections in advance; those wait for nothing.
            for connection in list(open_now):
                connection.retire()
            connections.cancel_scope.deadline = trio.current_time() + ANSWER_SECONDS
