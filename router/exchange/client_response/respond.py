"""The second half of an exchange: from the upstream's response head to the client's last byte."""

import math
import re
from urllib.parse import urlsplit

import trio

from router.errors import BadGateway
from router.exchange.client_response.relay import Pace, Relay
from router.exchange.context import Ticket
from router.exchange.request import resource_affinity, translation
from router.exchange.request.send import COMMIT_SECONDS
from router.exchange.upstream_response.content_coding import decoder_of
from router.exchange.upstream_response.translated import usage_before
from router.ir import Usage
from router.net.client.exchange import Exchange as Upstream
from router.net.headers import Lines, client_response, named_in_connection
from router.net.server.connection import Cut
from router.net.stream import Bytes
from router.settings.secret_detection import MIN_SECRET_LENGTH
from router.wire import dialect, protocols, resource_ids
from router.wire.dialect import Failure
from router.wire.raw import content_coding, json_values
from router.wire.tap import Tail, Tap, failure_of, usage_of

# A plain answer up to this size is held until it is whole: then an error in it can still change the status.
WHOLE_LIMIT = 1 << 20
# An error that does not come to its end must not hold up the next attempt.
ERROR_SECONDS = 10.0
JSON = (b"content-type", b"content-type", b"application/json")

# Of a plain answer: names and punctuation of JSON beside the text.
_BYTES_PER_TOKEN = 4
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


def stream_of(ticket: Ticket, upstream: Upstream, *, hide_usage: bool) -> Relay | None:
    """The relay for an event stream; None for any other answer. Raises BadGateway for a redirect."""
    status = upstream.status
    if 300 <= status < 400 and status != 304:
        raise BadGateway(
            f"The backend {_backend(ticket)} answered {status} and points to {_pointed_to(upstream)}; redirects are "
            "not followed. Correct its base URL."
        )
    kind = upstream.fields.get(b"content-type", b"")
    if kind[:17].lower() != b"text/event-stream" or not 200 <= status < 300:
        return None
    try:
        decoder = decoder_of(upstream)
    except (content_coding.UnknownCoding, content_coding.Malformed):
        return None

    def begin() -> list[Bytes]:
        resource_affinity.note_stream(ticket, tap.response_id)
        headers = relayed_headers(ticket, upstream, drop=(b"content-encoding",) if decoder else ())
        return ticket.began(status, headers, upstream.reason)

    assert ticket.target is not None
    ticket.record.stream = True
    arrived = ticket.request.arrived
    pace = Pace(
        commit_by=arrived + COMMIT_SECONDS,
        end_by=arrived + ticket.target.total,
        idle=ticket.target.idle,
    )
    tap = Tap(ticket.call.dialect, ticket.target.profile, hide_usage=hide_usage)
    relay = Relay(ticket.connection, upstream, tap, ticket.call.dialect, pace, begin, ticket.hold, decoder=decoder)
    relay.kept = ticket.kept
    return relay


def _pointed_to(upstream: Upstream) -> str:
    try:
        host = urlsplit(upstream.fields.get(b"location", b"").decode("latin-1")).hostname
    except ValueError:
        return "a malformed address"
    return host or "another path"


def failed(ticket: Ticket, failure: Failure, upstream: Upstream) -> Upstream:
    """An error inside a 200 as the answer it should have been."""
    ticket.record.note("error inside a 200")
    gone = (b"content-type", b"content-encoding", b"content-length")
    lines = [*(line for line in upstream.lines if line[1] not in gone), JSON]
    return held(upstream, failure.status, b"", lines, failure.body)


def held(upstream: Upstream, status: int, reason: bytes, lines: Lines, body: bytes) -> Upstream:
    """An answer that was read, to be read once more; it needs the upstream no longer."""
    kept = translation.Translated(None, [body])
    kept.status, kept.reason, kept.lines = status, reason, lines
    kept.fields = {name: value for name, value in upstream.fields.items() if any(name == line[1] for line in lines)}
    return kept


