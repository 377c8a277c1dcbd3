"""The second half of an exchange: from the upstream's response head to the client's last byte."""

import re
from urllib.parse import urlsplit

import h11

from router.errors import BadGateway, RouterError
from router.net.client import Exchange as Upstream
from router.net.headers import RawHeaders, client_response, field
from router.net.stream import Bytes
from router.proxy import bodies
from router.proxy.asking import COMMIT_SECONDS
from router.proxy.relay import Pace, Relay
from router.proxy.ticket import Ticket
from router.wire import base, dialects
from router.wire.base import Failure
from router.wire.tap import Tap, failure_of, usage_of

# A plain answer up to this size is held until it is whole: then an error in it can still change the status.
WHOLE_LIMIT = 1 << 20

_TITLE = re.compile(rb"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_READ_CODINGS = (b"", b"identity", b"gzip", b"x-gzip", b"deflate")


def stream_of(ticket: Ticket, upstream: Upstream, response: h11.Response, *, hide_usage: bool) -> Relay | None:
    """The relay for an event stream; None for any other answer. Raises BadGateway for a redirect."""
    status = response.status_code
    if 300 <= status < 400 and status != 304:
        host = urlsplit(field(response.headers, b"location").decode("latin-1")).hostname
        raise BadGateway(
            f"The backend {_backend(ticket)} answered {status} and points to {host or 'another path'}; redirects are "
            "not followed. Correct its base URL."
        )
    kind = field(response.headers, b"content-type")
    coding = field(response.headers, b"content-encoding").lower()
    if kind[:17].lower() != b"text/event-stream" or not 200 <= status < 300 or coding not in _READ_CODINGS:
        return None
    coded = coding not in (b"", b"identity")

    def begin() -> list[Bytes]:
        headers = relayed_headers(ticket, response, drop=(b"content-encoding",) if coded else ())
        return ticket.began(status, headers, response.reason)

    assert ticket.target is not None
    ticket.record.stream = True
    arrived = ticket.request.arrived
    pace = Pace(
        commit_by=arrived + COMMIT_SECONDS,
        end_by=arrived + ticket.snapshot.settings.timeouts_total,
        idle=ticket.target.idle,
    )
    tap = Tap(ticket.call.dialect, hide_usage=hide_usage)
    return Relay(ticket.connection, upstream, tap, ticket.call.dialect, pace, begin, coded=coded)


async def failed(ticket: Ticket, failure: Failure, response: h11.Response) -> None:
    """An error inside a 200 becomes the status it should have had."""
    ticket.record.notes.append("error inside a 200")
    ticket.record.error = "upstream_error"
    headers = relayed_headers(ticket, response, drop=(b"content-type", b"content-encoding"))
    headers.append((b"content-type", b"application/json"))
    await ticket.respond(failure.status, headers, failure.body)


async def plain(ticket: Ticket, upstream: Upstream, response: h11.Response) -> None:
    """Relay an answer that is no event stream."""
    if ticket.request.method == "HEAD":
        await _head_only(ticket, response)
        return
    # Paths of no protocol carry audio, files and lines that are read as they come.
    limit = 0 if ticket.call.dialect is dialects.PLAIN and not ticket.call.generates else WHOLE_LIMIT
    pieces: list[bytes] = []
    size = 0
    while size <= limit and (not upstream.ended or not size):
        got = await upstream.read()
        if not got:
            break
        pieces += got
        size += sum(map(len, got))
    if upstream.ended:
        await _whole(ticket, response, b"".join(pieces) if len(pieces) != 1 else pieces[0])
    else:
        await _pumped(ticket, upstream, response, pieces)


async def _whole(ticket: Ticket, response: h11.Response, body: bytes | bytearray) -> None:
    status = response.status_code
    readable = _readable(response, body)
    if status >= 400:
        ticket.record.error = "upstream_error"
        if base.decoded(bytes(readable)) is None:
            await _refused(ticket, response, readable)
            return
    elif ticket.call.generates:
        problem = _no_answer(response, readable)
        if problem:
            raise BadGateway(f"The backend {_backend(ticket)} answered {status} with {problem}.")
        failure = failure_of(ticket.call.dialect, readable)
        if failure is not None:
            await failed(ticket, failure, response)
            return
        ticket.record.usage = usage_of(ticket.call.dialect, readable)
    headers = relayed_headers(ticket, response)
    if status in (204, 304):
        await ticket.connection.write([*ticket.began(status, headers, response.reason), *ticket.connection.end()])
    else:
        await ticket.respond(status, headers, body, response.reason)


async def _pumped(ticket: Ticket, upstream: Upstream, response: h11.Response, pieces: list[bytes]) -> None:
    """Send on what came, and the rest as it comes; the upstream's own length is kept."""
    headers = relayed_headers(ticket, response)
    length = field(response.headers, b"content-length")
    if length:
        headers.append((b"content-length", length))
    connection = ticket.connection
    await connection.write(ticket.began(response.status_code, headers, response.reason))
    while pieces:
        parts: list[Bytes] = []
        for piece in pieces:
            parts += connection.data(piece)
        await connection.write(parts)
        pieces = await upstream.read()
    await connection.write(connection.end())


async def _head_only(ticket: Ticket, response: h11.Response) -> None:
    headers = relayed_headers(ticket, response)
    length = field(response.headers, b"content-length")
    if length:
        headers.append((b"content-length", length))
    await ticket.connection.write(
        [*ticket.began(response.status_code, headers, response.reason), *ticket.connection.end()]
    )


async def _refused(ticket: Ticket, response: h11.Response, body: bytes | bytearray) -> None:
    """An error answer that is no JSON (a gateway's page, nothing at all) in the caller's form, same status."""
    said = _quoted(response, body)
    error = BadGateway(f"The backend {_backend(ticket)} answered {response.status_code} with {said}.")
    error.status = response.status_code
    error.kind = base.anthropic_kind(response.status_code)
    headers = relayed_headers(ticket, response, drop=(b"content-type", b"content-encoding"))
    headers.append((b"content-type", b"application/json"))
    await ticket.respond(response.status_code, headers, ticket.call.dialect.error_body(error, ticket.record.id))


def _no_answer(response: h11.Response, body: bytes | bytearray) -> str:
    """What is wrong with a 2xx answer of a model, '' when nothing is."""
    if response.status_code != 204 and not body.strip():
        return "an empty body"
    if field(response.headers, b"content-type")[:9].lower() == b"text/html":
        return _quoted(response, body) + ": a login page or a proxy may stand between"
    return ""


def _quoted(response: h11.Response, body: bytes | bytearray) -> str:
    """What a body that is no JSON says, short and without control characters."""
    if not body.strip():
        return "an empty body"
    if b"html" in field(response.headers, b"content-type").lower() or body.lstrip()[:1] == b"<":
        title = _TITLE.search(body)
        text = title[1].decode("utf-8", "replace").strip() if title else ""
        return "an HTML page" + (f" ({_clean(text)})" if text else "")
    return f"the text: {_clean(bytes(body[: base.QUOTE_LIMIT]).decode('utf-8', 'replace'))}"


def _clean(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text[: base.QUOTE_LIMIT]).strip()


def _readable(response: h11.Response, body: bytes | bytearray) -> bytes | bytearray:
    """The body without its content coding, for reading beside the relay; as it is when that cannot be had."""
    coding = field(response.headers, b"content-encoding").lower()
    if coding in (b"", b"identity"):
        return body
    try:
        return bodies.inflated(body, coding, 8 * WHOLE_LIMIT)
    except RouterError:
        return b""


def relayed_headers(ticket: Ticket, response: h11.Response, *, drop: tuple[bytes, ...] = ()) -> RawHeaders:
    """The upstream's headers with our own behind them."""
    return client_response(response.headers, drop=drop) + ticket.own_headers()  # pyright: ignore[reportArgumentType]


def _backend(ticket: Ticket) -> str:
    return ticket.record.backend
