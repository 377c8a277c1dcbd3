"""Request bodies: read, decoded, and looked into."""

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

import trio

from router.errors import BadRequest, TooLarge, UnsupportedMedia
from router.exchange.context import Ticket
from router.host.access import check_json
from router.ir import Facts
from router.net.headers import encode_value
from router.net.server.connection import CancelReason
from router.wire.calls import Call
from router.wire.raw import content_coding
from router.wire.raw.top_level import Top, model_name, peek, wants_stream

LIMIT = 64 << 20
# Over this, work on a body would hold up every stream: it goes to a thread, one at a time.
THREAD_BYTES = 1 << 20
THREAD = trio.CapacityLimiter(1)

_Arguments = TypeVarTuple("_Arguments")
_Result = TypeVar("_Result")


async def read(ticket: Ticket) -> tuple[bytes, Top | None]:
    """The body without content coding, and its top level when it is JSON. Raises RouterError for what is not."""
    request = ticket.request
    if request.method in ("GET", "HEAD"):
        return await plain(ticket), None
    is_json = request.method == "DELETE" or check_json(request, allow_uploads=not ticket.call.generates)
    body = await plain(ticket)
    if not is_json or (not body and not ticket.call.generates):
        return body, None
    if not body:
        raise BadRequest("The request has no body.")
    if len(body) > THREAD_BYTES:
        return body, await in_thread(ticket, peek, body)
    return body, peek(body)


async def plain(ticket: Ticket) -> bytes:
    """The whole body without content coding. Raises RouterError."""
    body = await ticket.connection.read_body(LIMIT, ticket.hold)
    coding = coding_of(ticket)
    if not coding or not body:
        return body
    decoded = _decoded_now(body, coding)
    if decoded is None:
        decoded = await in_thread(ticket, inflated, body, coding, LIMIT)
    ticket.hold(len(decoded) - len(body))
    return decoded


def coding_of(ticket: Ticket) -> bytes:
    """The content codings of the body as its fields list them; b"" when it has none."""
    request = ticket.request
    if b"content-encoding" not in request.fields:
        return b""
    listed = b", ".join(value for _, name, value in request.lines if name == b"content-encoding")
    return listed if content_coding.names_in(listed) else b""


def _decoded_now(body: bytes, coding: bytes) -> bytes | None:
    """What a small body gives; None when it, or what it gives, is large enough for the thread."""
    if len(body) > THREAD_BYTES:
        return None
    try:
        return inflated(body, coding, THREAD_BYTES)
    except TooLarge:
        return None


async def in_thread(ticket: Ticket, work: Callable[[*_Arguments], _Result], *arguments: *_Arguments) -> _Result:
    """Work in the one thread for large bodies; the wait for it is no fault of the client's."""
    ticket.connection.set_deadline(ticket.snapshot.settings.timeouts_total, CancelReason.TOTAL)
    return await trio.to_thread.run_sync(work, *arguments, limiter=THREAD)


def inflated(body: bytes, coding: bytes, limit: int) -> bytes:
    """A body without its content codings. Raises TooLarge over `limit`, BadRequest and UnsupportedMedia."""
    try:
        decoder = content_coding.Decoder(coding)
        plain = decoder.decode(body, limit)
    except content_coding.UnknownCoding as error:
        accepted = (("accept-encoding", content_coding.KNOWN),)  # RFC 9110, 15.5.16
        coding_text = encode_value(str(error)).decode()
        message = f"The content-encoding {coding_text} is not read here; use {content_coding.KNOWN}, or none."
        raise UnsupportedMedia(message, headers=accepted) from None
    except content_coding.Malformed as error:
        raise BadRequest(
            f"The request body is not valid {encode_value(coding.decode('latin-1')).decode()}: {error}."
        ) from None
    except content_coding.OverLimit:
        raise TooLarge(f"The request body is over {limit >> 20} MiB when decoded.") from None
    if not decoder.whole:
        raise BadRequest(f"The request body's content coding ({', '.join(decoder.names)}) ends early.")
    return plain


def facts_of(call: Call, top: Top | None) -> Facts:
    """What routing needs. Raises BadRequest when a call that needs a model names none."""
    if top is None:
        return Facts(call.protocol, None, stream=False)
    model = model_name(top)
    if model is None and (call.generates or call.path == "/v1/messages/count_tokens"):
        raise BadRequest('The request names no model: add "model". `fairlead models` lists those at hand.')
    writes = call.generates and call.path != "/v1/embeddings"
    return Facts(call.protocol, model, stream=call.generates and wants_stream(top), generates=writes)