async def read_error(ticket: Ticket, upstream: Upstream, *, within: bool) -> tuple[Upstream, bytes] | None:
    """An error answer to be kept, and what its body says; None for one that is too large to hold. within: what is not
    read in ERROR_SECONDS is not waited for."""
    pieces: list[bytes] = []
    size = 0
    with trio.move_on_after(ERROR_SECONDS if within else math.inf):
        while got := await upstream.read():
            pieces += got
            size += sum(map(len, got))
            if size > WHOLE_LIMIT:
                upstream.put_back(b"".join(pieces))
                return None
    body = b"".join(pieces)
    return held(upstream, upstream.status, upstream.reason, upstream.lines, body), translation.readable(upstream, body)


async def plain(ticket: Ticket, upstream: Upstream) -> Failure | None:
    """Relay an answer that is no event stream; it knows one limit, the total. A Failure, and nothing sent, when it
    holds an error."""
    if ticket.record.stream:
        ticket.record.stream = False
        assert ticket.target is not None
        total = ticket.target.total
        ticket.connection.deadline(ticket.request.arrived + total - trio.current_time(), Cut.TOTAL)
    if ticket.request.method == "HEAD":
        await _head_only(ticket, upstream)
        return None
    # Paths of no protocol carry audio, files and lines that are read as they come.
    limit = 0 if ticket.call.dialect is protocols.PLAIN and not ticket.call.generates else WHOLE_LIMIT
    if resource_affinity.holds_answer(ticket, upstream):
        limit = limit or resource_ids.ANSWER_LIMIT
    pieces: list[bytes] = []
    size = 0
    while size <= limit and (not upstream.ended or not size):
        got = await upstream.read()
        if not got:
            break
        pieces += got
        arrived = sum(map(len, got))
        size += arrived
        ticket.hold(arrived)
    if upstream.ended:
        return await _whole(ticket, upstream, b"".join(pieces) if len(pieces) != 1 else pieces[0])
    await _pumped(ticket, upstream, pieces)
    return None


async def _whole(ticket: Ticket, upstream: Upstream, body: bytes) -> Failure | None:
    status = upstream.status
    readable = translation.readable(upstream, body)
    if isinstance(upstream, translation.Translated) and upstream.failure is not None:
        return Failure(status, bytes(readable))
    if status >= 400:
        ticket.record.error = "upstream_error"
        body, readable = _blotted(ticket, upstream, body, readable)
        if json_values.decoded(bytes(readable)) is None:
            await _refused(ticket, upstream, readable)
            return None
    elif ticket.call.generates:
        problem = _no_answer(upstream, readable)
        if problem:
            raise BadGateway(f"The backend {_backend(ticket)} answered {status} with {problem}.")
        failure = failure_of(ticket.call.dialect, readable)
        if failure is not None:
            return failure
        ticket.record.usage = _usage(ticket, upstream, readable)
        ticket.record.guess = len(readable or body) // _BYTES_PER_TOKEN
    resource_affinity.note_answer(ticket, upstream, readable)
    headers = relayed_headers(ticket, upstream)
    await ticket.respond(status, headers, body, upstream.reason, shown=readable)
    return None


def _usage(ticket: Ticket, upstream: Upstream, body: bytes) -> Usage:
    """The token counts of a whole answer of a model."""
    before = usage_before(upstream)
    if before is None and ticket.target is not None:
        return usage_of(ticket.call.dialect, body, ticket.target.profile)
    return before or Usage()


def _blotted(ticket: Ticket, upstream: Upstream, body: bytes, readable: bytes) -> tuple[bytes, bytes]:
    """An error without the key that it was sent with: some upstreams repeat it, and it is not the caller's."""
    assert ticket.target is not None
    said = readable
    for secret in ticket.target.hidden:
        text = secret.reveal().encode()
        said = said.replace(text, b"[redacted]") if len(text) >= MIN_SECRET_LENGTH else said
    if said == readable:
        return body, readable
    upstream.lines = [line for line in upstream.lines if line[1] != b"content-encoding"]
    return said, said


