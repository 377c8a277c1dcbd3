"""Request heads: how they are collected, what is refused before h11 sees them, and the parsed request.

Source: RFC 9112 (2.2, 3.2, 5.2, 6.1). h11 accepts bare LF and Content-Length beside Transfer-Encoding, and limits
only heads that are incomplete.
"""

from collections.abc import Callable

import h11
import trio

from router.errors import BadRequest, HeadTooLarge, RouterError, TooLarge, WrongVerb
from router.net.headers import Lines, get_lines, index_by_name
from router.net.server.read_ahead import ReadAhead
from router.net.server.request_path import check_path

HEAD_LIMIT = 65536
FIELD_LIMIT = 100

# The first byte of a client that speaks TLS (RFC 8446, 5.1); no request begins so.
_TLS_HANDSHAKE = b"\x16"
_CONTROLS = bytes(byte for byte in (*range(32), 127) if byte != 9)

_NOT_A_PROXY = "fairlead is not a forward proxy: name it as the tool's base URL, not in HTTP_PROXY or HTTPS_PROXY."


class Request:
    """One request head."""

    __slots__ = ("arrived", "fields", "lines", "method", "path", "query", "signature", "target", "version")

    def __init__(self, event: h11.Request):
        self.method = event.method.decode("ascii")
        self.target: bytes = event.target
        path, _, query = event.target.partition(b"?")
        self.path = path.decode("ascii")
        self.query = query.decode("ascii")
        #: All fields, as they came.
        self.lines: Lines = get_lines(event.headers)
        #: Lower-case name -> first value.
        self.fields = index_by_name(self.lines)
        self.version = event.http_version
        #: Of an operator's signed request, once it was checked; answers to it are signed.
        self.signature = ""
        #: On trio's clock.
        self.arrived = trio.current_time()

    def move_key(self, key: bytes, query: bytes, header: bytes) -> None:
        """Take the caller's key out of the target: as a header, unless it has sent that. query: without the key."""
        path = self.target.partition(b"?")[0]
        self.target, self.query = path + (b"?" + query if query else b""), query.decode("ascii")
        if key and header not in self.fields:
            self.lines.append((header, header, key))
            self.fields[header] = key


async def collect_head(ahead: ReadAhead, on_begun: Callable[[], None]) -> bytes | None:
    """The next raw head up to and with its blank line, None at the end; the bytes behind it stay in `ahead`.

    `on_begun` is called when a first piece came and the rest must be waited for. Raises BadRequest, HeadTooLarge.
    """
    data = b""
    waited = blank = False
    while True:
        if not await ahead.wait_for_data():
            return None
        data += ahead.pop()
        if data[:1] == _TLS_HANDSHAKE:
            raise _make_tls_error()
        if not blank and data.startswith(b"\r\n"):
            blank = True  # one blank line before a request is tolerated (RFC 9112, 2.2)
            data = data[2:]
        if data.startswith(b"\r\n"):
            raise BadRequest("The request begins with blank lines.")
        end = data.find(b"\r\n\r\n") + 4
        head = data[:end] if end > 3 else data
        if len(head) > HEAD_LIMIT:
            raise HeadTooLarge(f"The request head is over {HEAD_LIMIT // 1024} KiB.")
        check_raw(head, whole=end > 3)
        if end > 3:
            if len(data) > end:
                ahead.put_back(data[end:])
            return head
        if not waited:
            waited = True
            on_begun()


def check_raw(head: bytes, *, whole: bool) -> None:
    """Refuse what h11 lets pass: bare LF or CR, control characters, folded fields, too many fields."""
    breaks = head.count(b"\r\n")
    # One pass finds both: the only control characters but tabs must be those of CRLF. The LF of a last CR may follow.
    others = len(head) - len(head.translate(None, _CONTROLS)) - 2 * breaks
    if others > (not whole and head.endswith(b"\r")):
        if head.count(b"\n") == breaks and head.count(b"\r") == breaks:
            raise BadRequest("A line of the request has control characters (RFC 9110, 5.5).")
        raise BadRequest("A line of the request has an end other than CRLF.")
    if breaks > FIELD_LIMIT + 2:
        raise HeadTooLarge(f"The request head has over {FIELD_LIMIT} fields.")
    if b"\r\n " in head or b"\r\n\t" in head:
        raise BadRequest("The request has a folded field (RFC 9112, 5.2).")


def parse_head(parser: h11.Connection, head: bytes) -> Request:
    """The request of a raw head. Raises BadRequest and other errors of requests."""
    parser.receive_data(head)
    try:
        event = parser.next_event()
    except h11.RemoteProtocolError as error:
        raise make_malformed_error(error) from None
    if not isinstance(event, h11.Request):
        raise BadRequest("The request head could not be read.")
    request = Request(event)
    check_head(request)
    return request


def check_head(request: Request) -> None:
    """Refuse framing and targets that two servers could read differently (RFC 9112, 3.2 and 6.1)."""
    if request.version not in (b"1.1", b"1.0"):
        raise BadRequest(f"HTTP/{request.version.decode('ascii')} is not supported; use HTTP/1.1.")
    if b"transfer-encoding" in request.fields:
        if b"content-length" in request.fields:
            raise BadRequest("The request has both Content-Length and Transfer-Encoding.")
        if request.version == b"1.0":
            raise BadRequest("The request has Transfer-Encoding in HTTP/1.0.")
    if request.method == "CONNECT":
        raise WrongVerb(f"CONNECT is not supported. {_NOT_A_PROXY}", allow="GET, HEAD, POST, OPTIONS")
    target = request.target
    if not target.startswith(b"/") and not (target == b"*" and request.method == "OPTIONS"):
        raise BadRequest(f"The request target must be a path, such as /v1/messages. {_NOT_A_PROXY}")
    check_path(target)


def _make_tls_error() -> BadRequest:
    # The client cannot read this, so the log has to say it.
    problem = BadRequest("A client spoke TLS to this port: use http://")
    problem.word = "spoke_tls"
    return problem


def make_malformed_error(error: h11.RemoteProtocolError) -> RouterError:
    """The error for a request h11 cannot parse."""
    # h11 quotes the line, which may hold a key; the quote is cut off.
    problem = BadRequest(f"The request is not valid HTTP: {str(error).partition(': bytearray(')[0]}.")
    problem.status = error.error_status_hint
    return problem


def make_too_large_error(limit: int) -> TooLarge:
    """The error for a request body over `limit` bytes."""
    return TooLarge(f"The request body is over {f'{limit >> 20} MiB' if limit >> 20 else f'{limit >> 10} KiB'}.")