async def _pumped(ticket: Ticket, upstream: Upstream, pieces: list[bytes]) -> None:
    """Send on what came, and the rest as it comes; the upstream's own length is kept."""
    ticket.release()
    if ticket.issues:
        resource_affinity.note_answer(ticket, upstream, b"".join(pieces[:2]), whole=False)
    headers = relayed_headers(ticket, upstream)
    headers += _length(upstream)
    connection = ticket.connection
    await connection.write(ticket.began(upstream.status, headers, upstream.reason))
    tail = _tail(ticket, upstream)
    while pieces:
        # One chunk for all of a read: thousands of pieces are more than one system call takes.
        data = b"".join(pieces)
        await connection.write(connection.data(data))
        if tail is not None:
            readable = tail.read(data)
            ticket.record.guess = tail.size // _BYTES_PER_TOKEN
            ticket.record.answer_body += readable[: max(0, ticket.kept - len(ticket.record.answer_body))]
        pieces = await upstream.read()
    if tail is not None:
        ticket.record.usage = usage_before(upstream) or tail.usage()
    await connection.write(connection.end())


def _tail(ticket: Ticket, upstream: Upstream) -> Tail | None:
    """What reads the usage of a large answer of a model beside its relay."""
    if not ticket.call.generates or upstream.status >= 300 or ticket.target is None:
        return None
    coding = upstream.fields.get(b"content-encoding", b"").strip().lower()
    return Tail(ticket.call.dialect, coding, ticket.target.profile)


def _length(upstream: Upstream) -> Lines:
    """The upstream's content-length, unless chunks overrule it (RFC 9112, 6.3)."""
    length = upstream.fields.get(b"content-length")
    if length is None or b"transfer-encoding" in upstream.fields:
        return []
    return [(b"content-length", b"content-length", length)]


async def _head_only(ticket: Ticket, upstream: Upstream) -> None:
    headers = relayed_headers(ticket, upstream)
    headers += _length(upstream)
    await ticket.connection.write([*ticket.began(upstream.status, headers, upstream.reason), *ticket.connection.end()])


async def _refused(ticket: Ticket, upstream: Upstream, body: bytes | bytearray) -> None:
    """An error answer that is no JSON (a gateway's page, nothing at all) in the caller's form, same status."""
    said = _quoted(upstream, body)
    error = BadGateway(f"The backend {_backend(ticket)} answered {upstream.status} with {said}.")
    error.status = upstream.status
    error.kind = dialect.anthropic_kind(upstream.status)
    headers = relayed_headers(ticket, upstream, drop=(b"content-type", b"content-encoding"))
    headers.append(JSON)
    await ticket.respond(upstream.status, headers, ticket.call.dialect.error_body(error, ticket.record.id))


def _no_answer(upstream: Upstream, body: bytes | bytearray) -> str:
    """What is wrong with a 2xx answer of a model, '' when nothing is."""
    if upstream.status != 204 and not body.strip():
        return "an empty body"
    if upstream.fields.get(b"content-type", b"")[:9].lower() == b"text/html":
        return _quoted(upstream, body) + ": a login page or a proxy may stand between"
    return ""


def _quoted(upstream: Upstream, body: bytes | bytearray) -> str:
    """What a body that is no JSON says, short and without control characters."""
    if not body.strip():
        return "an empty body"
    if b"html" in upstream.fields.get(b"content-type", b"").lower() or body.lstrip()[:1] == b"<":
        title = _TITLE.search(body)
        text = title[1].decode("utf-8", "replace").strip() if title else ""
        return "an HTML page" + (f" ({_clean(text)})" if text else "")
    return f"the text: {_clean(bytes(body[: dialect.QUOTE_LIMIT]).decode('utf-8', 'replace'))}"


def _clean(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text[: dialect.QUOTE_LIMIT]).strip()


def relayed_headers(ticket: Ticket, upstream: Upstream, *, drop: tuple[bytes, ...] = ()) -> Lines:
    """The upstream's headers with our own behind them."""
    named = upstream.fields.get(b"connection", b"")
    if named.lower() not in (b"", b"keep-alive", b"close"):
        drop = (*drop, *named_in_connection(named))
    return client_response(upstream.lines, drop=drop) + ticket.own_headers()


def _backend(ticket: Ticket) -> str:
    return ticket.record.backend
